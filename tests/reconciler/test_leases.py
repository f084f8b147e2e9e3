"""Leases lie over document and windows, leaf by leaf, and leave nothing behind when they end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.leases import ABOVE_WINDOWS, leased, lending
from reconciler.resolve import artifacts, fingerprint, resolve
from reconciler.state import Accepted, Effective, EffectiveModel, Lease, ModelKey
from schemas.desired import DesiredState
from schemas.edit import MISSING, Change

NOON = datetime(2026, 11, 20, 11, tzinfo=UTC)  # a Friday, 12:00 in Paris
HOUR = timedelta(hours=1)
CLOSES = NOON + 18 * HOUR
MIDNIGHT = NOON + 12 * HOUR
DOCUMENT: dict[str, Any] = {
    "version": 1,
    "timezone": "Europe/Paris",
    "defaults": {"keep_alive": "1m"},
    "models": {
        "day": {"source": "hf:org/day", "state": "loaded", "sampling": {"top_p": 0.5}},
        "night": {"source": "hf:org/night", "system": "x"},
    },
    "aliases": {"auto": "day", "late": "night"},
    "schedules": {
        "night": {
            "when": [{"from": "22:00", "to": "06:00"}],
            "prewarm": "none",
            "set": {
                "models": {
                    "day": {"state": "downloaded", "sampling": {"temperature": 0.7}},
                    "night": {"state": "loaded", "priority": 90},
                },
                "aliases": {"auto": ["night", "day"]},
            },
        }
    },
}


def accepted(**parts: Any) -> Accepted:
    data = {**DOCUMENT, **parts}
    return Accepted(1, "sha", DesiredState.model_validate(data), data, NOON)


def lease(patch: Mapping[str, object], hours: float = 100, name: str = "l-1") -> Lease:
    return Lease(name, "bot", NOON, NOON + hours * HOUR, patch)


def held(at: datetime, *patches: Mapping[str, object] | Lease, **parts: Any) -> Effective:
    leases = tuple(
        each if isinstance(each, Lease) else lease(each, name=f"l-{number}")
        for number, each in enumerate(patches, 1)
    )
    return resolve(accepted(**parts), at, {}, leases=leases)


def model(found: Effective, key: str) -> EffectiveModel:
    one = found.model(ModelKey(key))
    assert one is not None
    return one


def of(key: str, **fields: object) -> dict[str, object]:
    return {"models": {key: fields}}


def refused(patch: Mapping[str, object], **parts: Any) -> str:
    ((_, error),) = leased(accepted(**parts), [lease(patch)], NOON).void
    return str(error)


def test_a_lease_lies_over_the_document_and_is_named() -> None:
    found = held(NOON, of("night", state="loaded"))
    night = model(found, "night")
    assert (night.state, night.because, night.window) == ("loaded", "lease/l-1", ABOVE_WINDOWS)
    assert model(found, "day") == model(held(NOON), "day")
    assert [each.id for each in found.leases] == ["l-1"]


def test_a_lease_wins_over_a_window_leaf_by_leaf() -> None:
    found = held(MIDNIGHT, of("day", sampling={"top_p": 0.9}), of("night", state="on-demand"))
    day, night = model(found, "day"), model(found, "night")
    assert (day.state, day.because) == ("downloaded", "schedule/night")
    assert (day.serving.sampling.top_p, day.serving.sampling.temperature) == (0.9, 0.7)
    assert (night.state, night.priority, night.because) == ("on-demand", 90, "lease/l-2")
    assert found.aliases["auto"] == ("night", "day")


def test_the_later_lease_wins_whatever_ends_first() -> None:
    early, late = lease(of("night", state="loaded"), 5), lease(of("night", state="absent"), 1)
    late = replace(late, id="l-2")
    assert model(held(NOON, early, late), "night").because == "lease/l-2"
    after = held(NOON + HOUR, early, late)
    assert (model(after, "night").state, model(after, "night").because) == ("loaded", "lease/l-1")


def test_a_lease_holds_until_just_before_it_expires() -> None:
    short = lease(of("night", state="loaded"), 1)
    end = NOON + HOUR
    assert model(held(end - timedelta(microseconds=1), short), "night").state == "loaded"
    assert fingerprint(held(end, short)) == fingerprint(held(end))
    assert held(NOON, short).until == end
    assert held(NOON, lease({"suspend": True})).until == held(NOON).until
    assert held(end, short).leases == ()


def test_null_removes_an_alias_or_a_field_from_all_layers() -> None:
    found = held(
        MIDNIGHT,
        {"aliases": {"auto": None, "late": None}},
        of("night", system=None, priority=None),
        of("day", sampling=None),
    )
    assert dict(found.aliases) == {}
    assert (model(found, "night").serving.system, model(found, "night").priority) == (None, 50)
    sampling = model(found, "day").serving.sampling
    assert (sampling.top_p, sampling.temperature) == (None, None)


def test_what_is_removed_falls_back_to_the_defaults() -> None:
    found = held(NOON, of("night", keep_alive="9m"), of("night", keep_alive=None))
    assert model(found, "night").keep_alive_s == 60
    assert model(held(NOON, {"defaults": {"keep_alive": None}}), "night").keep_alive_s == 300


def test_a_lease_may_bring_a_model_that_is_gone_with_it() -> None:
    patch = {"models": {"new": {"source": "hf:org/new"}}, "aliases": {"late": "new"}}
    found = held(MIDNIGHT, lease(patch, 13))
    new = model(found, "new")
    assert (new.order, new.state, new.because) == (2, "downloaded", "lease/l-1")
    assert found.aliases["late"] == ("new",)
    assert new.served_at is None
    assert held(NOON + 13 * HOUR, lease(patch, 13)) == held(NOON + 13 * HOUR)


def test_limits_and_suspend_can_be_leased() -> None:
    found = held(NOON, {"suspend": True, "limits": {"downloads": 7}})
    assert (found.suspended, found.downloads, found.flow.queue) == (True, 7, 256)


def test_a_lease_without_effect_is_no_new_epoch() -> None:
    assert fingerprint(held(NOON, {"aliases": {"auto": "day"}})) == fingerprint(held(NOON))


@pytest.mark.parametrize("name", ["version", "timezone", "schedules", "policy", "keys", "hosts"])
def test_what_a_lease_cannot_change(name: str) -> None:
    text = refused({name: {}, "suspend": True})
    assert f"/{name}: a lease cannot change {name}" in text


def test_a_lease_has_to_set_something_and_removes_no_model() -> None:
    assert "the lease sets nothing" in refused({"models": {"day": {}}})
    assert 'a lease cannot remove "night"' in refused({"models": {"night": None}})
    assert "a lease cannot remove models" in refused({"models": None})
    assert "downloaded" in refused({"models": {"night": None}})


def test_a_lease_is_validated_like_a_document_with_pointers() -> None:
    assert refused(of("x", state="loaded")).startswith("/models/x: source is missing")
    assert refused({"aliases": {"x": "nobody"}}).startswith('/aliases/x: there is no model "nob')
    assert refused(of("day", priority="high")).startswith('/models/day/priority: "high" is not')
    assert refused({"suspended": True}).startswith('/suspended: unknown key "suspended" (did you')
    assert refused({"models": 7}).startswith("/models: 7 is not a map")
    assert "null has no meaning" in refused(of("day", stop=[None]))
    assert "cannot draft for itself" in refused(of("day", draft={"model": "day"}))


def test_what_no_longer_fits_has_no_effect_and_the_rest_stays() -> None:
    brings = lease({"models": {"new": {"source": "hf:org/new"}}}, 1, "l-1")
    leans = lease({"aliases": {"x": "new"}}, 9, "l-2")
    stays = lease({"suspend": True}, 9, "l-3")
    every = (brings, leans, stays)
    assert held(NOON, *every).aliases["x"] == ("new",)
    found = leased(accepted(), every, NOON + HOUR)
    assert [each.id for each in found.held] == ["l-3"]
    ((void, error),) = found.void
    assert void is leans
    assert 'there is no model "new"' in error.message
    assert held(NOON + HOUR, *every) == held(NOON + HOUR, stays)


def test_a_model_kept_away_by_a_lease_says_when_it_is_served_again() -> None:
    away = of("day", state="downloaded")
    assert model(held(NOON, lease(away, 2)), "day").served_at == NOON + 2 * HOUR
    # The lease ends inside the window, which keeps it away in turn, until that closes.
    assert model(held(NOON, lease(away, 12)), "day").served_at == CLOSES
    longer = lease(of("day", state="on-demand"), 5, "l-2")
    assert model(held(NOON, longer, lease(away, 3)), "day").served_at == NOON + 3 * HOUR
    rests = lease(of("day", state="absent"), 6, "l-2")
    assert model(held(NOON, rests, lease(away, 3)), "day").served_at == NOON + 6 * HOUR


def test_files_of_leased_models_are_looked_at_only_while_they_are_leased() -> None:
    move = lease(of("day", source="hf:org/other", revision="abc"), 1)
    names = {str(each) for each in artifacts(accepted(), "", (move,), NOON)}
    assert names == {"hf:org/day", "hf:org/night", "hf:org/other@abc"}
    assert len(artifacts(accepted(), "", (move,), NOON + HOUR)) == 2


def test_hosts_lie_below_leases() -> None:
    hosts = {"studio": {"set": {"limits": {"downloads": 3, "queue": 9}}}}
    found = resolve(accepted(hosts=hosts), NOON, {}, "studio", leases=(lease(DOWNLOADS),))
    assert (found.downloads, found.flow.queue) == (7, 9)


DOWNLOADS = {"limits": {"downloads": 7}}


def test_what_a_lease_does_is_listed_also_where_the_document_says_so_already() -> None:
    patch = {"suspend": True, "models": {"day": {"state": "loaded", "system": None}}}
    assert lending(patch, accepted().data) == (
        Change(("suspend",), MISSING, True),
        Change(("models", "day", "state"), "loaded", "loaded"),
        Change(("models", "day", "system"), MISSING, MISSING),
    )
