"""What holds at an instant: hosts and windows laid over the document, and who says what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from typing import Any

import pytest

from reconciler.overlay import open_windows
from reconciler.resolve import artifacts, fingerprint, resolve
from reconciler.state import Accepted, Demand, Effective, EffectiveModel, ModelKey
from reconciler.turns import Turns
from schemas.desired import DesiredState

NOON = datetime(2026, 11, 20, 11, tzinfo=UTC)  # a Friday, 12:00 in Paris
MIDNIGHT = NOON + timedelta(hours=12)
HOUR = timedelta(hours=1)
NIGHT: dict[str, Any] = {
    "when": [{"from": "22:00", "to": "06:00"}],
    "set": {
        "models": {"day": {"state": "downloaded"}, "night": {"state": "loaded", "priority": 90}},
        "aliases": {"auto": ["night", "day"]},
    },
}
MODELS: dict[str, Any] = {
    "day": {"source": "hf:org/day", "state": "loaded", "sampling": {"top_p": 0.5}},
    "night": {"source": "hf:org/night"},
}


def accepted(schedules: dict[str, Any], **parts: Any) -> Accepted:
    document = {"version": 1, "timezone": "Europe/Paris", "models": MODELS}
    document |= {"aliases": {"auto": "day"}, "schedules": schedules, **parts}
    return Accepted(1, "sha", DesiredState.model_validate(document), document, NOON)


def held(at: datetime, schedules: dict[str, Any], host: str = "", **parts: Any) -> Effective:
    return resolve(accepted(schedules, **parts), at, {}, host)


def model(found: Effective, key: str) -> EffectiveModel:
    one = found.model(ModelKey(key))
    assert one is not None
    return one


def test_outside_its_window_an_overlay_changes_nothing_but_says_when_it_will() -> None:
    found = held(NOON, {"night": NIGHT})
    assert fingerprint(found) == fingerprint(held(NOON, {}))
    assert found == held(NOON, {})
    night = model(found, "night")
    assert (night.state, night.because) == ("downloaded", "document")
    assert night.served_at == NOON + 10 * HOUR
    assert model(found, "day").served_at is None
    assert found.windows == ()
    assert found.turn is not None
    assert (found.turn.at, found.turn.opens, found.turn.closes) == (
        NOON + 10 * HOUR, ("night",), (),
    )  # fmt: skip


def test_inside_it_the_overlay_holds_and_is_named() -> None:
    found = held(MIDNIGHT, {"night": NIGHT})
    day, night = model(found, "day"), model(found, "night")
    assert (day.state, day.because, day.served_at) == (
        "downloaded", "schedule/night", MIDNIGHT + 6 * HOUR,
    )  # fmt: skip
    assert (night.state, night.because, night.priority) == ("loaded", "schedule/night", 90)
    assert found.aliases["auto"] == ("night", "day")
    assert found.windows == ("night",)


def test_the_higher_priority_wins_path_by_path() -> None:
    inner = {
        "when": [{"from": "23:00", "to": "01:00"}],
        "priority": 20,
        "set": {"models": {"night": {"state": "on-demand"}}},
    }
    found = held(MIDNIGHT, {"a": inner, "night": NIGHT})
    night = model(found, "night")
    assert (night.state, night.because, night.priority, night.window) == (
        "on-demand", "schedule/a", 90, 20,
    )  # fmt: skip
    assert found.windows == ("night", "a")


def test_every_field_of_an_overlay_arrives_and_sampling_merges() -> None:
    changes = {
        "state": "on-demand", "priority": 7, "pinned": True, "keep_alive": "forever",
        "parallel": 3, "context": "1k", "sampling": {"temperature": 0}, "system": "Good night.",
    }  # fmt: skip
    window = {**NIGHT, "set": {"models": {"day": changes}}}
    day = model(held(MIDNIGHT, {"n": window}, defaults={"sampling": {"top_k": 4}}), "day")
    assert (day.state, day.priority, day.pinned, day.keep_alive_s) == (
        "on-demand", 7, True, float("inf"),
    )  # fmt: skip
    assert (day.parallel, day.context, day.serving.system) == (3, 1024, "Good night.")
    sampling = day.serving.sampling
    assert (sampling.temperature, sampling.top_p, sampling.top_k) == (0, 0.5, 4)


def test_demand_is_laid_over_the_windows() -> None:
    window = {**NIGHT, "set": {"models": {"night": {"state": "on-demand"}}}}
    wanted = {ModelKey("night"): Demand(1, 0)}
    assert model(resolve(accepted({"n": window}), MIDNIGHT, wanted), "night").demanded
    assert not model(resolve(accepted({"n": window}), NOON, wanted), "night").demanded


def test_entries_of_hosts_apply_by_name_the_longer_pattern_last_and_below_windows() -> None:
    hosts = {
        "studio-1": {"set": {"models": {"day": {"context": "2k"}}}},
        "studio-*": {
            "set": {
                "limits": {"downloads": 5},
                "models": {"day": {"context": "1k", "revision": "abc", "state": "on-demand"}},
                "aliases": {"auto": "night"},
            }
        },
    }
    found = held(NOON, {"night": NIGHT}, "studio-1", hosts=hosts)
    assert (model(found, "day").context, model(found, "day").state) == (2048, "on-demand")
    assert (found.downloads, found.aliases["auto"]) == (5, ("night",))
    assert "hf:org/day@abc" in map(str, artifacts(accepted({}, hosts=hosts), "studio-1", (), NOON))
    assert model(held(MIDNIGHT, {"night": NIGHT}, "studio-1", hosts=hosts), "day").state == (
        "downloaded"
    )
    assert held(NOON, {}, "laptop", hosts=hosts) == held(NOON, {})


def test_a_model_is_served_again_when_the_window_that_rests_it_closes() -> None:
    """Not when another one opens that does not win."""
    low = {
        "when": [{"from": "02:00", "to": "03:00"}],
        "priority": 5,
        "set": {"models": {"day": {"state": "loaded"}}},
    }
    day = model(held(MIDNIGHT, {"low": low, "night": NIGHT}), "day")
    assert day.served_at == MIDNIGHT + 6 * HOUR


def test_what_no_window_serves_has_no_hour() -> None:
    rest = {**NIGHT, "set": {"models": {"night": {"state": "absent"}}}}
    assert model(held(NOON, {"n": rest}), "night").served_at is None
    assert model(held(MIDNIGHT, {"n": rest}), "night").served_at is None


def test_the_turns_are_what_looking_at_each_instant_gives() -> None:
    morning = {**NIGHT, "when": [{"from": "06:00", "to": "08:00", "days": ["sat", "sun"]}]}
    document = accepted({"night": NIGHT, "morning": morning}).document
    found = Turns(document, NOON)
    turns = list(islice(found, 40))
    assert list(islice(found, 40)) == turns
    assert all(one.at < two.at for one, two in pairwise(turns))
    assert found.open == set(open_windows(document, NOON))
    open_ = set(found.open)
    for one, two in pairwise(turns):
        open_ = (open_ | set(one.opens)) - set(one.closes)
        assert set(open_windows(document, one.at)) == open_
        assert set(open_windows(document, two.at - timedelta(microseconds=1))) == open_
    both = next(turn for turn in turns if turn.opens and turn.closes)
    assert (both.opens, both.closes) == (("morning",), ("night",))


@pytest.mark.parametrize("hours", [0, 9.99, 10, 17.99, 18, 200])
def test_the_value_holds_until_its_end(hours: float) -> None:
    at = NOON + hours * HOUR
    found = held(at, {"night": NIGHT})
    assert found.until is not None
    before = found.until - timedelta(microseconds=1)
    assert held(before, {"night": NIGHT}) == found
    assert held(found.until, {"night": NIGHT}) != found
