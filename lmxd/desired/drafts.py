"""An edit and the text it is made on -> the text that the file would hold, checked.

Called by `document` in a thread. Nothing is written here, and neither the condition of the edit
(`preconditions`) nor the owners of fields are asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from lmxd.desired.dump import dump
from lmxd.desired.read import accept, canonical
from lmxd.desired.splice import spliced
from lmxd.desired.text_diff import text_diff
from reconciler.state import Accepted
from schemas.desired import DesiredState
from schemas.edit import Change, Edit, JsonPatch, MergePatch, WholeData, WholeText
from schemas.errors import RequestError
from schemas.parse import parse
from schemas.patch import changes, merged, patched
from schemas.support import unsupported

__all__ = ["Base", "Draft", "created", "drafted", "etag_of", "wanted"]

_NAMES = ("current", "edited")


@dataclass(frozen=True, slots=True)
class Base:
    """What an edit is made on: the accepted document and its text."""

    accepted: Accepted
    raw: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """What comes of an edit.

    `accepted` is what holds, or would hold, with the number that it has or would get; `raw` the
    text of that, `diff` as `diff -u` shows it. `changed` False: nothing is to be written.
    """

    accepted: Accepted
    raw: bytes
    changes: tuple[Change, ...]
    diff: str
    changed: bool
    warnings: tuple[str, ...]


def etag_of(data: Mapping[str, object]) -> str:
    """The ETag of a document as JSON: equal for documents that mean the same."""
    return hashlib.sha256(canonical(data)).hexdigest()


def wanted(edit: Edit, data: Mapping[str, object], at: datetime) -> Mapping[str, object]:
    """The plain values that an edit asks for; raises PatchError, and DocumentError for a text."""
    match edit.body:
        case MergePatch(patch):
            return merged(data, patch)
        case JsonPatch(operations):
            return patched(data, operations)
        case WholeData(whole):
            return whole
        case WholeText(raw):
            return accept(raw, at).data


def drafted(edit: Edit, base: Base, number: int, at: datetime) -> Draft:
    """The edit carried out on paper; `number` is what a new generation would get.

    Raises DocumentError with places in the new text where it is not valid, PatchError where the
    edit does not apply, RequestError where it cannot be laid into the text (aliased_node,
    file_not_writable).
    """
    before = base.accepted
    if isinstance(edit.body, WholeText):
        raw = edit.body.raw
        reading = accept(raw, at)
    else:
        data = wanted(edit, before.data, at)
        asks = changes(before.data, data)
        raw = _laid(base.raw, asks, data) if asks else base.raw
        reading = accept(raw, at)
    made = changes(before.data, reading.data)
    if made:
        accepted = Accepted(number, reading.sha256, reading.document, reading.data, at)
    else:
        accepted = replace(before, sha256=reading.sha256)
    diff = text_diff(base.raw, raw, _NAMES)
    return Draft(accepted, raw, made, diff, raw != base.raw, _warnings(before, accepted))


def _laid(text: bytes, asks: Sequence[Change], data: Mapping[str, object]) -> bytes:
    """The text with the changes; where it cannot take what would not be valid either, that is
    what is said.
    """
    try:
        return spliced(text, asks)
    except RequestError:
        parse(DesiredState, data)
        raise


def created(edit: Edit, before: Accepted | None, number: int, at: datetime) -> Draft:
    """The first text of a document; `before` is what is in effect though there is no file.

    Raises like `drafted`.
    """
    body = edit.body
    raw = body.raw if isinstance(body, WholeText) else dump(wanted(edit, {}, at)).encode()
    reading = accept(raw, at)
    made = changes(before.data if before else {}, reading.data)
    accepted = Accepted(number, reading.sha256, reading.document, reading.data, at)
    if before is not None and not made:
        accepted = replace(before, sha256=reading.sha256)
    diff = text_diff(b"", raw, _NAMES)
    return Draft(accepted, raw, made, diff, True, _warnings(before, accepted))


def _warnings(before: Accepted | None, after: Accepted) -> tuple[str, ...]:
    """Fields that are set anew and have no effect in this version."""
    known = _without_effect(before) if before else []
    found = _without_effect(after)
    return tuple(f"{name} has no effect in this version" for name in found if name not in known)


def _without_effect(accepted: Accepted) -> list[str]:
    top, models = unsupported(accepted.document)
    return [*top, *(f"/models/{key}{name}" for key, names in models.items() for name in names)]
