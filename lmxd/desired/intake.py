"""What people save -> what is in effect: the file is read once it holds still, judged, and taken.

The reading half of `document`, which holds the lock while any of this runs. A bad file changes
nothing, a file that removes many models at once waits for a word (`guard`), and so does one of
which the daemon died (`probation`).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from lmxd.desired import guard
from lmxd.desired.desk import Desk, Follower
from lmxd.desired.drafts import etag_of
from lmxd.desired.generation import Generation
from lmxd.desired.read import Reading, accept, canonical, read_raw
from lmxd.desired.recovery import resume
from lmxd.desired.standing import Waiting
from reconciler.state import Accepted
from schemas.edit import FILE
from schemas.errors import DocumentError, Problem
from schemas.patch import changes

__all__ = ["Intake"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The file at one look. `stamp` is equal for equal looks, `content` for equal contents."""

    stamp: tuple[object, ...]
    content: str
    found: bytes | DocumentError


class Intake:
    """Belongs to one `DesiredFile`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._standing = desk.standing
        self._judged: str | None = None

    async def resume(self) -> None:
        """Bring the last good generation into effect; raises StartupError."""
        desk = self._desk
        restored = await asyncio.to_thread(
            resume, desk.path, desk.generations, desk.probation, desk.now()
        )
        if restored is not None:
            kept, reading = restored.generation, restored.reading
            accepted = _accepted(kept, reading)
            await self._hold(kept, accepted, reading.raw)
            for follower in desk.followers:
                await self._catch_up(follower, accepted)

    async def again(self) -> None:
        """Look once more at a text that is valid and could not be kept: nobody touches the file
        when its disk has room again.
        """
        if self._judged is None:
            await self.look()

    async def look(self) -> None:
        """Read the file, wait until it holds still, and judge it if it is news. Never raises."""
        seen = await self._stable()
        if seen.content == self._judged:
            return
        self._judged = seen.content
        await self._judge(seen.found)

    async def take(self, reading: Reading, *, note: str = "") -> bool:
        """Make a new generation of what the file says. False: it cannot be kept, which the view
        then says.
        """
        before = self._standing.accepted
        made = await asyncio.to_thread(changes, before.data if before else {}, reading.data)
        generation = Generation(
            number=0,
            document=await asyncio.to_thread(self._desk.document),
            raw=reading.raw,
            accepted_at=self._desk.now(),
            author=FILE,
            etag=await asyncio.to_thread(etag_of, reading.data),
            note=note,
            base=before.generation if before else 0,
            changes=made,
        )
        try:
            stored = await asyncio.to_thread(self._desk.generations.store, generation)
        except OSError as error:
            self._cannot_keep(error)
            return False
        await self.settle(stored, _accepted(stored, reading))
        return True

    async def settle(self, generation: Generation, accepted: Accepted) -> None:
        """A new generation is what the file says: in effect, told, and on probation."""
        self._judged = accepted.sha256
        await self._forgive()
        await self._hold(generation, accepted, generation.raw)
        self._standing.current()
        log.info(
            "document accepted",
            extra={"generation": generation.number, "author": generation.author},
        )
        for follower in self._desk.followers:
            await follower.edited(generation.owner, generation.changes, accepted)

    async def _catch_up(self, follower: Follower, accepted: Accepted) -> None:
        """Tell of the generations that were accepted just before the daemon died."""
        told = follower.told
        if told is None or told >= accepted.generation:
            return
        for each in await asyncio.to_thread(self._since, told):
            then = replace(accepted, generation=each.number, accepted_at=each.accepted_at)
            await follower.missed(each.owner, each.changes, then)

    def _since(self, number: int) -> list[Generation]:
        """The later generations, oldest first. Blocks."""
        found = self._desk.generations.of(self._desk.document())
        return [*takewhile(lambda each: each.number > number, found)][::-1]

    async def respell(self, raw: bytes) -> bool:
        """The file says what is in effect, in other bytes: they are kept too, the number stays.

        False: they cannot be kept, which the view then says.
        """
        standing = self._standing
        accepted, meaning = standing.accepted, standing.meaning
        assert accepted is not None  # noqa: S101 - it means what something else meant
        assert meaning is not None  # noqa: S101
        self._judged = digest = hashlib.sha256(raw).hexdigest()
        if raw != standing.raw:
            try:
                await asyncio.to_thread(self._keep_spelling, accepted.generation, raw)
            except OSError as error:
                self._cannot_keep(error)
                return False
        await self._forgive()
        standing.hold(replace(accepted, sha256=digest), raw, meaning)
        standing.current()
        return True

    async def _stable(self) -> _Seen:
        """Two equal looks, or one that shows what is known already."""
        seen = await asyncio.to_thread(_look, self._desk.path)
        while seen.content != self._judged:
            await asyncio.sleep(self._desk.pace.settle_s)
            again = await asyncio.to_thread(_look, self._desk.path)
            if again.stamp == seen.stamp:
                break
            seen = again
        return seen

    async def _judge(self, found: bytes | DocumentError) -> None:
        if isinstance(found, DocumentError):
            self._standing.refuse(found)
            return
        try:
            reading = await asyncio.to_thread(accept, found, self._desk.now())
        except DocumentError as error:
            self._standing.refuse(error)
            return
        standing = self._standing
        if await asyncio.to_thread(standing.means_the_same, reading):
            await self.respell(reading.raw)
        elif (waiting := self._to_wait(reading)) is not None:
            standing.wait(waiting)
        else:
            await self.take(reading)

    def _to_wait(self, reading: Reading) -> Waiting | None:
        """Why this text does not come into effect by itself; None when it does."""
        accepted, before = self._standing.accepted, self._standing.waiting
        if accepted is None:
            return None
        crashed = self._desk.probation.crashed
        if crashed is not None and crashed.sha256 == reading.sha256:
            return Waiting(guard.rolled_back(crashed, accepted.generation), reading)
        gone = guard.vanished(accepted.document, reading.document)
        if not gone or (before is not None and before.gone == gone):
            return None  # saved twice: somebody means it
        edit = guard.held(reading.sha256, gone, len(accepted.document.models))
        return Waiting(edit, reading, gone)

    async def _hold(self, generation: Generation, accepted: Accepted, raw: bytes) -> None:
        meaning = await asyncio.to_thread(canonical, accepted.data)
        self._standing.hold(accepted, raw, meaning)
        self._desk.probation.watch(generation)

    async def _forgive(self) -> None:
        if self._desk.probation.crashed is not None:
            await asyncio.to_thread(self._desk.probation.forgive)

    def _keep_spelling(self, number: int, raw: bytes) -> None:
        try:
            self._desk.generations.respell(number, raw)
        except FileNotFoundError:  # somebody removed that generation by hand
            self._desk.generations.set_aside(raw, self._desk.now())

    def _cannot_keep(self, error: OSError) -> None:
        """What is not kept does not take effect: a restart would not know it."""
        self._judged = None  # try again at the next look
        message = f"the document is valid but cannot be kept: {error.strerror}"
        self._standing.refuse(DocumentError("GenerationNotStored", (Problem("", message),)))


def _look(path: Path) -> _Seen:
    try:
        raw, inode = read_raw(path)
    except DocumentError as error:
        return _Seen((error.message,), error.message, error)
    digest = hashlib.sha256(raw).hexdigest()
    return _Seen((digest, inode), digest, raw)


def _accepted(generation: Generation, reading: Reading) -> Accepted:
    return Accepted(
        generation=generation.number,
        sha256=reading.sha256,
        document=reading.document,
        data=reading.data,
        accepted_at=generation.accepted_at,
    )
