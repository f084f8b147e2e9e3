"""How long a worker may take for each thing before it counts as hung."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["WatchLimits"]


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """Seconds; the watch judges by these, tests give shorter ones.

    hello_s: from exec to the first frame, which comes after the heavy imports (with a cold disk
    and a busy machine they take many times their usual 3 s). beat_s: longest silence after it.
    warm_up_s, prefill_s, decode_s: longest age of that phase; a load's limit comes with the load.
    look_s: how often the watch looks; a worker is killed at the second look that finds it hung.
    stop_s: how long a told worker may take to end before SIGTERM, terminate_s: before SIGKILL.
    """

    hello_s: float = 120.0
    beat_s: float = 10.0
    warm_up_s: float = 300.0
    prefill_s: float = 60.0
    decode_s: float = 30.0
    look_s: float = 1.0
    stop_s: float = 1.0
    terminate_s: float = 0.5
