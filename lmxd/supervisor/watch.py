"""Judges from beats whether a worker hangs; the worker's owner then kills it.

Two looks must agree before the verdict: after the daemon (or the whole container) was frozen, the
first look meets an old silence or a phase that aged while nobody ran, and the next beat clears it.
"""

from __future__ import annotations

from dataclasses import dataclass

from lmxd.supervisor.limits import WatchLimits
from schemas.frames import Beat

__all__ = ["Hang", "Watch"]


@dataclass(frozen=True, slots=True)
class Hang:
    """What lasted longer than it may. `silent`: no beat came; `phase` is the last one known."""

    phase: str
    age_s: float
    limit_s: float
    silent: bool

    def __str__(self) -> str:
        if self.silent:
            return (
                f"no beat for {self.age_s:.1f} s (limit {self.limit_s:g} s, last in {self.phase})"
            )
        return f"{self.phase} for {self.age_s:.1f} s (limit {self.limit_s:g} s)"


class Watch:
    """What was heard of one worker. Instants are of one monotonic clock, `born` among them."""

    def __init__(self, limits: WatchLimits, born: float) -> None:
        self._limits = limits
        self._heard_at = born
        self._greeted = False
        self._beats = 0
        self._beat: Beat | None = None
        self._suspect: tuple[str, int, int] | None = None
        self.load_s: float | None = None  # the limit of the running load, once there is one

    def hello(self, now: float) -> None:
        """The first frame came; from now on beats are due."""
        self._greeted = True
        self._heard_at = now

    def beat(self, beat: Beat, now: float) -> None:
        """A beat came."""
        self._beat = beat
        self._beats += 1
        self._heard_at = now

    def look(self, now: float) -> Hang | None:
        """The hang that this look and the one before it agree on."""
        hang = self._silence(now) or self._stuck()
        if hang is None:
            self._suspect = None
            return None
        before, step = self._suspect, self._beat.step if self._beat else 0
        if hang.silent:
            self._suspect = ("silence", 0, self._beats)
            return hang if before == self._suspect else None
        if before is None or before[:2] != (hang.phase, step):
            self._suspect = (hang.phase, step, self._beats)
            return None
        return hang if self._beats > before[2] else None

    def _silence(self, now: float) -> Hang | None:
        limit = self._limits.beat_s if self._greeted else self._limits.hello_s
        age = now - self._heard_at
        phase = self._beat.phase if self._beat else ("spare" if self._greeted else "start")
        return Hang(phase, age, limit, silent=True) if age > limit else None

    def _stuck(self) -> Hang | None:
        if self._beat is None:
            return None
        limit = self._limit(self._beat.phase)
        if limit is None or self._beat.phase_age_s <= limit:
            return None
        return Hang(self._beat.phase, self._beat.phase_age_s, limit, silent=False)

    def _limit(self, phase: str) -> float | None:
        match phase:
            case "load":
                return self.load_s
            case "warm-up":
                return self._limits.warm_up_s
            case "prefill":
                return self._limits.prefill_s
            case "decode":
                return self._limits.decode_s
            case _:
                return None
