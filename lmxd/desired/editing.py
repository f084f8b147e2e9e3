"""What is asked over HTTP -> the file: edits of people and bots who do not open it themselves.

The writing half of `document`, which holds the lock while any of this runs. An edit is made on
what the file says at that moment; when somebody saves in between it is made anew on that.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from lmxd.desired import history
from lmxd.desired.commit import ABSENT, Commit
from lmxd.desired.desk import Desk
from lmxd.desired.drafts import Base, Draft, created, drafted, etag_of
from lmxd.desired.exchange import Displaced, swap
from lmxd.desired.generation import Generation
from lmxd.desired.intake import Intake
from lmxd.desired.preconditions import check_match
from lmxd.desired.recovery import ROLLBACK, end_commits
from lmxd.desired.text_diff import text_diff
from lmxd.desired.writing_lock import WritingLock
from reconciler.state import HeldEdit
from schemas.edit import Edit, WholeText
from schemas.errors import Code, RequestError
from schemas.patch import changes

__all__ = ["Editing", "Judge"]

Judge = Callable[[Draft], Awaitable[None]]
"""Asked before a text is written; raises to have it not written."""

TRIES = 5
"""How often an edit is made anew because somebody saved in between."""
DIGITS = 8
"""So many digits of a digest name a text, as people type them."""


class Editing:
    """Belongs to one `DesiredFile`. `displaced` takes what came out of the file's place, with the
    digest of what went in.
    """

    def __init__(
        self,
        desk: Desk,
        intake: Intake,
        lock: WritingLock,
        displaced: Callable[[Displaced, str], None],
    ) -> None:
        self._desk = desk
        self._standing = desk.standing
        self._intake = intake
        self._commit = Commit(desk.path, desk.generations)
        self._lock = lock
        self._displaced = displaced

    async def draft(self, edit: Edit, *, over_crash: bool = False) -> tuple[Base, Draft]:
        """Everything short of writing."""
        base = await self._base(over_crash=over_crash)
        at = self._desk.now()
        draft = await asyncio.to_thread(self._drafted, edit, base, at)
        for follower in self._desk.followers:
            follower.check(edit, draft.changes, base.accepted)
        return base, draft

    async def commit(
        self, edit: Edit, author: str, judge: Judge | None = None, *, over_crash: bool = False
    ) -> Draft:
        """Write it, if `judge` lets it pass; made anew when somebody saves in between."""
        for _ in range(TRIES):
            base, draft = await self.draft(edit, over_crash=over_crash)
            if not draft.changed:
                return draft
            if judge is not None:
                await judge(draft)
            sha256 = hashlib.sha256(base.raw).hexdigest()
            written = await self._write(sha256, draft, edit, author)
            if written is not None:
                return written
        raise RequestError(
            Code.FILE_NOT_WRITABLE,
            f"{self._desk.path} was saved by somebody else {TRIES} times in between",
            hint="try again when nobody edits it",
        )

    async def create(self, edit: Edit, *, dry_run: bool) -> Draft:
        """Write the first document; raises precondition_failed when there is a file."""
        await self._intake.look()
        accepted = self._standing.accepted
        at = self._desk.now()
        if not await asyncio.to_thread(_is_free, self._desk.path):
            raise self._there_already()
        last = accepted.generation if accepted is not None else 0
        number = await asyncio.to_thread(self._desk.generations.following, last)
        draft = await asyncio.to_thread(created, edit, accepted, number, at)
        if accepted is not None:
            for follower in self._desk.followers:
                follower.check(edit, draft.changes, accepted)
        if dry_run:
            return draft
        written = await self._write(ABSENT, draft, edit, edit.manager)
        if written is None:
            raise self._there_already()
        return written

    async def confirm(self, sha256: str) -> Draft:
        """Let the text through that waits in the file; the first digits of its digest will do."""
        await self._intake.look()
        waiting, before, raw = self._standing.waiting, self._standing.accepted, self._standing.raw
        if waiting is not None and _is(waiting.edit.sha256, sha256) and before and raw is not None:
            if not await self._intake.take(waiting.reading, note="confirmed"):
                raise self._invalid()
            after = self._standing.accepted or before
            made = await asyncio.to_thread(changes, before.data, after.data)
            diff = await asyncio.to_thread(
                text_diff, raw, waiting.reading.raw, ("current", "edited")
            )
            return Draft(after, waiting.reading.raw, made, diff, True, ())
        asked_twice = self._standing.view.current and before and _is(before.sha256, sha256)
        if asked_twice and before and raw is not None:
            return Draft(before, raw, (), "", False, ())
        held = waiting.edit.sha256 if waiting else None
        raise RequestError(
            Code.PRECONDITION_FAILED,
            f"the text that waits is {held}, not {sha256}" if held else "no edit is held",
            details={"held": held},
        )

    async def rollback(
        self, number: int, manager: str, if_match: tuple[str, ...], *, dry_run: bool
    ) -> Draft:
        """The text of an earlier generation as a new one."""
        document = await asyncio.to_thread(self._desk.document)
        current = self._standing.accepted.generation if self._standing.accepted else 0
        record = await asyncio.to_thread(
            history.one, self._desk.generations, document, current, number
        )
        note = f"the text of generation {number}, by {manager}"
        body = WholeText(record.raw or b"")
        edit = Edit(body, manager, if_match, force=True, note=note)
        if dry_run:
            _, draft = await self.draft(edit, over_crash=True)
            return draft
        return await self.commit(edit, ROLLBACK, over_crash=True)

    async def restore(self, raw: bytes, ours: str) -> None:
        """Somebody had the old file open and wrote into it: his save comes after ours."""
        try:
            displaced = await asyncio.to_thread(swap, self._desk.path, ours, raw)
        except RequestError:
            displaced = None
        if displaced is not None:
            displaced.forget()
            message = "a save that met an edit over HTTP was put back into the file"
            self._standing.warn("SaveRestored", message)
        else:
            kept = await asyncio.to_thread(self._desk.generations.set_aside, raw, self._desk.now())
            message = f"a save that met an edit over HTTP, and a later one, is kept in {kept}"
            self._standing.warn("SaveSetAside", message)
            await self.end_commits()
        await self._intake.look()

    async def end_commits(self) -> None:
        """End what has stopped half way, and keep what it left beside the file."""
        desk, writer = self._desk, self._standing.view.writable
        found = await asyncio.to_thread(
            end_commits, desk.path, desk.generations, desk.now(), writer=writer
        )
        for path in found:
            message = f"a text that was being written when it was stopped is kept in {path}"
            self._standing.warn("SaveSetAside", message)

    async def _base(self, *, over_crash: bool) -> Base:
        """What the file says now, taken in; raises document_invalid or document_held."""
        await self._intake.look()
        standing = self._standing
        if not standing.view.valid or standing.accepted is None or standing.raw is None:
            raise self._invalid()
        waiting = standing.waiting
        if waiting is None:
            return Base(standing.accepted, standing.raw)
        if over_crash and not waiting.gone:
            return Base(standing.accepted, waiting.reading.raw)
        raise _held(waiting.edit)

    def _drafted(self, edit: Edit, base: Base, at: datetime) -> Draft:
        document = self._desk.document()
        find = functools.partial(history.data_of_tag, self._desk.generations, document)
        check_match(edit, base, find, at)
        number = self._desk.generations.following(base.accepted.generation)
        return drafted(edit, base, number, at)

    async def _write(self, base_sha256: str, draft: Draft, edit: Edit, author: str) -> Draft | None:
        """Steps 3 to 7 of the protocol; None when somebody saved in between."""
        found = await asyncio.to_thread(self._lock.acquire)
        self._standing.may_write(found)
        if not found.writable:
            hint = "edit the file where it comes from, or use a lease: header Lmxd-Lease"
            raise RequestError(Code.FILE_NOT_WRITABLE, found.message, hint=hint)
        generation = None
        if draft.changes:
            generation = await asyncio.to_thread(self._generation, draft, edit, author)
        written = await asyncio.to_thread(self._commit.write, base_sha256, draft.raw, generation)
        if written is None:
            await self.end_commits()  # who saves and removes the file at once leaves the save
            return None
        self._displaced(written.displaced, hashlib.sha256(draft.raw).hexdigest())
        if written.generation is None:
            await self._intake.respell(draft.raw)
            return replace(draft, accepted=self._standing.accepted or draft.accepted)
        accepted = replace(draft.accepted, generation=written.generation.number)
        await self._intake.settle(written.generation, accepted)
        return replace(draft, accepted=accepted)

    def _generation(self, draft: Draft, edit: Edit, author: str) -> Generation:
        before = self._standing.accepted
        return Generation(
            number=0,
            document=self._desk.document(),
            raw=draft.raw,
            accepted_at=draft.accepted.accepted_at,
            author=author,
            manager=edit.manager,
            etag=etag_of(draft.accepted.data),
            note=edit.note,
            base=before.generation if before else 0,
            changes=draft.changes,
        )

    def _invalid(self) -> RequestError:
        view = self._standing.view
        return RequestError(
            Code.DOCUMENT_INVALID,
            f"the file is not valid: {view.message}",
            hint="put the file right first: an edit is never written over a broken file",
            details={"reason": view.reason},
        )

    def _there_already(self) -> RequestError:
        accepted = self._standing.accepted
        details: dict[str, object] = {}
        if accepted is not None:
            details = {
                "current_etag": etag_of(accepted.data),
                "generation": accepted.generation,
            }
        message = f"there is a document at {self._desk.path}"
        hint = "send If-Match with its ETag to replace it"
        return RequestError(Code.PRECONDITION_FAILED, message, hint=hint, details=details)


def _held(edit: HeldEdit) -> RequestError:
    return RequestError(
        Code.DOCUMENT_HELD,
        edit.message,
        hint="let it through, or put the file back, before you edit it over HTTP",
        details={"reason": edit.reason, "sha256": edit.sha256},
    )


def _is(sha256: str, given: str) -> bool:
    return len(given) >= DIGITS and sha256.startswith(given)


def _is_free(path: Path) -> bool:
    return not os.path.lexists(os.path.realpath(path))
