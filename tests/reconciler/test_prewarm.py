"""Models are loaded ahead of their windows, in spare memory only, and answer nobody until then."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from reconciler.actions import Failure
from reconciler.budget import Ledger, Measurement
from reconciler.knowledge import spec_of
from reconciler.loop.core import Decision
from reconciler.prewarm import Loads, lead, loads
from reconciler.state import Live, ModelKey
from schemas.errors import Code
from schemas.schedule import Schedule
from tests.reconciler import build
from tests.reconciler.stage import BROKEN, condition, entry, world
from tests.reconciler.test_windows import CLOSES, EVENING, NIGHT, OPENS, target
from tests.reconciler.world import GIB, World

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
FIRST = OPENS - 100 * SECOND
"""What was never loaded is taken to need a minute: one and a half of it, and ten seconds."""
MEASURED = 25 * SECOND
"""Loads take ten seconds in this world."""
WARM = {**NIGHT, "prewarm": "auto"}


def shop(memory: float = 16, night: float = 6, **parts: Any) -> World:
    """One model by day and another by night, long before the window opens."""
    here = world(memory=16, day=6, night=night, third=5)
    here.at = OPENS - 3 * HOUR
    edit(here, memory=memory, **parts)
    return here


def edit(
    here: World, memory: float = 16, window: Any = WARM, models: Any = (), **more: Any
) -> None:
    here.edit(
        {
            "timezone": "Europe/Paris",
            "models": {
                "day": entry("day"),
                "night": entry("night", "downloaded"),
                **dict(models),
            },
            "aliases": {"auto": "day", "late": ["night"]},
            "limits": {"memory": f"{memory}GiB"},
            "schedules": {"night": window, **more},
        }
    )


def until(here: World, at: Any) -> Decision:
    here.at = at
    return here.settle()


def word(decision: Decision, key: str) -> str:
    found = decision.status.model(key)
    assert found is not None
    return found.summary


def test_it_is_loaded_before_its_hour_and_answers_from_then_on() -> None:
    here = shop()
    here.settle()
    before = until(here, FIRST - SECOND)
    assert before.picture.effective.until == FIRST
    assert not any("night" in key for key in here.history if key.startswith("load"))
    decision = until(here, FIRST)
    assert here.history[-1] == "load:night#2"
    assert here.serving() == {"day"}
    assert target(decision, "night") == (Live.REFUSED, Code.OUTSIDE_WINDOW)
    assert decision.routes.names["auto"] == ("day",)
    found = [
        condition(decision, "night", kind) for kind in ("Wanted", "Admitted", "Loaded", "Ready")
    ]
    assert [(c.status, c.reason) for c in found] == [
        ("True", "Prewarming"), ("True", "WithinBudget"), ("True", "Prewarmed"),
        ("False", "OutsideWindow"),
    ]  # fmt: skip
    assert (word(decision, "night"), decision.status.summary) == ("Standby", "Healthy")
    here.request("night")
    assert (here.waiting, here.demands()) == ([], {})
    here.at = OPENS
    opened = here.step()
    assert [action.key for action in opened.start] == ["promote:night#2"]
    now = condition(opened, "night", "Loaded")
    assert (now.status, now.last_transition_time) == ("True", found[2].last_transition_time)
    here.settle()
    assert here.serving() == {"night"}
    assert [key for key in here.history if key.startswith("load:night")] == ["load:night#2"]


def test_what_the_document_brings_back_at_the_end_is_loaded_ahead_as_well() -> None:
    here = shop()
    here.settle()
    until(here, OPENS)
    until(here, CLOSES - MEASURED - SECOND)
    assert here.history[-1] == "unload:day#1"
    until(here, CLOSES - MEASURED)
    assert here.history[-1].startswith("load:day")
    assert here.serving() == {"night"}
    until(here, CLOSES)
    assert here.serving() == {"day"}


def test_without_room_it_waits_for_its_window_and_takes_nobodys_place() -> None:
    here = shop(memory=10)
    here.settle()
    here.request("auto")
    decision = until(here, FIRST + MINUTE)
    assert here.history[-1] == "promote:day#1"
    admitted = condition(decision, "night", "Admitted")
    assert (admitted.status, admitted.reason) == ("False", "InsufficientMemory")
    assert condition(decision, "night", "Wanted").reason == "Prewarming"
    assert (word(decision, "night"), decision.status.summary) == ("Downloaded", "Healthy")
    until(here, OPENS)
    assert here.serving() == {"night"}


def test_memory_that_somebody_is_leaving_is_not_yet_spare() -> None:
    """A drain goes on to its deadline; nothing is made to leave for what is only ahead."""
    other = {**WARM, "when": [{"from": "21:00", "to": "21:59"}], "close": "drain",
             "set": {"models": {"third": {"state": "loaded"}}}}  # fmt: skip
    models = {"third": entry("third", "downloaded", drain="10m")}
    here = shop(memory=16, models=models, other=other)
    until(here, OPENS - 30 * MINUTE)
    here.request("third")
    here.at = EVENING
    decision = here.step()
    assert [a.key for a in decision.start if a.key.startswith("drain")] == ["drain:third#2"]
    here.begin("drain:third#2")
    here.step()
    assert not any(key.startswith("load:night") for key in here.history)
    here.release("third#2")  # type: ignore[arg-type]
    here.settle()
    assert here.history[-2:] == ["unload:third#2", "load:night#3"]


def test_demand_comes_before_it_and_displaces_it() -> None:
    here = shop(models={"third": entry("third", "on-demand", keep_alive="10s")})
    until(here, FIRST)
    assert here.history[-1].startswith("load:night")
    here.request("third")
    decision = here.step()
    assert condition(decision, "night", "Admitted").status == "False"
    assert here.history[-1].startswith("unload:night")
    here.settle()
    loads_ = [key.split("#")[0] for key in here.history if key.startswith("load")]
    assert loads_ == ["load:day", "load:night", "load:third", "load:night"]
    until(here, OPENS)
    assert here.serving() == {"night"}


def test_it_is_loaded_as_its_window_wants_it() -> None:
    models = {"day": {"state": "downloaded"}, "night": {"state": "loaded", "context": "2k"}}
    here = shop(window={**WARM, "set": {"models": models}})
    here.repos["org/night"].kv_per_token = GIB // 4096
    until(here, FIRST)
    assert here.pool.residents["night#2"].action.spec.context == 2048  # type: ignore[index]
    until(here, OPENS)
    assert here.serving() == {"night"}
    assert not any("night#" in key and key.startswith("unload") for key in here.history)


@pytest.mark.parametrize(("context", "ahead"), [("16k", True), ("2k", False)])
def test_what_requests_may_load_meanwhile_is_not_reloaded_ahead(context: str, ahead: bool) -> None:
    models = {"night": {"state": "loaded", "context": context}}
    here = shop(
        window={**WARM, "set": {"models": models}}, models={"night": entry("night", "on-demand")}
    )
    here.repos["org/night"].kv_per_token = GIB // 16384
    until(here, FIRST)
    assert any(key.startswith("load:night") for key in here.history) is ahead
    here.request("night")
    decision = here.step()
    assert decision.picture.effective.models[1].demanded
    until(here, OPENS)
    assert here.serving() == {"day", "night"}


@pytest.mark.parametrize(
    ("prewarm", "begins"), [("none", None), ("1h", OPENS - HOUR), ("10s", OPENS - 10 * SECOND)]
)
def test_a_window_may_say_how_long_before(prewarm: str, begins: Any) -> None:
    here = shop(window={**WARM, "prewarm": prewarm})
    until(here, (begins or OPENS) - SECOND)
    assert not any(key.startswith("load:night") for key in here.history)
    if begins is not None:
        until(here, begins)
        assert here.history[-1].startswith("load:night")


def test_files_come_in_time_for_it() -> None:
    """Also where they may come as late as the window, otherwise."""
    window = {**WARM, "prewarm": "1h", "prefetch": "0s"}
    here = shop(window=window, models={"night": entry("night", "absent")})
    until(here, OPENS - HOUR - SECOND)
    assert "download:hf:org/night" not in here.history
    until(here, OPENS - HOUR)
    assert here.history[-2:] == ["download:hf:org/night", "load:night#2"]


def test_a_window_that_is_edited_away_takes_it_back() -> None:
    here = shop()
    until(here, FIRST)
    edit(here)
    decision = here.settle()
    assert (here.history[-1], word(decision, "night")) == ("load:night#2", "Standby")
    edit(here, window={**WARM, "when": [{"from": "23:30", "to": "06:00"}]})
    here.settle()
    assert here.history[-1] == "unload:night#2"


def test_a_load_ahead_that_fails_is_told_early_and_tried_again() -> None:
    here = shop()
    here.settle()
    here.repos["org/night"].load_fault = Failure("LoadFailed", "out of memory")
    here.at = FIRST
    for _ in range(4):
        decision = here.step()
        for key in [key for key in here.running if here.can_end(key)]:
            here.end(key)
    assert condition(decision, "night", "Loaded").reason == "LoadFailed"
    here.repos["org/night"].load_fault = None
    until(here, OPENS)
    assert here.serving() == {"night"}


def test_the_lead_is_one_and_a_half_loads_and_ten_seconds() -> None:
    auto = Schedule.model_validate({**WARM})
    assert lead(auto, 20) == timedelta(seconds=40)
    fixed = Schedule.model_validate({**WARM, "prewarm": "5m"})
    assert lead(fixed, 20) == timedelta(minutes=5)
    assert lead(Schedule.model_validate({**WARM, "prewarm": "none"}), 20) is None


def test_loads_are_measured_of_five_the_slowest_or_reckoned_from_the_files() -> None:
    small, large = build.model("a"), build.model("a", context=1024)
    disk = {small.artifact: build.verified(30, kv=1)}
    assert loads([small], {}, Ledger()) == Loads({ModelKey("a"): 60.0})
    (reckoned,) = loads([small], disk, Ledger()).seconds.values()
    assert 150 < reckoned < 160  # 30 GiB at 200 MiB a second
    spec = spec_of(large, disk[large.artifact])
    assert spec is not None
    ledger = Ledger()
    for seconds in (99.0, 12.0, 30.0, 8.0, 9.0, 10.0):
        ledger = ledger.noting(spec.spec_hash, Measurement(1, seconds))
    assert loads([small, large], disk, ledger) == Loads({ModelKey("a"): 30.0})


def test_what_is_measured_moves_the_hour() -> None:
    """From the second night on the lead is that of real loads."""
    here = shop()
    until(here, OPENS)
    until(here, CLOSES)
    following = OPENS + timedelta(days=1)
    until(here, following - MEASURED - SECOND)
    assert word(here.step(), "night") == "Downloaded"
    assert word(until(here, following - MEASURED), "night") == "Standby"


def test_what_still_serves_for_want_of_better_is_not_displaced_by_it() -> None:
    """Its new version cannot be loaded, so nobody but the old one answers: until it must go."""
    here = world(day=4, night=6)
    here.at = OPENS - 3 * HOUR
    here.repos["org/day"].kv_per_token = GIB // 16384
    alone = {**WARM, "set": {"models": {"night": {"state": "loaded", "priority": 90}}}}
    edit(here, memory=10, window=alone)
    here.settle()
    here.repos["org/day"].load_fault = BROKEN
    edit(here, memory=10, window=alone, models={"day": entry("day", context="2k")})
    here.settle()
    assert here.serving() == {"day"}
    decision = until(here, FIRST)
    assert here.serving() == {"day"}
    assert condition(decision, "night", "Loaded").status == "False"
    until(here, OPENS)
    assert here.serving() == {"night"}


def test_a_plan_ahead_is_a_load_and_nothing_more() -> None:
    """Also where the model's own instance of another window is still there."""
    here = shop()
    here.settle()
    here.at = FIRST
    decision = here.step()
    assert [step.action.key for step in decision.picture.plan.steps] == ["load:night#2"]
    lunch = {**WARM, "when": [{"from": "12:00", "to": "13:00"}], "prewarm": "none", "close": "lazy",
             "set": {"models": {"third": {"state": "loaded"}}}}  # fmt: skip
    dinner = {**WARM, "when": [{"from": "18:00", "to": "19:00"}], "prewarm": "10m",
              "set": {"models": {"third": {"state": "loaded", "context": "2k"}}}}  # fmt: skip
    here = world(third=3, day=3, night=3)
    here.repos["org/third"].kv_per_token = GIB // 16384
    here.at = OPENS - 10 * HOUR
    edit(here, lunch=lunch, dinner=dinner, models={"third": entry("third", "downloaded")})
    here.settle()
    here.at = OPENS - 4 * HOUR - 5 * MINUTE
    decision = here.step()
    assert [step.action.key for step in decision.picture.plan.steps] == ["load:third#3"]
