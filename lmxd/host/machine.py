"""The machine as the loop sees it at one pass: implements the port `reconciler.ports.Host`."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from lmxd.host.memory import free_memory, total_memory
from lmxd.host.probe import Probe
from lmxd.statefolder import StateFolder
from reconciler.state import Device, HostView


class Machine:
    """Memory, disk and device.

    Args:
        models: the folder whose volume holds the model files; need not exist yet.
        ours: bytes of files there that lmxd owns.
        folder: the state folder, which knows what it had to set aside.
    """

    def __init__(
        self,
        models: Path,
        probe: Probe,
        ours: Callable[[], Awaitable[int]],
        folder: StateFolder,
    ) -> None:
        self._models = models
        self._probe = probe
        self._ours = ours
        self._folder = folder
        self._memory: int | None = None

    async def observe(self) -> HostView:
        """Memory, disk and what the probe found. Never waits for the probe."""
        free = await asyncio.to_thread(_free, self._models)
        if self._memory is None:
            self._memory = await asyncio.to_thread(total_memory)
        answer = self._probe.answer
        device = None
        if answer is not None:
            device = Device(answer.kind, answer.name, answer.recommended or answer.memory)
        return HostView(
            memory_total=self._memory,
            disk_free=free,
            disk_ours=await self._ours(),
            device=device,
            probe_error=self._probe.error,
            set_aside=self._folder.notices,
            memory_free=await asyncio.to_thread(free_memory),
        )


def _free(folder: Path) -> int:
    """Free bytes on the volume of a folder that need not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
