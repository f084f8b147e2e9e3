"""Pinned models that can never be together are found before the hour in which they would meet."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reconciler import pinned, preview
from reconciler.overlay import in_windows, open_windows
from reconciler.pinned import overfull
from reconciler.state import ArtifactRef
from schemas.desired import DesiredState
from schemas.errors import Problem
from tests.reconciler.stage import entry, world
from tests.reconciler.world import GIB, World

NOON = datetime(2026, 11, 20, 11, tzinfo=UTC)  # a Friday, 12:00 in Paris
KEYS = ("a", "b", "c")
SIZES = {(key, context): 6 * GIB for key in KEYS for context in (16384, 4096)}
LOADED: dict[str, Any] = {"state": "loaded"}
AWAY: dict[str, Any] = {"state": "downloaded"}
PINNED: dict[str, Any] = {"state": "loaded", "pinned": True}


def document(models: dict[str, Any], hosts: Any = None, **windows: Any) -> DesiredState:
    parts = {key: {"source": f"hf:org/{key}", **models.get(key, {})} for key in KEYS}
    body = {"version": 1, "timezone": "Europe/Paris", "models": parts, "schedules": windows}
    return DesiredState.model_validate(body | {"hosts": hosts or {}})


def window(begin: str, end: str, models: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {"when": [{"from": begin, "to": end}], "set": {"models": models}, **parts}


def found(read: DesiredState, gib: int = 10, host: str = "", known: Any = SIZES) -> Problem | None:
    return overfull(read, host, known, gib * GIB, NOON)


def test_the_document_alone_can_pin_too_much() -> None:
    read = document({"a": PINNED, "b": PINNED})
    problem = found(read)
    assert problem is not None
    assert problem.pointer == "/models/a"
    assert problem.message == (
        "pinned models take 12 GiB of 10 GiB together, "
        "first at Fri 2026-11-20 12:00 Europe/Paris: a 6 GiB, b 6 GiB"
    )
    assert problem.hint == "raise limits.memory to 12 GiB, or do not pin all of them"
    assert found(read, gib=12) is None


def test_windows_that_meet_once_a_year_are_found_with_that_hour() -> None:
    """Between the changes of clocks here and there two windows of two zones overlap."""
    paris = window("16:30", "17:30", {"a": PINNED})
    york = window("11:30", "12:30", {"b": PINNED}, timezone="America/New_York")
    problem = found(document({}, paris=paris, york=york))
    assert problem is not None
    assert "together while paris, york is open, first at Sun 2027-03-14 16:30" in problem.message


@pytest.mark.parametrize(
    ("models", "windows"),
    [
        ({"a": PINNED, "b": LOADED}, {}),
        ({"a": PINNED, "b": {"pinned": True}}, {}),
        ({"a": PINNED, "b": {"pinned": True, "state": "on-demand"}}, {}),
        ({"a": PINNED}, {"w": window("22:00", "06:00", {"a": AWAY, "b": PINNED})}),
        ({"a": PINNED}, {"w": window("22:00", "06:00", {"a": {"pinned": False}, "b": PINNED})}),
        (
            {},
            {
                "v": window("08:00", "12:00", {"a": PINNED}),
                "w": window("12:00", "13:00", {"b": PINNED}),
            },
        ),
        (
            {"b": PINNED},
            {
                "v": window("08:00", "12:00", {"a": PINNED}),
                "w": window("07:00", "13:00", {"b": {"state": "downloaded"}}, priority=20),
            },
        ),
    ],
)  # fmt: skip
def test_what_is_never_together_is_no_problem(models: Any, windows: Any) -> None:
    assert found(document(models, **windows)) is None


def test_the_priority_of_windows_decides_what_is_pinned() -> None:
    models = {"a": PINNED}
    low = window("08:00", "12:00", {"b": PINNED}, priority=5)
    high = window("09:00", "10:00", {"b": {"pinned": False}})
    problem = found(document(models, low=low, high=high))
    assert problem is not None
    assert "while low is open, first at Sat 2026-11-21 08:00" in problem.message


def test_context_and_size_are_those_of_the_window_and_unknown_ones_count_nothing() -> None:
    read = document({"a": PINNED}, w=window("22:00", "06:00", {"b": {**PINNED, "context": "4k"}}))
    assert found(read, known={**SIZES, ("b", 4096): GIB}) is None
    assert found(read, known={("a", 16384): 6 * GIB}) is None
    assert found(read) is not None


def test_hosts_have_their_own_pins() -> None:
    read = document({"a": PINNED}, hosts={"big": {"set": {"models": {"b": PINNED}}}})
    assert found(read) is None
    assert found(read, host="big") is not None
    assert pinned.contexts(read, "") == {("a", 16384)}
    assert pinned.contexts(read, "big") == {("a", 16384), ("b", 16384)}


@pytest.mark.parametrize("seed", range(20))
def test_it_is_found_if_and_only_if_some_instant_of_the_week_has_it(seed: int) -> None:
    """Against looking at every quarter of an hour."""
    rng = random.Random(seed)
    clocks = [f"{hour:02}:{minute}" for hour in range(24) for minute in ("00", "15")]
    words = (PINNED, PINNED, {"state": "downloaded"}, {"pinned": True}, {"pinned": False})
    windows = {}
    for number in range(rng.randint(1, 4)):
        begin, end = rng.sample(clocks, 2)
        models = {key: rng.choice(words) for key in rng.sample(KEYS, rng.randint(1, 2))}
        windows[f"w{number}"] = window(begin, end, models, priority=number)
    read = document({key: rng.choice(({}, LOADED, PINNED)) for key in KEYS}, **windows)
    hits = []
    for quarter in range(4 * 24 * 2):
        at = NOON + timedelta(minutes=15 * quarter)
        held = in_windows(read, open_windows(read, at))
        models = [held.resolved(key) for key in held.models]
        if sum(model.pinned and model.state == "loaded" for model in models) > 1:
            hits.append(at)
    problem = found(read)
    assert (problem is not None) is bool(hits)
    if problem is not None:
        local = hits[0].astimezone(ZoneInfo("Europe/Paris"))
        assert f"first at {local:%a %Y-%m-%d %H:%M}" in problem.message


def shop() -> World:
    here = world(memory=10, a=6, b=6)
    here.at = NOON
    edit(here, {"a": {"pinned": True}})
    here.settle()
    return here


def edit(here: World, models: dict[str, Any], **windows: Any) -> None:
    here.edit(
        {
            "timezone": "Europe/Paris",
            "models": {
                "a": entry("a", **models.get("a", {})),
                "b": entry("b", "downloaded", **models.get("b", {})),
            },
            "limits": {"memory": "100%"},
            "schedules": windows,
        }
    )


def valid(here: World) -> tuple[str, str]:
    conditions = here.settle().status.conditions
    (one,) = [condition for condition in conditions if condition.type == "ConfigValid"]
    return one.status, one.reason


def test_what_people_save_is_served_and_a_condition_tells_of_it() -> None:
    here = shop()
    assert valid(here) == ("True", "Valid")
    edit(here, {"a": {"pinned": True}}, night=window("22:00", "06:00", {"b": PINNED}))
    assert valid(here) == ("False", "PinnedOverfull")
    assert here.serving() == {"a"}
    edit(here, {}, night=window("22:00", "06:00", {"b": PINNED}))
    assert valid(here) == ("True", "Valid")


def test_it_is_known_as_soon_as_sizes_are() -> None:
    here = world(memory=10, a=6, b=6)
    here.at = NOON
    edit(here, {"a": {"pinned": True}}, night=window("22:00", "06:00", {"b": PINNED}))
    conditions = here.step().status.conditions
    assert conditions[0].status == "True"
    assert valid(here) == ("False", "PinnedOverfull")


def test_a_change_is_judged_before_it_is_made() -> None:
    here = shop()
    before = here.step().picture
    in_force = here.config
    edit(here, {"a": {"pinned": True}}, night=window("22:00", "06:00", {"b": PINNED}))
    candidate, here.config = here.config, in_force
    seen = preview.candidate(before, candidate, {}, "")
    problem = pinned.of_picture(seen, "")
    assert problem is not None
    assert "12.5 GiB of 10 GiB together while night is open" in problem.message
    assert pinned.of_picture(before, "") is None
    assert ArtifactRef("hf:org/b") in before.observed.disk
