"""Document, owners of fields and leases as one daemon has them, with a past that can come back.

For state machines: the clock is moved by hand, and what is on disk at one instant can be kept and
put back, as a daemon that is killed at that instant would leave it.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from lmxd.desired.accounts import Accounts
from lmxd.desired.desk import Pace
from lmxd.desired.document import DesiredFile
from lmxd.desired.leases import Leases
from lmxd.desired.managers import Managers
from lmxd.desired.probation import Probation
from reconciler.state import Accepted
from tests.kit.desk import NOW, Desk

__all__ = ["Office"]

PATIENT = Pace(settle_s=0, linger_s=3600)
"""What came out of the file's place is looked at again when its owner is closed, not before."""


class Office(Desk):
    """One folder, and the daemon of the moment."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.at = NOW
        super().__init__(folder, pace=PATIENT)

    def fresh(self, path: Path | None = None) -> DesiredFile:
        """Everything that a daemon which starts now builds."""
        self.managers = Managers(self.state)
        self.leases = Leases(
            self.state, now=self.now, emit=self.events.append, changed=lambda: None
        )
        self.file = DesiredFile(
            path or self.path,
            self.history,
            Probation(self.state, lambda: self.monotonic),
            now=self.now,
            changed=self._poke,
            emit=self.events.append,
            followers=(Accounts(self.managers, self.leases, self.events.append),),
            pace=self.pace,
        )
        return self.file

    async def started(self, path: Path | None = None) -> DesiredFile:
        """A new daemon that has read file and leases."""
        file = self.fresh(path)
        await file.start()
        accepted = file.view().accepted
        if accepted is not None:
            await self.leases.judge(accepted)
        return file

    async def died(self) -> DesiredFile:
        """The process ends without a word, and the next one starts."""
        await self.dropped()
        return await self.started()

    async def dropped(self) -> None:
        """The process ends without a word."""
        tasks: Sequence[asyncio.Task[object]] = list(self.file._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.file._writing.release()  # the kernel does it for a process

    def now(self) -> datetime:
        """The wall clock."""
        return self.at

    def pass_time(self, seconds: float) -> None:
        """Both clocks move."""
        self.at += timedelta(seconds=seconds)
        self.monotonic += seconds

    @property
    def lived(self) -> bool:
        """Would the generation in effect be confirmed now."""
        return self.file._desk.probation.left_s() == 0.0

    @property
    def accepted(self) -> Accepted | None:
        """What holds."""
        return self.file.view().accepted

    def keep_past(self, place: Path) -> None:
        """Everything that is on disk now, for `bring_back`."""
        shutil.copytree(self.folder, place, symlinks=True)

    def bring_back(self, place: Path) -> None:
        """The disk as it was then."""
        shutil.rmtree(self.folder)
        place.rename(self.folder)

    def text_of(self, number: int) -> bytes | None:
        """The first text of a generation, as it was kept."""
        try:
            return Path(self.history._place(number), "desired.yaml").read_bytes()
        except OSError:
            return None

    def spelling_of(self, number: int) -> bytes | None:
        """The last text of a generation."""
        kept = self.history.load(number)
        return kept.raw if kept else None
