"""The owner of the desired-state document: what of it holds, and how the file stands.

One lock over two halves: `intake` follows what people save, `editing` writes what is asked over
HTTP; `standing` is what both know. Answers the reconciler's `Documents` port. Whatever happens to
the file, the last good generation stays in effect. It does not decide what a document means.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from lmxd.desired import history
from lmxd.desired.desk import Desk, Follower, Pace
from lmxd.desired.drafts import Draft
from lmxd.desired.editing import Editing, Judge
from lmxd.desired.exchange import Displaced
from lmxd.desired.generation import Generation
from lmxd.desired.generations import Generations
from lmxd.desired.history import Record
from lmxd.desired.intake import Intake
from lmxd.desired.probation import Probation
from lmxd.desired.standing import Standing
from lmxd.desired.watch import Watcher
from lmxd.desired.writing_lock import WritingLock
from reconciler.state import ConfigView, HeldEdit
from schemas.edit import ANONYMOUS, Edit
from schemas.events import Emit

__all__ = ["DesiredFile"]

log = logging.getLogger(__name__)

T = TypeVar("T")

SECOND_LOOKS = 12
"""At most, at a file that somebody has had open since before it was replaced."""


class DesiredFile:
    """One document on disk; implements `reconciler.ports.Documents`.

    Args:
        path: the file; it may be missing, and is read as soon as it appears.
        generations: the history, in the state folder.
        probation: counts the deaths of the daemon with a new generation.
        now: the wall clock, for the time of acceptance.
        changed: called on the event loop when `view` has another value.
        emit: takes events.
        followers: who is asked before a change over HTTP, and told after every change.
        pace: how long things are waited for.
    """

    def __init__(
        self,
        path: Path,
        generations: Generations,
        probation: Probation,
        *,
        now: Callable[[], datetime],
        changed: Callable[[], None],
        emit: Emit,
        followers: Sequence[Follower] = (),
        pace: Pace | None = None,
    ) -> None:
        pace = pace or Pace()
        self._standing = Standing(path, changed, emit)
        self._desk = Desk(path, generations, probation, self._standing, now, tuple(followers), pace)
        self._watcher = Watcher(path, poll_s=pace.poll_s)
        self._writing = WritingLock(path)
        self._intake = Intake(self._desk)
        self._editing = Editing(self._desk, self._intake, self._writing, self._keep_an_eye_on)
        self._poked = asyncio.Event()
        self._closing = asyncio.Event()
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    # --- what is known ----------------------------------------------------------------------

    def view(self) -> ConfigView:
        """The last good generation and how the file stands. Never blocks, never raises."""
        return replace(self._standing.view, watching=self._watcher.healthy)

    @property
    def raw(self) -> bytes | None:
        """The bytes of the accepted document as its author wrote them; None for none."""
        return self._standing.raw

    @property
    def etag(self) -> str:
        """The ETag of the accepted document as JSON, "" for none; that of its text is its sha256.
        `Edit.if_match` takes either.
        """
        return self._standing.etag

    @property
    def held(self) -> HeldEdit | None:
        """The valid text in the file that waits for `confirm`."""
        return self._standing.view.held

    async def history(self, limit: int = 50) -> tuple[Record, ...]:
        """The accepted generations, newest first."""
        return await asyncio.to_thread(self._records, limit)

    async def generation(self, number: int) -> Record:
        """One generation with its text and diff; raises RequestError (not_found)."""
        return await asyncio.to_thread(self._record, number)

    # --- edits over HTTP --------------------------------------------------------------------

    async def draft(self, edit: Edit) -> Draft:
        """What would come of an edit, written nowhere. What is on disk is taken in first.

        Raises RequestError (document_invalid, document_held, precondition_failed,
        field_conflict, aliased_node), PatchError, and DocumentError for what is not valid.
        """
        async with self._lock:
            _, draft = await self._editing.draft(edit)
            return draft

    async def commit(self, edit: Edit, judge: Judge | None = None) -> Draft:
        """Carry an edit out, if `judge` lets it pass. Without a change of meaning nothing is
        rewritten, but for a whole text, which replaces the one there under the same number.

        Raises like `draft`, and RequestError (file_not_writable). Cancelling its caller does not
        cancel it: what was begun ends.
        """
        return await self._whole(self._editing.commit(edit, edit.manager, judge), "document commit")

    async def create(self, edit: Edit, *, dry_run: bool = False) -> Draft:
        """Write the first document; raises precondition_failed when there is a file."""
        return await self._whole(self._editing.create(edit, dry_run=dry_run), "document create")

    async def confirm(self, sha256: str) -> Draft:
        """Let the held text with this digest through; its first eight digits will do. Raises
        precondition_failed when it is another that waits.
        """
        return await self._whole(self._editing.confirm(sha256), "document confirm")

    async def rollback(
        self,
        number: int,
        manager: str = ANONYMOUS,
        if_match: tuple[str, ...] = (),
        *,
        dry_run: bool = False,
    ) -> Draft:
        """Write the text of generation `number` into the file, as a new generation.

        Raises like `commit`, and RequestError (not_found).
        """
        work = self._editing.rollback(number, manager, if_match, dry_run=dry_run)
        return await self._whole(work, "document rollback")

    # --- its life ---------------------------------------------------------------------------

    async def start(self) -> None:
        """Bring the last good generation into effect and read the file once.

        Raises StartupError when the history was written by a newer lmxd.
        """
        async with self._lock:
            await self._may_write()
            await self._editing.end_commits()
            await self._intake.resume()
            await self._intake.look()

    async def run(self) -> None:
        """Follow the file until cancelled; never returns."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watcher.run(self._poked.set), name="document watcher")
            group.create_task(self._follow(), name="document reader")
            group.create_task(self._upkeep(), name="document upkeep")

    async def look(self) -> None:
        """Read the file, wait until it holds still, and judge it if it is news. Never raises."""
        async with self._lock:
            await self._intake.look()

    async def tend(self) -> None:
        """See again whether the file can be written, and its text kept, and confirm a generation
        that has lived.
        """
        async with self._lock:
            before = self._standing.view.writable
            await self._may_write()
            if self._standing.view.writable and not before:
                await self._editing.end_commits()  # of whoever wrote until now, if he died
            await self._intake.again()
            if self._desk.probation.left_s() == 0.0:
                await self._mark(lambda known: replace(known, confirmed=True))

    async def converged(self, number: int) -> None:
        """The plan of this generation became empty."""
        async with self._lock:
            accepted = self._standing.accepted
            if accepted is not None and accepted.generation == number:
                await self._mark(lambda known: replace(known, converged=True))

    async def close(self) -> None:
        """The daemon stops in good order: end what was begun, let others write."""
        self._closing.set()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.to_thread(self._writing.release)
        await asyncio.to_thread(self._desk.probation.end)

    async def _follow(self) -> None:
        while True:
            await self._poked.wait()
            self._poked.clear()
            await self.look()

    async def _upkeep(self) -> None:
        while True:
            await asyncio.sleep(self._desk.pace.upkeep_s)
            await self.tend()

    async def _may_write(self) -> None:
        self._standing.may_write(await asyncio.to_thread(self._writing.acquire))

    async def _mark(self, add: Callable[[Generation], Generation]) -> None:
        """Keep what is now known about the generation in effect, once."""
        accepted = self._standing.accepted
        assert accepted is not None  # noqa: S101 - something is in effect
        generation = await asyncio.to_thread(self._desk.generations.load, accepted.generation)
        if generation is None:
            return
        marked = add(generation)
        if marked != generation:
            try:
                await asyncio.to_thread(self._desk.generations.mark, marked)
            except OSError as error:
                log.warning("generation not marked", extra={"error": str(error)})
                return
        if marked.confirmed:
            self._desk.probation.watch(marked)

    async def _whole(self, work: Coroutine[Any, Any, T], name: str) -> T:
        """Under the lock, to its end, whatever becomes of the caller."""

        async def locked() -> T:
            async with self._lock:
                return await work

        return await asyncio.shield(self._owned(locked(), name))

    def _owned(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # its caller may be gone, and then nobody else asks

    def _keep_an_eye_on(self, displaced: Displaced, ours: str) -> None:
        self._owned(self._look_again(displaced, ours), "document second look")

    async def _look_again(self, displaced: Displaced, ours: str) -> None:
        """Until whoever had the old file open no longer writes into it."""
        before = None
        with contextlib.ExitStack() as stack:
            stack.callback(displaced.forget)
            for _ in range(SECOND_LOOKS):
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._desk.pace.linger_s):
                        await self._closing.wait()
                async with self._lock:
                    raw = await asyncio.to_thread(displaced.again)
                    if raw is None or raw == before:
                        return
                    await self._editing.restore(raw, ours)
                    before, ours = raw, hashlib.sha256(raw).hexdigest()

    def _records(self, limit: int) -> tuple[Record, ...]:
        document = self._desk.document()
        return history.records(self._desk.generations, document, self._current(), limit)

    def _record(self, number: int) -> Record:
        document = self._desk.document()
        return history.one(self._desk.generations, document, self._current(), number)

    def _current(self) -> int:
        accepted = self._standing.accepted
        return accepted.generation if accepted else 0
