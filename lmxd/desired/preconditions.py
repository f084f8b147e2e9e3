"""Is the document still what the caller saw, and if not, what has changed since.

A tag names either the JSON or the text of a document; only equal tags match (a weak tag never
does). Pure; the history is asked through a function. Called by `document` in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from lmxd.desired.drafts import Base, etag_of, wanted
from schemas.edit import Change, Edit
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
    `changed_paths` since then and those of them that the edit touches too, `overlaps`.
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
    raise RequestError(
        Code.PRECONDITION_FAILED,
        f"the document has changed since: it is generation {number} now",
        hint="read it again; where overlaps is empty, the same edit can be sent with the new ETag",
        details=details,
    )


def _overlaps(
    since: Sequence[Change], edit: Edit, seen: Mapping[str, object], at: datetime
) -> Sequence[Change]:
    """What of `since` the edit concerns, as its author meant it: on the document that he saw."""
    try:
        own = changes(seen, wanted(edit, seen, at))
    except LmxdError:
        return since
    return [each for each in since if any(_meet(each.path, mine.path) for mine in own)]


def _meet(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Does one path lead to, or through, the other."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _pointers(found: Sequence[Change]) -> list[str]:
    return [pointer(change.path) for change in found]
