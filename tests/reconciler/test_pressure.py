"""Other processes take the machine's memory: what is idle goes, and what is wanted stays."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reconciler.pressure import is_scarce
from reconciler.state import HostView, ModelKey
from tests.reconciler.stage import edit, entry, world
from tests.reconciler.test_admission import asked, on_demand, settle_busy
from tests.reconciler.world import GIB, World
from tests.simulation.rest import at_rest

MIB = GIB // 1024


def host(free: int | None) -> HostView:
    return HostView(100 * GIB, 0, 0, None, memory_free=free)


@pytest.mark.parametrize(
    ("before", "free", "scarce"),
    [
        (False, 4 * GIB, True),
        (False, 5 * GIB, False),
        (True, 9 * GIB, True),
        (True, 10 * GIB, False),
        (True, None, False),
    ],
)
def test_memory_is_short_below_a_twentieth_until_a_tenth_is_free(
    before: bool, free: int | None, scarce: bool
) -> None:
    assert is_scarce(before, host(free)) is scarce


def squeezed(here: World, free: int = 256 * MIB) -> None:
    """Another process takes all but so much."""
    here.memory_free = free


def three() -> World:
    """One declared, one on demand that was used, one on demand and pinned that was used."""
    here = world(a=2, b=2, c=2)
    edit(
        here,
        a=entry("a"),
        b=on_demand("b", keep_alive="forever"),
        c=on_demand("c", keep_alive="forever", pinned=True),
    )
    here.settle()
    asked(here, "b")
    asked(here, "c")
    here.settle()
    assert here.serving() == {"a", "b", "c"}
    here.sleep(1)
    return here


def test_an_idle_on_demand_model_goes_and_what_is_declared_or_pinned_stays() -> None:
    here = three()
    squeezed(here)
    decision = here.settle()
    at_rest(here, decision)
    assert here.serving() == {"a", "c"}
    pressure = decision.status.condition("MemoryPressure")
    assert pressure is not None
    assert pressure.reason == "OtherProcesses"


def test_a_model_that_answers_is_not_ended_and_one_that_is_asked_for_is_loaded() -> None:
    here = three()
    here.request("b")
    squeezed(here)
    settle_busy(here)
    assert "b" in here.serving()
    here.release(here.pool.current[ModelKey("b")])
    here.sleep(1)
    here.settle()
    assert "b" not in here.serving()
    asked(here, "b")
    assert "b" in here.serving()


def test_it_is_over_only_when_there_is_room_to_spare() -> None:
    here = three()
    squeezed(here)
    here.settle()
    squeezed(here, GIB)  # above a twentieth, below a tenth
    asked(here, "b")
    here.sleep(1)
    here.settle()
    assert "b" not in here.serving()
    squeezed(here, 2 * GIB)
    asked(here, "b")
    here.sleep(1)
    here.settle()
    assert "b" in here.serving()


def test_what_lazily_stayed_goes_after_what_is_idle() -> None:
    here = world(a=2, b=2)
    here.at = datetime(2026, 11, 20, 11, tzinfo=UTC)
    window = {"when": [{"from": "10:00", "to": "12:00"}], "close": "lazy", "prewarm": "none",
              "set": {"models": {"a": {"state": "loaded"}}}}  # fmt: skip
    here.edit({
        "timezone": "UTC", "limits": {"memory": "100%"}, "schedules": {"noon": window},
        "models": {
            "a": entry("a", "downloaded"), "b": on_demand("b", keep_alive="forever"),
        },
    })  # fmt: skip
    here.settle()
    asked(here, "b")
    here.sleep(2 * 3600)
    here.settle()
    assert here.serving() == {"a", "b"}
    squeezed(here)
    left = []
    for _ in range(40):
        here.step()
        for key in [key for key in here.running if here.can_end(key)]:
            here.end(key)
        left.append(frozenset(here.serving()))
    assert list(dict.fromkeys(left)) == [{"a"}, frozenset()]
