"""What stands behind the question mark: only what is known, once, and with a value.

A parameter that is misspelt must not be dropped: `?dryrun=true` would change the document.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from sanic.request import Request

from reconciler.timetable import FIRST_YEAR, LAST_YEAR
from schemas.errors import Code, RequestError


def query(request: Request, *known: str) -> Mapping[str, str]:
    """The parameters. Raises RequestError (invalid_request) for one that is not in `known`."""
    pairs = parse_qsl(request.query_string, keep_blank_values=True, errors="replace")
    unknown = sorted({name for name, _ in pairs} - set(known))
    if unknown:
        raise RequestError(
            Code.INVALID_REQUEST,
            f"unknown query parameters: {', '.join(name[:40] or '(no name)' for name in unknown)}",
            hint=f"{request.path} takes {', '.join(known) or 'none'}",
            param=unknown[0][:40],
        )
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise RequestError(Code.INVALID_REQUEST, f"{name} is there twice", param=name)
        found[name] = value
    return found


def flag(given: Mapping[str, str], name: str) -> bool:
    """A parameter that is true or false; false when it is not there."""
    value = given.get(name, "false")
    if value not in {"true", "false"}:
        raise RequestError(
            Code.INVALID_REQUEST,
            f"{name}={value[:40]!r} is neither true nor false",
            hint=f"write {name}=true",
            param=name,
        )
    return value == "true"


def number(given: Mapping[str, str], name: str, otherwise: int, most: int) -> int:
    """A parameter that is a whole number from 1 to `most`; `otherwise` when it is not there."""
    text = given.get(name)
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= most):
        raise RequestError(
            Code.INVALID_REQUEST,
            f"{name}={text[:40]!r} is no whole number from 1 to {most}",
            param=name,
        )
    return int(text)


def instant(given: Mapping[str, str]) -> datetime | None:
    """The instant that `at` asks about; None: now."""
    text = given.get("at")
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))  # a + that was not escaped
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise RequestError(
            Code.INVALID_REQUEST,
            f"at={text[:60]!r} is no instant between {FIRST_YEAR} and {LAST_YEAR}",
            hint="write it with its offset, like 2026-11-21T22:00:00Z",
            param="at",
        )
    return found.astimezone(UTC)
