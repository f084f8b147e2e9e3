"""The document with all that lies over it and keeps account of it, as one part of the daemon.

Builds and runs the owners of document, leases and fields, and answers the loop's port `Documents`:
what the file says, with the leases over it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lmxd.desired.accounts import Accounts
from lmxd.desired.document import DesiredFile
from lmxd.desired.generations import Generations
from lmxd.desired.leases import Leases
from lmxd.desired.managers import Managers
from lmxd.desired.probation import Probation
from lmxd.statefolder import StateFolder
from reconciler.ports import Clock
from reconciler.state import ConfigView
from schemas.events import Emit


class Documents:
    """One document. Reads the state folder at once, which blocks.

    Args:
        changed: called on the event loop when `view` has another value.
        emit: takes events.
    """

    def __init__(
        self,
        path: Path,
        folder: StateFolder,
        clock: Clock,
        *,
        changed: Callable[[], None],
        emit: Emit,
    ) -> None:
        self.leases = Leases(folder, now=clock.now, emit=emit, changed=changed)
        self.managers = Managers(folder)
        self.document = DesiredFile(
            path,
            Generations(folder.path / "generations"),
            Probation(folder, clock.monotonic),
            now=clock.now,
            changed=changed,
            emit=emit,
            followers=(Accounts(self.managers, self.leases, emit),),
        )

    def view(self) -> ConfigView:
        """The last good generation, how the file stands, and the leases. Never blocks."""
        return replace(self.document.view(), leases=self.leases.all())

    async def start(self) -> None:
        """Bring the last good generation into effect, and what leases still fit it."""
        await self.document.start()
        accepted = self.document.view().accepted
        if accepted is not None:
            await self.leases.judge(accepted)

    async def run(self) -> None:
        """Follow file and clock until cancelled; never returns."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.document.run(), name="document file")
            group.create_task(self.leases.run(), name="leases")

    async def close(self) -> None:
        """End what was begun: the daemon stops in good order."""
        await self.document.close()
