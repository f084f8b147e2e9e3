"""Paths into a document: `models.tiny.state`, `/models/tiny/state`, `aliases.auto.0`. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from schemas.errors import Code, LmxdError
from schemas.parse import nearest

__all__ = ["find", "keys"]


def find(document: object, path: str) -> object:
    """What stands at a path; raises LmxdError that names the nearest key.

    Keys may hold dots themselves (`models.qwen2.5.state`), so of several keys that begin the rest
    of the path the longest is taken.
    """
    pointer = path.startswith("/")
    parts = path[1:].split("/") if pointer else path.split(".") if path else []
    if pointer:
        parts = [part.replace("~1", "/").replace("~0", "~") for part in parts]
    here, gone = document, ""
    while parts:
        name = _key(here, parts, joined=not pointer)
        if name is None:
            raise _missing(here, parts[0], gone)
        if isinstance(here, dict):
            here = here[name]
        elif isinstance(here, list):
            here = here[int(name)]
        gone = f"{gone}.{name}" if gone else name
        parts = parts[name.count(".") + 1 :] if not pointer else parts[1:]
    return here


def keys(document: object, path: str) -> tuple[str, ...]:
    """The keys of a path, also where nothing stands yet: what is not there is split at dots, but a
    new model is called what stands before its field, and a new alias all that is left.

    Raises LmxdError for the empty path.
    """
    if path.startswith("/"):
        parts = path[1:].split("/")
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)
    parts, here = path.split("."), document
    found: list[str] = []
    while parts:
        name = _key(here, parts, joined=True) if isinstance(here, dict) else None
        name = name or _new(parts, found)
        here = here.get(name) if isinstance(here, dict) else None
        found.append(name)
        parts = parts[name.count(".") + 1 :]
    if not all(found):
        raise LmxdError(
            Code.INVALID_REQUEST,
            f"{path!r} is no path",
            hint="write keys joined by dots, like models.tiny.state, or a JSON pointer",
        )
    return tuple(found)


def _new(parts: Sequence[str], above: Sequence[str]) -> str:
    """The key that a path begins with, where no such key is yet; `above` are those before it."""
    last = above[-1] if above else ""
    if len(parts) == 1 or last not in ("models", "aliases"):
        return parts[0]
    if last == "aliases":
        return ".".join(parts)
    from schemas.model import Model  # takes a while, and most paths need it not

    ends = (at for at, part in enumerate(parts) if at and part in Model.model_fields)
    return ".".join(parts[: next(ends, len(parts))])


def _key(here: object, parts: Sequence[str], *, joined: bool) -> str | None:
    if isinstance(here, list):
        index = parts[0]
        return index if index.isdecimal() and int(index) < len(here) else None
    if not isinstance(here, dict):
        return None
    if not joined:
        return parts[0] if parts[0] in here else None
    whole = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((name for name in whole if name in here), None)


def _missing(here: object, name: str, gone: str) -> LmxdError:
    place = f"at {gone}" if gone else "in the document"
    if isinstance(here, list):
        return _not_found(f"there is no item {name} {place}; it has {len(here)}", None)
    if not isinstance(here, dict):
        return _not_found(f"there is nothing below {gone}", f"it is {here!r}")
    close = nearest(name, list(here))
    hint = f"did you mean {close}?" if close else f"keys there: {', '.join(here) or 'none'}"
    return _not_found(f"there is no {name or 'empty key'} {place}", hint)


def _not_found(message: str, hint: str | None) -> LmxdError:
    return LmxdError(Code.NOT_FOUND, message, hint=hint)
