"""Is the document still what the caller saw, and if not, what has changed since.

A tag names either the JSON or the text of a document; only equal tags match (a weak tag never
does). Pure; the history is asked through a function. Called by `document` in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from lmxd.desired.drafts import Base, etag_of, wanted
from schemas.edit import Change, Edit, WholeData, WholeText
from schemas.errors import Code, LmxdError, RequestError
from schemas.parse import pointer
from schemas.patch import changes

__all__ = ["ANY", "Find", "check_match"]

ANY = "*"
Find = Callable[[str], Mapping[str, object] | None]
"""The plain values of a document by one of its tags; None when the history does not know it."""


def check_match(edit: Edit, base: Base, find: Find, at: datetime) -> None:
    """Raise precondition_failed when the edit was made for another document.

    Its details: `current_etag`, `generation`, and where the history knows what the caller saw
    `changed_paths` since then and those of them that the edit touches too, `overlaps`. A whole
    document touches all: laid over what has changed, it would take that back.
    """
    current = etag_of(base.accepted.data)
    if not edit.if_match or {ANY, current, base.accepted.sha256} & set(edit.if_match):
        return
    number = base.accepted.generation
    details: dict[str, object] = {"current_etag": current, "generation": number}
    seen = next((data for tag in edit.if_match if (data := find(tag)) is not None), None)
    if seen is not None:
        since = changes(seen, base.accepted.data)
        details["changed_paths"] = _pointers(since)
        details["overlaps"] = _pointers(_overlaps(since, edit, seen, at))
    message, hint = _words(edit, number, known=seen is not None)
    raise RequestError(Code.PRECONDITION_FAILED, message, hint=hint, details=details)


def _words(edit: Edit, number: int, *, known: bool) -> tuple[str, str]:
    """What is said of a condition that does not hold."""
    if all(tag.startswith("W/") for tag in edit.if_match):
        return (
            f"a weak ETag is a condition that never holds; the document is generation {number}",
            "send the ETag of GET /lmxd/v1/desired as it is, without W/",
        )
    if not known:
        return (
            f"no text that is remembered has this ETag; the document is generation {number} now",
            "read it again, and send the ETag of that answer with its quotes",
        )
    message = f"the document has changed since: it is generation {number} now"
    if _is_whole(edit):
        return message, "read it again, and make your change on what it says now"
    return (
        message,
        "read it again; where overlaps is empty, the same edit can be sent with the new ETag",
    )


def _overlaps(
    since: Sequence[Change], edit: Edit, seen: Mapping[str, object], at: datetime
) -> Sequence[Change]:
    """What of `since` the edit concerns, as its author meant it: on the document that he saw."""
    if _is_whole(edit):
        return since
    try:
        own = changes(seen, wanted(edit, seen, at))
    except LmxdError:
        return since
    return [each for each in since if any(_meet(each.path, mine.path) for mine in own)]


def _is_whole(edit: Edit) -> bool:
    return isinstance(edit.body, WholeData | WholeText)


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Does one path lead to, or through, the other."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _pointers(found: Sequence[Change]) -> list[str]:
    return [pointer(change.path) for change in found]
