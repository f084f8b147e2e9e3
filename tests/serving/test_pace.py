"""When a place will be free."""

from __future__ import annotations

import pytest

from lmxd.serving.pace import Pace
from reconciler.state import ModelKey

M, N = ModelKey("m"), ModelKey("n")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_nothing_is_known_before_two_places_came_free_in_a_row() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.until(M, 3) is None
    pace.freed(M, waited_for=True)
    assert pace.until(M, 3) is None
    clock.now += 2
    pace.freed(M, waited_for=True)
    assert pace.until(M, 3) == 6.0
    assert pace.until(N, 3) is None


def test_idle_hours_say_nothing() -> None:
    clock = Clock()
    pace = Pace(clock)
    for gap in (0, 2, 3600):
        clock.now += gap
        pace.freed(M, waited_for=gap < 3600)
    clock.now += 50
    pace.freed(M, waited_for=True)
    assert pace.until(M, 1) == 2.0


def test_the_latest_count_most() -> None:
    clock = Clock()
    pace = Pace(clock)
    for gap in (0, *[10] * 30, *[1] * 30):
        clock.now += gap
        pace.freed(M, waited_for=True)
    assert pace.until(M, 1) == pytest.approx(1, abs=0.1)
    pace.forget(M)
    assert pace.until(M, 1) is None
