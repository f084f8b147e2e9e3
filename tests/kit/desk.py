"""A document on a real file system with its owner, whose waits are short and clocks are moved."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lmxd.desired.desk import Follower, Pace
from lmxd.desired.document import DesiredFile
from lmxd.desired.drafts import Draft
from lmxd.desired.generation import DocumentPath, Generation
from lmxd.desired.generations import Generations
from lmxd.desired.probation import Probation
from lmxd.statefolder import StateFolder
from schemas.edit import Edit, EditBody, MergePatch
from schemas.events import Event

__all__ = ["NOW", "ONE", "TWO", "Desk", "opened", "patch", "six"]

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
ONE = "version: 1\nmodels:\n  one: {source: 'builtin:tiny-chat'}\n"
TWO = ONE + "  two: {source: 'builtin:tiny-chat'}\n"


def six(*, without: Sequence[str] = (), head: str = "") -> str:
    """A document of six models, or of those of them that are left."""
    models = {key: "{source: 'builtin:tiny-chat'}" for key in "abcdef" if key not in without}
    lines = [f"  {key}: {value}\n" for key, value in models.items()]
    return f"{head}version: 1\nmodels:{'' if lines else ' {}'}\n{''.join(lines)}"


def patch(key: str = "one", *, if_match: tuple[str, ...] = (), **fields: object) -> Edit:
    """A merge patch of one model."""
    return Edit(MergePatch({"models": {key: fields}}), "bot", if_match)


class Desk:
    """A document, its history, and the pokes and events of its owner.

    `pace.linger_s` is short, as nobody writes into an old file but in tests about that.
    """

    def __init__(self, folder: Path, *, pace: Pace | None = None) -> None:
        self.path = folder / "desired-state.yaml"
        self.state = StateFolder(folder / "state", now=lambda: NOW)
        self.history = Generations(folder / "state" / "generations")
        self.pace = pace or Pace(settle_s=0, linger_s=0)
        self.followers: list[Follower] = []
        self.monotonic = 0.0
        self.pokes = 0
        self.changed = asyncio.Event()
        self.events: list[Event] = []
        self.file = self.fresh()

    def fresh(self, path: Path | None = None) -> DesiredFile:
        """The owner of a daemon that starts now; the one before it died or was closed."""
        self.file = DesiredFile(
            path or self.path,
            self.history,
            Probation(self.state, lambda: self.monotonic),
            now=lambda: NOW,
            changed=self._poke,
            emit=self.events.append,
            followers=self.followers,
            pace=self.pace,
        )
        return self.file

    def _poke(self) -> None:
        self.pokes += 1
        self.changed.set()

    async def restarted(self, path: Path | None = None) -> DesiredFile:
        """Stop in good order and start again."""
        await self.file.close()
        return await self.started(path)

    async def died(self) -> DesiredFile:
        """The process ends without a word, and the next one starts."""
        self.file._writing.release()  # the kernel does it for a process
        return await self.started()

    async def started(self, path: Path | None = None) -> DesiredFile:
        """A new owner that has read the file."""
        file = self.fresh(path)
        await file.start()
        return file

    async def save(self, text: str | bytes) -> None:
        """Write the file as an editor does that writes in place, and have it noticed."""
        self.path.write_bytes(text.encode() if isinstance(text, str) else text)
        await self.file.look()

    async def commit(self, body: EditBody, manager: str = "bot") -> Draft:
        """An edit without a condition."""
        return await self.file.commit(Edit(body, manager))

    @property
    def text(self) -> str:
        """What the file says."""
        return self.path.read_text(encoding="utf-8")

    @property
    def generation(self) -> int | None:
        """The number in effect."""
        accepted = self.file.view().accepted
        return accepted.generation if accepted else None

    @property
    def models(self) -> list[str]:
        """The models in effect."""
        accepted = self.file.view().accepted
        return list(accepted.document.models) if accepted else []

    @property
    def kept(self) -> list[Generation]:
        """The history on disk, newest first."""
        return list(self.history.of(DocumentPath.of(self.path)))

    @property
    def litter(self) -> list[str]:
        """What lies beside the document and does not belong there."""
        known = {self.path.name, f"{self.path.name}.lmxd.lock", "state"}
        return sorted(each.name for each in self.path.parent.iterdir() if each.name not in known)

    async def quiet(self) -> None:
        """Until everything that the owner does by itself has ended."""
        while self.file._tasks:
            await asyncio.wait(self.file._tasks)


async def opened(folder: Path, text: str = ONE, *, pace: Pace | None = None) -> Desk:
    """A desk whose document is generation 1."""
    desk = Desk(folder, pace=pace)
    desk.path.write_text(text)
    await desk.file.start()
    return desk
