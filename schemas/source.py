"""Where a model comes from: `hf:`, `file:`, `oci:`, `https:` and `builtin:` sources.

Turns the text of a `source:` field into a `Source` whose `str()` is the one canonical spelling,
used in artifact references, ledger keys and messages. Knows no file system and no network.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Literal, cast, get_args

from pydantic import PlainValidator, WithJsonSchema

from schemas.base import Invalid

__all__ = ["Scheme", "Source", "SourceField", "parse_source"]

Scheme = Literal["hf", "file", "oci", "https", "builtin"]

_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REPO = rf"{_NAME}(?:/{_NAME})?"
_OCI = r"[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?(?:/[a-z0-9][a-z0-9._-]*)+"
_DIGEST = r"sha256:[0-9a-f]{64}"
_FIXES: dict[str, str] = {
    "hf": 'write "hf:org/repo", or "hf:org/repo:Q4_K_M" for one quantization of a GGUF repository',
    "file": 'write an absolute path, "file:/models/mine" or "file:~/models/mine"',
    "oci": 'write "oci:registry/path:tag" or "oci:registry/path@sha256:<64 hex digits>"',
    "https": 'write "https://host/path#sha256=<64 hex digits>"',
    "builtin": 'write "builtin:tiny-chat"',
}


@dataclass(frozen=True, slots=True)
class Source:
    """A parsed source. `repo` is what follows the scheme, without quantization, tag or digest.

    quant: a GGUF quantization (hf). tag: an OCI tag. sha256: hex digest (https, oci by digest).
    """

    scheme: Scheme
    repo: str
    quant: str | None = None
    tag: str | None = None
    sha256: str | None = None

    def __str__(self) -> str:
        if self.scheme == "https":
            return f"https:{self.repo}#sha256={self.sha256}"
        end = f":{self.quant or self.tag}" if self.quant or self.tag else ""
        return f"{self.scheme}:{self.repo}{end}" + (f"@sha256:{self.sha256}" if self.sha256 else "")


def parse_source(value: object) -> Source:
    """Text of a source -> `Source`; raises `Invalid` that shows the fix."""
    if isinstance(value, Source):
        return value
    if not isinstance(value, str):
        raise Invalid(f"{value} is not a source", _FIXES["hf"])
    scheme, colon, rest = value.partition(":")
    if not colon or scheme not in get_args(Scheme):
        raise Invalid(f'"{value}" is not a source', _scheme_fix(value))
    known = cast("Scheme", scheme)
    source = _PARSERS[known](rest)
    if source is None:
        raise Invalid(f'"{value}" is not a source of kind {scheme}:', _FIXES[scheme])
    return source


def _scheme_fix(value: str) -> str:
    if re.fullmatch(_REPO, value) and "/" in value:
        return f'write "hf:{value}"'
    if value.startswith(("/", "~/")):
        return f'write "file:{value}"'
    return f"begin it with one of {', '.join(f'{scheme}:' for scheme in get_args(Scheme))}"


def _hub(rest: str) -> Source | None:
    match = re.fullmatch(rf"({_REPO})(?::([A-Za-z0-9][A-Za-z0-9._-]*))?", rest)
    return Source("hf", match[1], quant=match[2]) if match else None


def _file(rest: str) -> Source | None:
    fits = rest.startswith(("/", "~/")) and not rest.startswith("//") and rest.isprintable()
    path = rest.rstrip("/")
    return Source("file", path) if fits and path not in {"", "~"} else None


def _oci(rest: str) -> Source | None:
    match = re.fullmatch(rf"({_OCI})(?::([A-Za-z0-9_][A-Za-z0-9._-]*))?(?:@({_DIGEST}))?", rest)
    if match is None:
        return None
    digest = match[3].removeprefix("sha256:") if match[3] else None
    return Source("oci", match[1], tag=match[2], sha256=digest)


def _https(rest: str) -> Source | None:
    match = re.fullmatch(r"(//[^\s/#?]+/[^\s#]+)#sha256=([0-9a-f]{64})", rest)
    return Source("https", match[1], sha256=match[2]) if match else None


def _builtin(rest: str) -> Source | None:
    return Source("builtin", rest) if re.fullmatch(_NAME, rest) else None


_PARSERS = {"hf": _hub, "file": _file, "oci": _oci, "https": _https, "builtin": _builtin}

SourceField = Annotated[
    Source,
    PlainValidator(parse_source),
    WithJsonSchema(
        {
            "type": "string",
            "pattern": "^(hf:[A-Za-z0-9]|file:(/|~/)|oci:[A-Za-z0-9]|https://|builtin:[A-Za-z0-9])",
            "description": "hf:org/repo[:QUANT], file:/path, oci:registry/path[:tag][@sha256:...], "
            "https://host/path#sha256=... or builtin:name.",
            "examples": ["hf:mlx-community/Llama-3.2-3B-Instruct-4bit", "builtin:tiny-chat"],
        }
    ),
]
