"""The body of a change as the command line takes it: assignments, patches, files, stdin. Pure but
for reading what is named.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from lmxd.cli import paths
from lmxd.desired.read import parsed
from schemas.errors import Code, DocumentError, LmxdError

__all__ = ["assigned", "patch", "text"]


def assigned(document: object, assignments: Iterable[str]) -> dict[str, object]:
    """The merge patch of `PATH=VALUE` (a YAML value) and `PATH-` (remove); raises LmxdError."""
    patch: dict[str, object] = {}
    for each in assignments:
        path, equals, text = each.partition("=")
        if not equals and not path.endswith("-"):
            raise LmxdError(
                Code.INVALID_REQUEST,
                f"{each!r} is neither PATH=VALUE nor PATH-",
                hint="write for example models.tiny.state=loaded, or aliases.auto- to remove it",
            )
        keys = paths.keys(document, path if equals else path[:-1])
        _lay(patch, keys, _value(path, text) if equals else None)
    return patch


def patch(named: str) -> object:
    """A merge patch (a map) or a JSON Patch (a list) in YAML or JSON: the text itself, `@FILE`, or
    `-` for stdin; raises LmxdError.
    """
    raw = text(named[1:] if named.startswith("@") else named) if named[:1] in "@-" else named
    found = _value("the patch", raw)
    if not isinstance(found, dict | list):
        raise LmxdError(
            Code.INVALID_REQUEST,
            f"a patch is a map of what changes or a list of operations, not {found!r:.60}",
            hint="""write for example '{"models": {"tiny": {"state": "loaded"}}}', or @FILE""",
        )
    return found


def text(named: str) -> str:
    """What a file holds, or stdin for `-`; raises LmxdError."""
    if named == "-":
        return sys.stdin.read()
    try:
        return Path(named).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise LmxdError(Code.NOT_FOUND, f"{named} cannot be read: {why}") from error


def _value(what: str, written: str) -> object:
    try:
        return json.loads(written)
    except ValueError:
        pass
    try:
        return parsed(written.encode()).data
    except DocumentError as error:
        if error.reason == "EmptyFile":  # nothing, or null
            return None
        raise LmxdError(
            Code.INVALID_REQUEST, f"{what}: {error.message}", hint="quote it, or write JSON"
        ) from error


def _lay(patch: dict[str, object], keys: tuple[str, ...], value: object) -> None:
    here = patch
    for key in keys[:-1]:
        below = here.setdefault(key, {})
        if not isinstance(below, dict):
            raise LmxdError(
                Code.INVALID_REQUEST, f"{'.'.join(keys)} lies below a path that is set as a whole"
            )
        here = below
    here[keys[-1]] = value
