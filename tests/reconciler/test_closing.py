"""The end of a window: at once, lazily, and not at all when the next one opens soon."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.closing import bridge, closes
from reconciler.loop.core import Decision
from reconciler.state import Live
from schemas.desired import DesiredState
from schemas.errors import Code
from tests.reconciler.stage import condition, entry, run_until, world
from tests.reconciler.test_windows import target
from tests.reconciler.world import World

NOON = datetime(2026, 11, 20, 11, tzinfo=UTC)  # a Friday, 12:00 in Paris
HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)


def window(begin: str, end: str, model: str = "one", **parts: Any) -> dict[str, Any]:
    overlay = {"models": {model: {"state": "loaded"}}, **parts.pop("also", {})}
    return {"when": [{"from": begin, "to": end}], "prewarm": "none", "set": overlay, **parts}


def shop(memory: int = 16, state: str = "downloaded", **windows: Any) -> World:
    """Models of 6 GiB that windows load; it is 12:00."""
    here = world(memory=memory, one=6, two=6, three=6)
    here.at = NOON
    edit(here, state, **windows)
    here.settle()
    return here


def edit(here: World, state: str = "downloaded", **windows: Any) -> None:
    models = {key: entry(key, state, drain="5m") for key in ("one", "two", "three")}
    here.edit(
        {
            "timezone": "Europe/Paris",
            "models": models,
            "limits": {"memory": "100%"},
            "schedules": windows,
        }
    )


def until(here: World, hours: float) -> Decision:
    here.at = NOON + hours * HOUR
    return here.settle()


def loads(here: World) -> list[str]:
    return [key for key in here.history if key.startswith(("load", "unload"))]


def test_hard_ends_what_runs_and_drain_lets_it_end() -> None:
    for close, deadline in (("hard", 0.0), ("drain", 300.0)):
        here = shop(a=window("12:00", "13:00", close=close))
        here.request("one")
        here.at = NOON + HOUR
        run_until(here, "drain:one#1")
        here.begin("drain:one#1")
        assert here.running["drain:one#1"].until == here.lived + deadline
        assert here.can_end("drain:one#1") is (close == "hard")
        here.settle()
        assert loads(here) == ["load:one#1", "unload:one#1"]


def test_lazily_closed_it_stays_and_answers_nobody() -> None:
    here = shop(a=window("12:00", "13:00", close="lazy"))
    here.request("one")
    here.at = NOON + HOUR
    decision = here.step()
    assert decision.start == ()
    assert target(decision, "one") == (Live.REFUSED, Code.OUTSIDE_WINDOW)
    loaded, ready = condition(decision, "one", "Loaded"), condition(decision, "one", "Ready")
    assert (loaded.status, loaded.reason) == ("True", "ClosedLazily")
    assert (ready.status, ready.reason) == ("False", "OutsideWindow")
    assert condition(decision, "one", "Degraded").reason == "NotServing"
    here.request("one")
    assert here.pool.residents["one#1"].in_flight == 1  # type: ignore[index]
    decision = until(here, 20)
    found = decision.status.model("one")
    assert found is not None
    assert (found.summary, decision.status.summary) == ("Standby", "Healthy")
    until(here, 24)
    assert target(here.step(), "one") == (Live.READY, Code.MODEL_LOADING)
    assert loads(here) == ["load:one#1"]


def test_what_closed_lazily_goes_when_memory_is_needed_and_first_of_all() -> None:
    windows = {
        "a": window("12:00", "13:00", close="lazy"),
        "b": window("12:00", "23:00", "two"),
        "c": window("14:00", "15:00", "three"),
    }
    here = shop(memory=13, **windows)
    until(here, 1)
    assert here.serving() == {"one", "two"}
    until(here, 2)
    assert here.serving() == {"two", "three"}
    assert loads(here)[-2:] == ["unload:one#1", "load:three#3"]


def test_what_closed_lazily_makes_room_for_a_load_ahead_unless_it_still_answers() -> None:
    windows = {
        "a": window("12:00", "13:00", close="lazy"),
        "c": window("14:00", "15:00", "three", prewarm="10m"),
    }
    here = shop(memory=10, **windows)
    here.request("one")
    here.at = NOON + 110 * MINUTE
    decision = here.step()
    assert condition(decision, "three", "Admitted").status == "False"
    assert decision.start == ()
    here.release("one#1")  # type: ignore[arg-type]
    here.settle()
    assert loads(here)[-2:] == ["unload:one#1", "load:three#2"]


def test_a_lazy_end_that_is_long_past_is_an_end() -> None:
    once = {**window("12:00", "13:00", close="lazy"), "except": []}
    here = shop(a={**once, "when": [{"days": ["fri"], "from": "12:00", "to": "13:00"}],
                   "except": ["2026-11-27"]})  # fmt: skip
    until(here, 1 + 8 * 24 - 1)
    assert loads(here) == ["load:one#1"]
    until(here, 1 + 8 * 24)
    assert loads(here) == ["load:one#1", "unload:one#1"]


@pytest.mark.parametrize(("opens", "kept"), [("13:10", True), ("13:11", False)])
def test_a_short_gap_is_bridged(opens: str, kept: bool) -> None:
    here = shop(a=window("12:00", "13:00"), b=window(opens, "14:00"))
    decision = until(here, 1)
    loaded = condition(decision, "one", "Loaded")
    assert (loaded.reason == "BridgingGap") is kept
    assert target(decision, "one") == (Live.REFUSED, Code.OUTSIDE_WINDOW)
    until(here, 1.5)
    assert loads(here) == (["load:one#1"] if kept else ["load:one#1", "unload:one#1", "load:one#2"])
    assert here.serving() == {"one"}


def test_a_bridge_is_given_up_when_memory_is_needed() -> None:
    windows = {"a": window("12:00", "13:00"), "b": window("13:10", "14:00")}
    here = shop(memory=10, **windows, c=window("13:05", "13:09", "two"))
    until(here, 1)
    assert here.serving() == {"one"}
    until(here, 1 + 5 / 60)
    assert here.serving() == {"two"}
    until(here, 1 + 10 / 60)
    assert here.serving() == {"one"}


def test_a_bridge_is_not_built_by_a_hard_end_nor_by_the_document() -> None:
    here = shop(a=window("12:00", "13:00", close="hard"), b=window("13:05", "14:00"))
    until(here, 1)
    assert loads(here) == ["load:one#1", "unload:one#1"]
    rest = window("12:00", "12:05", also={"models": {"one": {"state": "downloaded"}}})
    here = shop(state="loaded", pause=rest)
    assert "one" not in here.serving()


def test_a_slow_load_makes_a_long_bridge() -> None:
    assert bridge(10) == 10 * MINUTE
    assert bridge(600) == 30 * MINUTE


def test_a_window_that_opens_during_a_drain_calls_it_off() -> None:
    """Whoever opens it: the clock, an edit, another window. Nothing is loaded again for it."""
    here = shop(a=window("12:00", "13:00"))
    here.request("one")
    here.at = NOON + HOUR
    run_until(here, "drain:one#1")
    here.begin("drain:one#1")
    edit(here, a=window("12:00", "13:00"), b=window("13:00", "13:30"))
    here.settle()
    assert here.serving() == {"one"}
    assert loads(here) == ["load:one#1"]


def test_a_model_that_requests_may_load_is_not_closed_by_a_window() -> None:
    """A hard end cuts nothing that the document serves all day."""
    here = shop(state="on-demand", a=window("12:00", "13:00", close="hard"))
    here.request("one")
    here.at = NOON + HOUR
    decision = here.step()
    assert target(decision, "one") == (Live.READY, Code.MODEL_LOADING)
    model = decision.picture.effective.models[0]
    assert (model.demanded, model.drain_s) == (True, 300.0)


def test_the_last_window_that_served_a_model_has_the_word() -> None:
    document = DesiredState.model_validate(
        {
            "version": 1,
            "timezone": "Europe/Paris",
            "models": {"one": {"source": "hf:org/one"}},
            "schedules": {
                "a": window("08:00", "10:00", close="lazy"),
                "b": window("09:00", "11:00", close="hard", priority=20),
                "c": window("10:00", "11:00", priority=5),
            },
        }
    )
    found = closes(document, {"one"}, NOON)
    assert (found["one"].window, found["one"].how) == ("b", "hard")
    assert found["one"].at == NOON - HOUR
    assert closes(document, {"one"}, NOON - 3 * HOUR + SECOND)["one"].at < NOON - 20 * HOUR
    assert closes(document, {"two"}, NOON) == {}


def test_a_span_that_the_next_one_goes_on_with_does_not_close_its_window() -> None:
    document = DesiredState.model_validate(
        {
            "version": 1,
            "timezone": "Europe/Paris",
            "models": {"one": {"source": "hf:org/one"}},
            "schedules": {
                "always": window("00:00", "24:00", close="hard", priority=20),
                "morning": window("08:00", "10:00", close="lazy"),
            },
        }
    )
    assert closes(document, {"one"}, NOON + 13 * HOUR)["one"].window == "morning"
