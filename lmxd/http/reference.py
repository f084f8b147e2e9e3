"""`python -m lmxd.http.reference [ROOT]`: the generated parts of the reference of the HTTP API.

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`; the rest of the page is
written by people. A test says when a part is stale. Not used by the daemon.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from lmxd.dialects import anthropic_schema, embeddings_schema, ollama_schema, openai_schema
from lmxd.dialects.fields import Table
from lmxd.http.app import ROUTES
from lmxd.http.openapi import summary

__all__ = ["PAGE", "fresh", "main"]

PAGE = "docs/reference/http-api.md"

_PART = re.compile(r"(<!-- generated: ([\w /]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_PARAMETER = re.compile(r"<(\w+):\w+>")
_CHAPTERS = frozenset({"openai", "anthropic", "ollama", "lm studio"})


def fresh(page: str) -> str:
    """The page with its generated parts as they should be. Raises KeyError for an unknown one."""
    parts = {
        "routes": "\n".join(_routes()),
        **{
            f"fields of {path}": "\n".join(_fields(read, table))
            for schema in (openai_schema, embeddings_schema, anthropic_schema, ollama_schema)
            for path, read, table in schema.known()
        },
    }
    return _PART.sub(lambda found: f"{found[1]}{parts[found[2]]}\n{found[3]}", page)


def _routes() -> Iterator[str]:
    yield "| call | what it does |"
    yield "|---|---|"
    for route in ROUTES:
        if route.about is not None and route.about.tag in _CHAPTERS:
            path = _PARAMETER.sub(r"{\1}", route.path)
            yield f"| `{route.method} {path}` | {route.about.summary or summary(route.handler)} |"


def _fields(read: Iterable[str], table: Table) -> Iterator[str]:
    yield f"- Read: {_listed(read)}."
    if table.advisory:
        yield f"- Accepted, without effect: {_listed(sorted(table.advisory))}."
    refused = sorted(table.unserved.items())
    if refused:
        told = (
            f"`{name}`" + (f" (but {' or '.join(map(_literal, neutral))})" if neutral else "")
            for name, neutral in refused
        )
        yield f"- Refused: {', '.join(told)}."


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _literal(value: object) -> str:
    return f"`{json.dumps(value)}`"


def main(arguments: list[str]) -> int:
    """Write the parts anew below ROOT (default: here)."""
    path = (Path(arguments[0]) if arguments else Path.cwd()) / PAGE
    path.write_text(fresh(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
