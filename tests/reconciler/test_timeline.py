"""The picture of the coming hours is what the world does when it gets there."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler import preview
from reconciler.state import InstancePhase
from reconciler.timeline import Gap, Timeline, overcommitted, timeline
from tests.reconciler.stage import entry, world
from tests.reconciler.test_windows import CLOSES, EVENING, NIGHT, OPENS, shop
from tests.reconciler.world import GIB, World

NOON = datetime(2026, 11, 20, 11, tzinfo=UTC)  # a Friday, 12:00 in Paris
KEYS = ("a", "b", "c", "d")
HOUR = timedelta(hours=1)


def seen(here: World, hours: float = 48) -> Timeline:
    return timeline(here.settle().picture, hours, "")


def run_to(here: World, at: datetime) -> None:
    """By way of every instant at which the clock changes something."""
    while True:
        until = here.settle().picture.effective.until
        if until is None or until > at:
            break
        here.at = until
    here.at = max(here.at, at)
    here.settle()


def resident(here: World) -> set[str]:
    alive = (InstancePhase.READY, InstancePhase.CURRENT)
    return {r.action.model for r in here.pool.residents.values() if r.phase in alive}


def test_a_day_and_a_night_and_who_answers() -> None:
    found = seen(shop(), 36)
    assert (found.zone, found.budget) == ("Europe/Paris", 16 * GIB)
    assert [(s.start, s.end) for s in found.stretches] == [
        (EVENING, OPENS), (OPENS, CLOSES), (CLOSES, OPENS + 24 * HOUR),
        (OPENS + 24 * HOUR, CLOSES + 24 * HOUR), (CLOSES + 24 * HOUR, EVENING + 36 * HOUR),
    ]  # fmt: skip
    assert [set(s.loaded) for s in found.stretches[:3]] == [{"day"}, {"night"}, {"day"}]
    assert [s.windows for s in found.stretches[:2]] == [(), ("night",)]
    assert [s.aliases["auto"] for s in found.stretches[:2]] == [("day",), ("night",)]
    assert all({each.reserved} == {*each.loaded.values()} for each in found.stretches)
    assert (found.gaps, found.notes) == ((), ())


def test_a_name_has_a_gap_where_both_do_not_fit_and_it_is_as_long_as_the_load() -> None:
    here = shop(memory=10)
    assert seen(here, 12).gaps == (Gap("auto", OPENS, None), Gap("auto", CLOSES, 10.0))
    run_to(here, CLOSES + HOUR)
    assert [gap.seconds for gap in seen(here, 24).gaps] == [10.0, 10.0]


def test_what_is_loaded_ahead_stands_by_and_leaves_no_gap() -> None:
    auto = {**NIGHT, "prewarm": "1h"}
    here = shop(night=auto, at=OPENS - 3 * HOUR)
    found = seen(here, 12)
    assert [(s.start, set(s.loaded), set(s.standby)) for s in found.stretches[:3]] == [
        (OPENS - 3 * HOUR, {"day"}, set()),
        (OPENS - HOUR, {"day"}, {"night"}),
        (OPENS, {"night"}, set()),
    ]
    assert found.gaps == ()
    day, night = found.stretches[1].loaded["day"], found.stretches[1].standby["night"]  # type: ignore[index]
    assert found.stretches[1].reserved == day + night


def test_who_loses_is_said_with_hour_and_numbers() -> None:
    both = {**NIGHT, "set": {"models": {"night": {"state": "loaded"}}}}
    found = seen(shop(memory=10, night=both), 40)
    night = found.stretches[1]
    left = night.wanted - night.loaded["night"]  # type: ignore[index]
    assert [(r.model, r.needs) for r in night.losers] == [("day", left)]
    assert night.losers[0].message.startswith("needs 6.2 GiB, 3.8 GiB of 10 GiB left after night")
    assert overcommitted(found) == found.notes == (
        "Fri 22:00-Sat 06:00 wants 12.5 GiB of 10 GiB; day loses",
        "Sat 22:00-Sun 06:00 wants 12.5 GiB of 10 GiB; day loses",
    )  # fmt: skip


def test_a_model_that_is_removed_and_answers_until_the_new_one_does_is_no_riddle() -> None:
    here = shop()
    before = here.settle().picture
    accepted = before.config.accepted
    assert accepted is not None
    later = {"when": [{"from": "23:00", "to": "23:30"}], "set": {"aliases": {"auto": "night"}}}
    here.edit(
        {
            **accepted.data,
            "models": {"night": entry("night")},
            "aliases": {"auto": "night"},
            "schedules": {"later": later},
        }
    )
    found = timeline(preview.candidate(before, here.config, {}, ""), 12, "")
    assert [set(each.loaded) for each in found.stretches] == [{"night"}] * len(found.stretches)


def test_a_row_of_windows_in_which_the_same_one_loses_is_one_sentence() -> None:
    both = {**NIGHT, "set": {"models": {"night": {"state": "loaded"}}}}
    other = {"when": [{"from": "23:00", "to": "23:30"}], "set": {"aliases": {"auto": "night"}}}
    found = seen(shop(memory=10, night=both, other=other), 12)
    assert len(found.stretches) == 5
    assert overcommitted(found) == ("Fri 22:00-Sat 06:00 wants 12.5 GiB of 10 GiB; day loses",)
    late = {**both, "when": [{"from": "22:00", "to": "23:30"}]}
    assert overcommitted(seen(shop(memory=10, night=late), 12)) == (
        "Fri 22:00-23:30 wants 12.5 GiB of 10 GiB; day loses",
    )


def test_times_that_clocks_jump_over_are_noted() -> None:
    at = datetime(2026, 3, 28, 12, tzinfo=UTC)
    windows = {
        "late": {**NIGHT, "when": [{"from": "22:00", "to": "02:30"}]},
        "blink": {"when": [{"from": "02:15", "to": "02:45"}], "set": {}},
    }
    found = seen(shop(at=at, **windows))
    assert found.notes == (
        "late: 2026-03-29 02:30 does not exist -> 03:00",
        "blink: 2026-03-29 02:15-02:45 does not exist: skipped",
    )
    assert seen(shop(at=at - 4 * 24 * HOUR, **windows)).notes == ()


def test_a_night_in_which_clocks_change_has_its_own_length() -> None:
    at = datetime(2026, 3, 28, 20, 30, tzinfo=UTC)
    found = seen(shop(at=at), 20)
    (night,) = [s for s in found.stretches if s.windows]
    assert night.end - night.start == 7 * HOUR


def test_of_models_on_demand_it_says_only_that_they_may_be_there() -> None:
    window = {**NIGHT, "set": {"models": {"night": {"state": "on-demand"}}}}
    found = seen(shop(night=window), 12)
    assert [s.on_demand for s in found.stretches] == [(), ("night",), ()]
    assert all(set(s.loaded) == {"day"} for s in found.stretches)


def test_before_the_device_is_known_nobody_loses() -> None:
    here = shop()
    here.probed = False
    found = timeline(here.step().picture, 24, "")
    assert found.budget is None
    assert not any(s.losers for s in found.stretches)


def test_nothing_accepted_is_an_empty_picture() -> None:
    here = world()
    found = timeline(here.step().picture, 24, "")
    assert (found.zone, len(found.stretches), found.notes) == ("UTC", 1, ())


def test_the_picture_of_a_machine_has_its_own_entry_of_hosts() -> None:
    here = shop()
    hosts = {"small": {"set": {"limits": {"memory": "5GiB"}}}}
    accepted = here.config.accepted
    assert accepted is not None
    here.edit({**accepted.data, "hosts": hosts})
    picture = here.settle().picture
    assert timeline(picture, 12, "large").notes == ()
    assert len(timeline(picture, 12, "small").notes) == 3


def document(rng: random.Random) -> dict[str, Any]:
    """Four models and some windows of a week."""
    clocks = [f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 5, 30)]
    windows: dict[str, Any] = {}
    for number in range(rng.randint(1, 4)):
        begin, end = rng.sample(clocks, 2)
        chosen = rng.sample(KEYS, rng.randint(1, 2))
        states = ("loaded", "loaded", "loaded", "downloaded", "on-demand")
        windows[f"w{number}"] = {
            "when": [{"from": begin, "to": end}],
            "priority": number,
            "prewarm": rng.choice(("auto", "none", "20m")),
            "close": rng.choice(("drain", "hard", "lazy")),
            "set": {
                "models": {key: {"state": rng.choice(states)} for key in chosen},
                "aliases": {"auto": chosen},
            },
        }
    return {
        "timezone": rng.choice(("Europe/Paris", "America/New_York", "UTC")),
        "models": {
            key: entry(key, rng.choice(("loaded", "downloaded", "downloaded", "on-demand")))
            for key in KEYS
        },
        "aliases": {"auto": [rng.choice(KEYS)]},
        "limits": {"memory": rng.choice(("100%", "12GiB", "9GiB"))},
        "schedules": windows,
    }


@pytest.mark.parametrize("seed", range(16))
def test_what_it_shows_is_what_is_loaded_when_the_hour_comes(seed: int) -> None:
    rng = random.Random(seed)
    here = world(a=3, b=4, c=5, d=6)
    here.at = NOON
    here.edit(document(rng))
    run_to(here, NOON + 48 * HOUR)  # every load is measured once
    found = seen(here, 48)
    for stretch in found.stretches:
        run_to(here, stretch.start)
        assert here.serving() >= set(stretch.loaded), stretch
        assert resident(here) == stretch.loaded.keys() | stretch.standby.keys(), stretch
        decision = here.step()
        lost = {
            key
            for key, verdict in decision.picture.plan.verdicts.items()
            if verdict.wanted and verdict.admitted is False
        }
        assert {loser.model for loser in stretch.losers} <= lost


@pytest.mark.parametrize("seed", range(16))
def test_a_plan_of_another_instant_is_the_plan_of_who_wakes_then(seed: int) -> None:
    """Invariant 26: the preview is the plan that is made when nothing happens until then."""
    rng = random.Random(seed)
    here = world(a=3, b=4, c=5, d=6)
    here.at = NOON
    here.edit(document(rng))
    run_to(here, NOON + 48 * HOUR)
    picture = here.step().picture
    at = here.at + timedelta(minutes=rng.randint(1, 2000))
    previewed = preview.at_instant(picture, at, "")
    here.at = at
    made = here.step().picture
    assert previewed.effective == made.effective
    assert previewed.plan.verdicts == made.plan.verdicts
    planned = [s.action.key for s in previewed.plan.steps if s.action.key != "publish:names"]
    assert planned == [s.action.key for s in made.plan.steps if s.action.key != "publish:names"]
