"""Whose the fields of the document are: who set each leaf over HTTP, and who may change it.

A PATCH takes ownership of what it changes; an edit of the file takes it back, and is reported
where it undoes what somebody had set. What nobody is named for is the file's. Kept in
`managers.json` of the state folder; told by the owner of the document, after each commit.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct

from lmxd.desired.protection import Protection
from lmxd.statefolder import StateFolder
from reconciler.state import Accepted
from schemas.edit import ANONYMOUS, FILE, MISSING, Change, Edit
from schemas.errors import Code, RequestError
from schemas.events import Event
from schemas.leaves import Path, Paths, leaf_changes, parts
from schemas.parse import pointer
from schemas.patch import same

__all__ = ["Managers", "Owner"]

log = logging.getLogger(__name__)

KEEP = 50
"""For so many generations a removal is remembered, in case that a file edit undoes it."""

VALUES = 16
"""So many earlier values of a leaf are remembered, to know a save that brings one back."""


class Owner(Struct, frozen=True):
    """Who set a leaf, when, and in which generation."""

    by: str
    since: datetime
    generation: int


class _Record(Owner, frozen=True, omit_defaults=True, kw_only=True):
    """An owner; `before` are the values until then, the last one last, back to what people wrote:
    a save that undoes this may be of a text from before several changes. `lacked`: it was not
    there for a time. `removed`: the leaf was taken away, which nobody owns, but may be undone.
    """

    before: tuple[object, ...] = ()
    lacked: bool = False
    removed: bool = False


class Managers:
    """The owners of all leaves. `folder` is where they are kept; read here, which blocks."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self._told, self._records = _kept(folder)
        self._lock = asyncio.Lock()

    @property
    def told(self) -> int | None:
        """The last generation it was told of, over restarts; None: never of any."""
        return self._told

    def check(self, edit: Edit, changes: Iterable[Change], accepted: Accepted) -> None:
        """May this edit make these changes of the accepted document. Its ETags have been found
        current.

        Raises RequestError (field_conflict) with every leaf that is protected, or was set by
        another named manager while `edit` names no ETag. Force overrides both.
        """
        if edit.force:
            return
        looked = any(tag != "*" for tag in edit.if_match)
        protection = Protection(accepted.document)
        conflicts = []
        for change in changes:
            for leaf in (*leaf_changes([change]), *_order(change)):
                owner = self._owner(leaf.path)
                if protection.covers(leaf.path):
                    conflicts.append(_conflict(leaf, owner, accepted, protected=True))
                elif owner and owner.by not in (edit.manager, ANONYMOUS) and not looked:
                    conflicts.append(_conflict(leaf, owner, accepted, protected=False))
        if conflicts:
            raise _refusal(conflicts)

    async def took(
        self, manager: str, changes: Iterable[Change], generation: int, at: datetime
    ) -> None:
        """A commit over HTTP made these changes: they are the manager's from now on."""
        leaves = tuple(leaf_changes(changes))
        async with self._lock:
            records = self._without(leaves, generation)
            records |= {
                leaf.path: _record(leaf, self._records.get(leaf.path), manager, generation, at)
                for leaf in leaves
            }
            await self._keep(records, generation)

    async def file_edited(self, changes: Sequence[Change], generation: int) -> tuple[Event, ...]:
        """The file was edited: what it changed is the file's again. Returns an event for each
        change that puts back what was there before somebody set it over HTTP.
        """
        async with self._lock:
            events = tuple(event for change in changes for event in self._reverted(change))
            await self._keep(self._without(tuple(leaf_changes(changes)), generation), generation)
        return events

    def owned(self, key: str) -> dict[str, Owner]:
        """The owners of fields of a model, by JSON pointers relative to it; not the file's."""
        return {
            pointer(path[2:]): Owner(record.by, record.since, record.generation)
            for path, record in self._records.items()
            if path[:2] == ("models", key) and not record.removed
        }

    def _owner(self, path: Path) -> _Record | None:
        record = self._records.get(path)
        return None if record is None or record.removed else record

    def _without(self, leaves: Sequence[Change], generation: int) -> dict[Path, _Record]:
        """What is left when these leaves change, and what they replace or grow out of goes."""
        gone = Paths(leaf.path for leaf in leaves)
        return {
            path: record
            for path, record in self._records.items()
            if not (record.removed and generation - record.generation > KEEP)
            and not gone.touch(path)
        }

    def _reverted(self, change: Change) -> Iterator[Event]:
        """An event for each manager of whom something is undone by a change of the file."""
        undone: dict[str, int] = {}
        for leaf in leaf_changes([change]):
            record = self._records.get(leaf.path)
            if record is not None and _had(record, leaf.after):
                undone[record.by] = max(record.generation, undone.get(record.by, 0))
        for manager, generation in undone.items():
            yield _revert(change, manager, generation)

    async def _keep(self, records: dict[Path, _Record], generation: int) -> None:
        """Hold and write; a write that fails is made up for by the next one."""
        self._told, self._records = generation, records
        body = {
            "generation": generation,
            "leaves": {pointer(path): msgspec.to_builtins(each) for path, each in records.items()},
        }
        try:
            await asyncio.to_thread(self._folder.write, "managers", body)
        except OSError as error:
            log.warning("owners of fields not kept", extra={"error": str(error)})


class _Kept(Struct, frozen=True):
    """What is in the state folder."""

    generation: int | None = None
    leaves: dict[str, _Record] = {}


def _kept(folder: StateFolder) -> tuple[int | None, dict[Path, _Record]]:
    try:
        found = msgspec.convert(folder.read("managers") or {}, _Kept)
    except msgspec.ValidationError as error:
        folder.reject("managers", str(error))
        found = _Kept()
    return found.generation, {parts(at): record for at, record in found.leaves.items()}


def _order(change: Change) -> tuple[Change, ...]:
    """The change itself where it gives a map another order, whatever else it does there."""
    both = isinstance(change.before, Mapping) and isinstance(change.after, Mapping)
    return (change,) if both else ()


def _record(
    leaf: Change, known: _Record | None, manager: str, generation: int, at: datetime
) -> _Record:
    """Who sets this leaf now, and everything that it was before."""
    earlier = known.before if known is not None else ()
    if leaf.before is not MISSING:
        earlier = (*(each for each in earlier if not same(each, leaf.before)), leaf.before)
    return _Record(
        by=manager,
        since=at,
        generation=generation,
        before=earlier[-VALUES:],
        lacked=leaf.before is MISSING or (known is not None and known.lacked),
        removed=leaf.after is MISSING,
    )


def _had(record: _Record, value: object) -> bool:
    """Was this leaf so before it was set."""
    if value is MISSING:
        return record.lacked
    return any(same(value, each) for each in record.before)


def _conflict(
    leaf: Change, owner: Owner | None, accepted: Accepted, *, protected: bool
) -> dict[str, object]:
    """One conflict as the answer shows it; a value that is not there is left out."""
    found: dict[str, object] = {"path": pointer(leaf.path)}
    if leaf.after is not MISSING:
        found["yours"] = leaf.after
    if leaf.before is not MISSING:
        found["current"] = leaf.before
    found["manager"] = owner.by if owner else FILE
    found["since"] = _iso(owner.since if owner else accepted.accepted_at)
    found["protected"] = protected
    return found


def _refusal(conflicts: Sequence[Mapping[str, object]]) -> RequestError:
    first = conflicts[0]
    if first["protected"]:
        what = f"{first['path']} is protected"
    else:
        what = f"{first['path']} was set by {first['manager']} at {first['since']}"
    more = f" (and {len(conflicts) - 1} more)" if len(conflicts) > 1 else ""
    yours = _shown(first, "yours") if "yours" in first else "it gone"
    wanted = f"; it is {_shown(first, 'current')}, you want {yours}"
    hint = "look at the document and send its ETag as If-Match, leave it out, or use force"
    if any(each["protected"] for each in conflicts):
        hint = "change it in the file, or use force"
    return RequestError(
        Code.FIELD_CONFLICT,
        f"{what}{wanted}{more}",
        hint=hint,
        details={"conflicts": list(conflicts)},
    )


def _revert(change: Change, manager: str, generation: int) -> Event:
    at = pointer(change.path)
    of_model = change.path[:1] == ("models",) and len(change.path) > 1
    subject = f"model/{change.path[1]}" if of_model else "document"
    values = {"before": change.before, "after": change.after}
    values = {name: value for name, value in values.items() if value is not MISSING}
    again = f"{_shown(values, 'after')} again" if "after" in values else "gone"
    return Event(
        "Warning",
        "BotPatchReverted",
        subject,
        f"an edit of the file took back what {manager} had set in generation {generation}: {at} "
        f"was {_shown(values, 'before') or 'not there'} and is {again}",
        {"manager": manager, "path": at, "generation": generation, **values},
    )


def _shown(values: Mapping[str, object], name: str) -> str:
    if name not in values:
        return ""
    text = json.dumps(values[name], ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
