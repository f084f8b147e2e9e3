"""When a worker counts as hung."""

from __future__ import annotations

import pytest

from lmxd.supervisor.limits import WatchLimits
from lmxd.supervisor.watch import Watch
from schemas.frames import Beat, Phase

LIMITS = WatchLimits(
    hello_s=100.0, beat_s=10.0, warm_up_s=300.0, prefill_s=60.0, decode_s=30.0, look_s=1.0
)


def beat(phase: Phase, age_s: float, step: int = 1) -> Beat:
    return Beat(phase, step, age_s, 0, 0, 0)


def test_silence_is_a_hang_at_the_second_look() -> None:
    watch = Watch(LIMITS, 0.0)
    watch.hello(5.0)
    assert watch.look(15.0) is None
    assert watch.look(15.1) is None
    hang = watch.look(16.1)
    assert hang is not None
    assert str(hang) == "no beat for 11.1 s (limit 10 s, last in spare)"


def test_a_beat_after_the_first_look_clears_the_silence() -> None:
    """A daemon that was stopped for a while looks before the beats it slept through are read."""
    watch = Watch(LIMITS, 0.0)
    watch.hello(0.0)
    assert watch.look(50.0) is None
    watch.beat(beat("idle", 0.0), 50.1)
    assert watch.look(51.0) is None


def test_imports_may_take_longer_than_a_beat() -> None:
    watch = Watch(LIMITS, 0.0)
    assert [watch.look(99.0), watch.look(100.0), watch.look(101.0)] == [None, None, None]
    hang = watch.look(102.0)
    assert hang is not None
    assert hang.phase == "start"


@pytest.mark.parametrize(
    ("phase", "limit"), [("load", 40.0), ("warm-up", 300.0), ("prefill", 60.0), ("decode", 30.0)]
)
def test_a_phase_over_its_limit_in_two_beats_is_a_hang(phase: Phase, limit: float) -> None:
    watch = Watch(LIMITS, 0.0)
    watch.load_s = 40.0
    watch.beat(beat(phase, limit), 1.0)
    assert watch.look(1.0) is None
    watch.beat(beat(phase, limit + 1), 2.0)
    assert watch.look(2.0) is None
    assert watch.look(2.5) is None, "the same beat proves nothing new"
    watch.beat(beat(phase, limit + 2), 3.0)
    hang = watch.look(3.0)
    assert hang is not None
    assert str(hang) == f"{phase} for {limit + 2:.1f} s (limit {limit:g} s)"


def test_a_new_step_clears_the_suspicion() -> None:
    watch = Watch(LIMITS, 0.0)
    watch.beat(beat("decode", 31.0, step=1), 1.0)
    assert watch.look(1.0) is None
    watch.beat(beat("decode", 31.0, step=2), 2.0)
    assert watch.look(2.0) is None
    watch.beat(beat("decode", 32.0, step=2), 3.0)
    assert watch.look(3.0) is not None


@pytest.mark.parametrize("phase", ["spare", "idle", "stop"])
def test_waiting_phases_may_last(phase: Phase) -> None:
    watch = Watch(LIMITS, 0.0)
    for now in (1.0, 2.0, 3.0):
        watch.beat(beat(phase, 1e6), now)
        assert watch.look(now) is None
