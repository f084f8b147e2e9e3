"""The machine as the loop sees it at one pass: implements the port `reconciler.ports.Host`."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path

from lmxd.host.memory import total_memory
from lmxd.host.probe import Probe
from reconciler.state import Device, HostView


class Machine:
    """Memory, disk and device.

    Args:
        models: the folder whose volume holds the model files; need not exist yet.
        ours: bytes of files there that lmxd owns; called in a thread.
    """

    def __init__(self, models: Path, probe: Probe, ours: Callable[[], int]) -> None:
        self._models = models
        self._probe = probe
        self._ours = ours
        self._memory: int | None = None

    async def observe(self) -> HostView:
        """Memory, disk and what the probe found. Never waits for the probe."""
        free, ours = await asyncio.to_thread(self._disk)
        if self._memory is None:
            self._memory = await asyncio.to_thread(total_memory)
        answer = self._probe.answer
        device = None
        if answer is not None:
            device = Device(answer.kind, answer.name, answer.recommended or answer.memory)
        return HostView(self._memory, free, ours, device, self._probe.error)

    def _disk(self) -> tuple[int, int]:
        folder = self._models
        while not folder.exists():
            folder = folder.parent
        return shutil.disk_usage(folder).free, self._ours()
