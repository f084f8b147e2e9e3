"""The owner of the desired-state document: what of it holds, and how the file stands.

Follows the file (`watch`), reads it once it holds still (`read`), keeps each accepted generation
(`generations`) and answers the reconciler's `Documents` port. Whatever happens to the file, the
last good generation stays in effect. Does not write the file and does not decide what it means.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from lmxd.desired.generations import DocumentPath, Generation, Generations
from lmxd.desired.read import Reading, accept, canonical, read_raw
from lmxd.desired.watch import Watcher
from reconciler.state import Accepted, ConfigView
from schemas.errors import DocumentError, Problem

__all__ = ["DesiredFile"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The file at one look. `stamp` is equal for equal looks, `content` for equal contents."""

    stamp: tuple[object, ...]
    content: str
    found: bytes | DocumentError


class DesiredFile:
    """One document on disk; implements `reconciler.ports.Documents`.

    Args:
        path: the file; it may be missing, and is read as soon as it appears.
        generations: the history, in the state folder.
        now: the wall clock, for the time of acceptance.
        changed: called on the event loop when `view` has another value.
        settle_s: the file counts as written once two reads this far apart are equal. Truncation
            cannot be seen by parsing: nearly every line prefix of a document is a valid one.
        watcher: how changes are noticed; by default with the standard intervals.
    """

    def __init__(
        self,
        path: Path,
        generations: Generations,
        *,
        now: Callable[[], datetime],
        changed: Callable[[], None],
        settle_s: float = 0.25,
        watcher: Watcher | None = None,
    ) -> None:
        self._path = path
        self._generations = generations
        self._now = now
        self._changed = changed
        self._settle_s = settle_s
        self._watcher = watcher or Watcher(path)
        self._poked = asyncio.Event()
        self._lock = asyncio.Lock()
        self._judged: str | None = None
        self._accepted: Accepted | None = None
        self._meaning: bytes | None = None
        self._raw: bytes | None = None
        message = "the document has not been read yet"
        self._view = ConfigView(str(path), None, False, False, "NotReadYet", message)

    def view(self) -> ConfigView:
        """The last good generation and how the file stands. Never blocks, never raises."""
        return replace(self._view, watching=self._watcher.healthy)

    @property
    def raw(self) -> bytes | None:
        """The bytes of the accepted document as its author wrote them; None for none."""
        return self._raw

    async def start(self) -> None:
        """Bring the last good generation into effect and read the file once.

        Raises StartupError when the history was written by a newer lmxd.
        """
        document = await asyncio.to_thread(DocumentPath.of, self._path)
        last = await asyncio.to_thread(self._generations.last_good, document)
        if last is not None:
            await self._restore(last)
        await self.look()

    async def run(self) -> None:
        """Follow the file until cancelled; never returns."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watcher.run(self._poked.set), name="document watcher")
            group.create_task(self._follow(), name="document reader")

    async def look(self) -> None:
        """Read the file, wait until it holds still, and judge it if it is news. Never raises."""
        async with self._lock:
            seen = await self._stable()
            if seen.content == self._judged:
                return
            self._judged = seen.content
            await self._judge(seen.found)

    async def _follow(self) -> None:
        while True:
            await self._poked.wait()
            self._poked.clear()
            await self.look()

    async def _stable(self) -> _Seen:
        """Two equal looks, or one that shows what is known already."""
        seen = await asyncio.to_thread(_look, self._path)
        while seen.content != self._judged:
            await asyncio.sleep(self._settle_s)
            again = await asyncio.to_thread(_look, self._path)
            if again.stamp == seen.stamp:
                break
            seen = again
        return seen

    async def _judge(self, found: bytes | DocumentError) -> None:
        if isinstance(found, DocumentError):
            self._refuse(found)
            return
        try:
            reading = await asyncio.to_thread(accept, found, self._now())
        except DocumentError as error:
            self._refuse(error)
        else:
            await self._accept(reading)

    async def _restore(self, last: Generation) -> None:
        """Make the stored generation the one in effect, if this version still understands it."""
        try:
            reading = await asyncio.to_thread(accept, last.raw, last.accepted_at)
        except DocumentError as error:
            log.warning(
                "generation not readable",
                extra={"generation": last.number, "error": error.message},
            )
            return
        newest = await asyncio.to_thread(self._generations.newest)
        # Another document was served meanwhile: its numbers lie above, and ours must not go back.
        if newest > last.number:
            self._accepted = _accepted(last, reading)
            last = await self._store(reading, "last-good") or last
        await self._hold(_accepted(last, reading), reading)

    async def _accept(self, reading: Reading) -> None:
        meaning = await asyncio.to_thread(canonical, reading.data)
        if self._accepted is not None and meaning == self._meaning:
            accepted = replace(self._accepted, sha256=reading.sha256)
        else:
            stored = await self._store(reading, "file")
            if stored is None:
                return
            accepted = _accepted(stored, reading)
            log.info("document accepted", extra={"generation": stored.number})
        await self._hold(accepted, reading)
        message = f"generation {accepted.generation} is what the file says"
        self._show(valid=True, current=True, reason="Accepted", message=message)

    async def _store(self, reading: Reading, author: str) -> Generation | None:
        """Keep it before it takes effect; None, and the file stands refused, when that failed."""
        document = await asyncio.to_thread(DocumentPath.of, self._path)
        try:
            return await asyncio.to_thread(
                self._generations.store,
                reading.raw,
                document,
                accepted_at=self._now(),
                author=author,
            )
        except OSError as error:
            self._judged = None  # try again at the next look
            message = f"the document is valid but cannot be kept: {error.strerror}"
            self._refuse(DocumentError("GenerationNotStored", (Problem("", message),)))
            return None

    async def _hold(self, accepted: Accepted, reading: Reading) -> None:
        self._meaning = await asyncio.to_thread(canonical, reading.data)
        self._accepted = accepted
        self._raw = reading.raw

    def _refuse(self, error: DocumentError) -> None:
        if self._accepted is None:
            reason, effect = "NoLastGood", "nothing is served until it is put right"
        else:
            reason, effect = error.reason, f"generation {self._accepted.generation} stays in effect"
        self._show(valid=False, current=False, reason=reason, message=f"{error.message}; {effect}")
        log.warning("document refused", extra={"reason": error.reason, "error": error.message})

    def _show(self, *, valid: bool, current: bool, reason: str, message: str) -> None:
        view = ConfigView(str(self._path), self._accepted, valid, current, reason, message)
        if view != self._view:
            self._view = view
            self._changed()


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
        sha256=generation.sha256,
        document=reading.document,
        data=reading.data,
        accepted_at=generation.accepted_at,
    )
