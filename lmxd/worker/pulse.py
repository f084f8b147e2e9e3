"""What the engine is doing now, for the beat: written by the engine, read by the I/O thread.

Each value is replaced in one assignment, so a reader sees an old or a new one, never a mixture,
and the engine never waits for a lock to say where it is.
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path

from schemas.frames import Beat, Phase

__all__ = ["Pulse", "resident_bytes"]

_STATM = Path("/proc/self/statm")


class Pulse:
    """The phase of this worker; its requests: in the batch, accepted, being prepared.

    device_bytes: what the engine holds on its device, where the process's own size hides it.
    """

    def __init__(self) -> None:
        self._now: tuple[Phase, int, float] = ("spare", 0, time.monotonic())
        self.active = 0
        self.waiting = 0
        self.preparing = 0
        self.device_bytes = 0

    @property
    def phase(self) -> Phase:
        """The phase that runs now."""
        return self._now[0]

    def enter(self, phase: Phase) -> None:
        """A phase begins; each prefill chunk and decode step is one, so its age shows a hang."""
        self._now = (phase, self._now[1] + 1, time.monotonic())

    def beat(self) -> Beat:
        """The frame that tells the daemon this worker is alive and what it is at."""
        phase, step, started = self._now
        return Beat(
            phase=phase,
            step=step,
            phase_age_s=time.monotonic() - started,
            active=self.active,
            queued=self.waiting + self.preparing,
            memory=max(resident_bytes(), self.device_bytes),
        )


def resident_bytes() -> int:
    """Resident memory of this process; where the system tells no current figure, the peak."""
    if sys.platform == "linux":
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
