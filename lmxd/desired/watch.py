"""Notices that the document may have changed, whoever changed it and however.

Says "look again" to `document`, never what happened. Three nets, because each has holes: file
events of every folder that leads to the file (an editor replaces the file, a ConfigMap swaps
`..data`, a symlink is turned elsewhere), a `stat` poll for file systems that send no events, and
a periodic re-read for edits that keep size, time and inode.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, awatch

__all__ = ["Watched", "Watcher", "watched"]

log = logging.getLogger(__name__)

MAX_HOPS = 40
BLIND_AFTER = 2


@dataclass(frozen=True, slots=True)
class Watched:
    """Existing folders to watch, and the paths in them that lead to the file."""

    folders: frozenset[str]
    paths: frozenset[str]

    def concerns(self, _change: Change, path: str) -> bool:
        """Could this event mean another content. Names with `..` are a ConfigMap's."""
        name = os.path.basename(path)
        return path in self.paths or path in self.folders or name.startswith("..")


def watched(path: Path) -> Watched:
    """What to watch for this path as the links stand now; nothing of it need exist. Blocks.

    Walks the path by hand, as realpath would hide the links: a link that is turned elsewhere
    shows only in the folder which holds the link.
    """
    folders: set[str] = set()
    paths: set[str] = set()
    here = "/"
    todo = deque(Path.cwd().joinpath(path).parts[1:])
    hops = 0
    while todo:
        part = todo.popleft()
        if part == "..":
            here = os.path.dirname(here)
            continue
        step = os.path.join(here, part)
        target = _target(step) if hops < MAX_HOPS else None
        ends = target is None and (not todo or not os.path.isdir(step))
        if (target is not None or ends) and here != "/":
            # The root itself is left to the poll: on macOS events there come for the whole disk.
            folders.add(here)
            paths.add(step)
        if ends:
            break
        if target is None:
            here = step
            continue
        hops += 1
        parts = Path(target).parts
        if parts[:1] == ("/",):
            here, parts = "/", parts[1:]
        todo.extendleft(reversed(parts))
    return Watched(frozenset(folders), frozenset(paths))


def _target(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


class Watcher:
    """Watches one path for as long as `run` runs.

    Args:
        path: the document; it may be missing, come and go, or be a link.
        poll_s: seconds between looks at inode, time and size.
        rehash_s: seconds after which the content has to be read again anyway.
    """

    def __init__(self, path: Path, *, poll_s: float = 2.0, rehash_s: float = 60.0) -> None:
        self._path = path
        self._poll_s = poll_s
        self._rehash_s = rehash_s
        self._plan = Watched(frozenset(), frozenset())
        self._stop = asyncio.Event()
        self._unnoticed = False  # the poll saw a change, and no event has come for it yet
        self._missed = 0

    @property
    def healthy(self) -> bool:
        """False after the poll twice in a row found a change of which no event told."""
        return self._missed < BLIND_AFTER

    async def run(self, poke: Callable[[], None]) -> None:
        """Call `poke` on the event loop whenever the file may have changed; never returns."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow_events(poke), name="document events")
            group.create_task(self._poll(poke), name="document poll")

    async def _follow_events(self, poke: Callable[[], None]) -> None:
        while True:
            self._plan = await asyncio.to_thread(watched, self._path)
            self._stop = asyncio.Event()
            try:
                await self._follow(self._plan, self._stop, poke)
            except (OSError, RuntimeError) as error:
                # A folder went away meanwhile, or the system has no watch left: the poll goes on.
                log.warning("document watch failed", extra={"error": str(error)})
                await asyncio.sleep(self._poll_s)

    async def _follow(self, plan: Watched, stop: asyncio.Event, poke: Callable[[], None]) -> None:
        """Until the links lead elsewhere or a watched folder itself was touched."""
        if not plan.folders:
            await stop.wait()
            return
        events = awatch(
            *sorted(plan.folders),
            watch_filter=plan.concerns,
            debounce=200,
            step=50,
            stop_event=stop,
            recursive=False,
        )
        async with aclosing(events) as batches:
            async for batch in batches:
                self._unnoticed = False
                self._missed = 0
                poke()
                if any(path in plan.folders for _, path in batch):
                    return
                if await asyncio.to_thread(watched, self._path) != plan:
                    return

    async def _poll(self, poke: Callable[[], None]) -> None:
        known = await asyncio.to_thread(_signature, self._path)
        rounds = max(1, round(self._rehash_s / self._poll_s))
        poke()  # whatever happened before the first event could be seen
        while True:
            for _ in range(rounds):
                await asyncio.sleep(self._poll_s)
                found = await asyncio.to_thread(_signature, self._path)
                self._judge_events()
                if found != known:
                    self._unnoticed = True
                    poke()
                known = found
                if await asyncio.to_thread(watched, self._path) != self._plan:
                    self._stop.set()
            poke()

    def _judge_events(self) -> None:
        """A change that the poll saw a whole round ago has had its time to show as an event."""
        if self._unnoticed:
            self._unnoticed = False
            self._missed += 1


def _signature(path: Path) -> tuple[int, ...]:
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size
