"""Windows in the fake world: switches at night, edits, restarts, and clocks that are wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.loop.core import Decision
from reconciler.state import Live, ModelKey
from schemas.errors import Code
from tests.reconciler.stage import condition, entry, run_until, world
from tests.reconciler.world import World
from tests.simulation.rest import at_rest
from tests.simulation.rules import Rules

EVENING = datetime(2026, 11, 20, 20, 59, tzinfo=UTC)  # a minute before 22:00 in Paris
OPENS, CLOSES = EVENING + timedelta(minutes=1), EVENING + timedelta(hours=8, minutes=1)
MINUTE = timedelta(minutes=1)
SOON = OPENS - 10 * MINUTE
"""From then on what is loaded of a model that the window wants would stay."""
NIGHT: dict[str, Any] = {
    "when": [{"from": "22:00", "to": "06:00"}],
    "prewarm": "none",
    "set": {
        "models": {"day": {"state": "downloaded"}, "night": {"state": "loaded"}},
        "aliases": {"auto": "night"},
    },
}


def shop(memory: int = 16, at: datetime = EVENING, **windows: Any) -> World:
    """Two models of 6 GiB: one is loaded by day, the other while the window is open."""
    here = world(memory=memory, day=6, night=6)
    here.at = at
    edit(here, **(windows or {"night": NIGHT}))
    return here


def edit(here: World, **windows: Any) -> None:
    here.edit(
        {
            "timezone": "Europe/Paris",
            "models": {"day": entry("day", drain="10m"), "night": entry("night", "downloaded")},
            "aliases": {"auto": "day"},
            "limits": {"memory": "100%"},
            "schedules": windows,
        }
    )


def target(decision: Decision, key: str) -> tuple[Live, Code]:
    found = decision.routes.targets[ModelKey(key)]
    return found.live, found.code


def because(decision: Decision, key: str) -> str:
    model = decision.status.model(key)
    assert model is not None
    return model.target.because


def test_a_night_switch_loads_first_and_moves_the_name_when_the_new_one_answers() -> None:
    here = shop()
    before = here.settle()
    assert (here.serving(), before.wake_at) == ({"day"}, OPENS)
    assert before.routes.names["auto"] == ("day",)
    here.at = OPENS
    first = here.step()
    assert first.routes.names["auto"] == ("night", "day")
    assert [action.key for action in first.start] == ["load:night#2"]
    after = here.settle()
    at_rest(here, after)
    assert here.history[-3:] == ["promote:night#2", "drain:day#1", "unload:day#1"]
    assert (here.serving(), after.routes.names["auto"]) == ({"night"}, ("night",))
    assert (because(after, "night"), because(after, "day")) == ("schedule/night",) * 2
    assert after.status.epoch == before.status.epoch + 1
    assert after.status.generation == before.status.generation
    assert after.status.summary == "Healthy"
    here.at = CLOSES
    again = here.settle()
    assert (here.serving(), because(again, "day")) == ({"day"}, "document")
    assert again.status.epoch == before.status.epoch + 2


def test_outside_its_hours_a_model_says_when_it_is_back() -> None:
    decision = shop().settle()
    found = decision.routes.targets[ModelKey("night")]
    assert (found.live, found.code, found.retry) == (Live.REFUSED, Code.OUTSIDE_WINDOW, False)
    assert found.available_at == OPENS
    assert "it is served from 2026-11-20T21:00:00Z on" in found.message
    ready = condition(decision, "night", "Ready")
    assert (ready.status, ready.reason) == ("False", "OutsideWindow")
    assert condition(decision, "night", "Wanted").reason == "OutsideWindow"


def test_when_both_do_not_fit_the_running_answer_ends_before_the_switch() -> None:
    here = shop(memory=10)
    here.settle()
    here.request("auto")
    here.at = OPENS
    run_until(here, "drain:day#1")
    here.begin("drain:day#1")
    decision = here.step()
    assert decision.routes.names["auto"] == ("night",)
    assert target(decision, "day") == (Live.REFUSED, Code.OUTSIDE_WINDOW)
    here.sleep(60)
    assert not here.can_end("drain:day#1")
    here.release("day#1")  # type: ignore[arg-type]
    here.settle()
    assert here.serving() == {"night"}


def test_a_drain_is_given_up_when_an_edit_takes_the_window_back() -> None:
    here = shop(memory=10)
    here.settle()
    here.request("auto")
    here.at = OPENS
    run_until(here, "drain:day#1")
    here.begin("drain:day#1")
    edit(here, night={**NIGHT, "when": [{"from": "23:00", "to": "06:00"}]})
    here.settle()
    assert here.serving() == {"day"}
    assert not any(key.startswith("load:day#2") for key in here.history)


@pytest.mark.parametrize(("at", "served"), [(EVENING, "day"), (OPENS, "night")])
def test_an_edit_that_leaves_or_enters_a_window_now_is_like_its_boundary(
    at: datetime, served: str
) -> None:
    here = shop(at=at)
    here.settle()
    assert here.serving() == {served}
    edit(here)
    here.settle()
    assert here.serving() == {"day"}
    edit(here, night={**NIGHT, "when": [{"from": "00:00", "to": "24:00"}]})
    decision = here.settle()
    assert (here.serving(), decision.wake_at) == ({"night"}, None)


def test_a_restart_inside_a_window_counts_no_epoch_and_ends_the_same() -> None:
    here, rules = shop(), Rules()
    here.watch = rules
    here.settle()
    here.at = OPENS + 60 * MINUTE
    before = here.settle()
    here.restart()
    rules.restarted()
    after = here.settle()
    assert here.serving() == {"night"}
    assert after.status.epoch == before.status.epoch
    assert because(after, "night") == "schedule/night"


def test_a_boundary_that_was_slept_through_is_simply_past() -> None:
    """However many there were: the end is that of a world that saw each of them."""
    awake, asleep = shop(), shop()
    for _ in range(5):
        for moment in (OPENS, CLOSES):
            awake.at = max(awake.at, moment)
            awake.settle()
    asleep.settle()
    awake.at = asleep.at = OPENS + timedelta(days=3)
    ends = [here.settle() for here in (awake, asleep)]
    assert awake.serving() == asleep.serving() == {"night"}
    assert ends[0].picture.effective == ends[1].picture.effective


@pytest.mark.parametrize(
    ("begins", "open_hours"),
    [
        (datetime(2026, 3, 28, 21, tzinfo=UTC), 4.0),  # 22:00 to 02:30, which is left out
        (datetime(2026, 10, 24, 20, tzinfo=UTC), 4.5),  # to the first 02:30 of two
    ],
)
def test_a_night_in_which_clocks_change_has_one_opening(
    begins: datetime, open_hours: float
) -> None:
    here = shop(at=begins - MINUTE, night={**NIGHT, "when": [{"from": "22:00", "to": "02:30"}]})
    here.settle()
    here.at = begins
    decision = here.settle()
    assert here.serving() == {"night"}
    assert decision.wake_at == begins + timedelta(hours=open_hours)
    for minutes in range(0, 12 * 60, 10):
        here.at = max(here.at, begins + timedelta(minutes=minutes))
        here.settle()
    assert here.serving() == {"day"}
    loads = [key for key in here.history if key.startswith("load:")]
    assert loads == ["load:day#1", "load:night#2", "load:day#3"]


def test_a_clock_set_back_a_little_at_a_boundary_moves_nothing() -> None:
    here = shop()
    here.settle()
    here.at = OPENS
    here.step()
    here.at = OPENS - timedelta(seconds=20)
    decision = here.step()
    assert because(decision, "night") == "schedule/night"
    assert decision.wake_at is not None
    assert decision.wake_at > here.at


def test_a_clock_set_back_by_hours_is_believed() -> None:
    here = shop(at=OPENS)
    here.settle()
    assert here.serving() == {"night"}
    here.at = OPENS - timedelta(hours=3)
    decision = here.settle()
    assert here.serving() == {"day"}
    assert decision.wake_at == SOON


def test_among_equals_the_window_of_higher_priority_has_the_memory() -> None:
    late = {
        "when": [{"from": "21:00", "to": "23:00"}],
        "priority": 20,
        "set": {"models": {"night": {"state": "loaded"}}},
    }
    here = shop(memory=10, late=late)
    here.settle()
    assert here.serving() == {"night"}
    edit(here, late={**late, "set": {"models": {"night": {"state": "loaded", "priority": 1}}}})
    here.settle()
    assert here.serving() == {"day"}


def fetched(prefetch: str) -> World:
    """A model that is on disk only for its window, which opens on Fridays."""
    here = world(night=6)
    here.at = EVENING - timedelta(days=3)
    window = {
        "when": [{"days": ["fri"], "from": "22:00", "to": "06:00"}],
        "prefetch": prefetch,
        "prewarm": "none",
        "set": {"models": {"night": {"state": "loaded"}}},
    }
    here.edit(
        {
            "timezone": "Europe/Paris",
            "models": {"night": entry("night", "absent")},
            "schedules": {"night": window},
        }
    )
    return here


def test_files_come_so_long_before_the_window_and_go_after_it() -> None:
    here = fetched("1h")
    decision = here.settle()
    assert (here.history, decision.wake_at) == ([], OPENS - timedelta(hours=1))
    here.at = OPENS - timedelta(hours=1)
    decision = here.settle()
    assert here.history == ["download:hf:org/night"]
    assert (because(decision, "night"), decision.wake_at) == ("schedule/night", SOON)
    assert target(decision, "night") == (Live.REFUSED, Code.OUTSIDE_WINDOW)
    here.at = OPENS
    here.settle()
    assert here.serving() == {"night"}
    here.at = CLOSES
    here.settle()
    assert here.history[-2:] == ["unload:night#1", "delete:hf:org/night"]


@pytest.mark.parametrize(("prefetch", "kept"), [("7d", True), ("0s", False)])
def test_files_stay_between_windows_that_are_nearer_than_prefetch(
    prefetch: str, kept: bool
) -> None:
    here = fetched(prefetch)
    for moment in (OPENS, CLOSES):
        here.at = moment
        here.settle()
    assert here.serving() == set()
    assert any(key.startswith("delete") for key in here.history) is not kept
