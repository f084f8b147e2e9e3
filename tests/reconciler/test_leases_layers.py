"""Any leases at any instant against an oracle that patches plain values and parses them whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import event, given
from hypothesis import strategies as st

from reconciler.leases import leased
from reconciler.overlay import open_windows
from reconciler.resolve import fingerprint, resolve
from reconciler.state import Accepted, Effective, Lease
from schemas.desired import DesiredState
from schemas.errors import DocumentError
from schemas.parse import parse
from schemas.patch import merged
from tests.reconciler.test_leases import DOCUMENT, HOUR, NOON, accepted

HOST = {"set": {"models": {"day": {"context": "4k"}}, "limits": {"downloads": 3}}}
WHOLE = {**DOCUMENT, "hosts": {"studio": HOST}}
STATES = st.sampled_from(["absent", "downloaded", "on-demand", "loaded"])
NULL = st.none()


def some(**fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


FIELDS = {
    "state": STATES | NULL,
    "priority": st.integers(0, 1000) | NULL,
    "context": st.sampled_from(["2k", "8k"]) | NULL,
    "system": st.sampled_from(["a", "b"]) | NULL,
    "sampling": some(top_p=st.sampled_from([0.1, 0.2]) | NULL, temperature=st.just(1.0)) | NULL,
    "draft": st.fixed_dictionaries({"model": st.sampled_from(["day", "night", "new"])}) | NULL,
    "keep_alive": st.just("3m") | NULL,
}
TARGETS = st.sampled_from(["day", "night", "new", ["night", "day"], ["new"]]) | NULL
PATCHES = some(
    suspend=st.booleans() | NULL,
    limits=some(downloads=st.integers(1, 9) | NULL, queue=st.just(5)) | NULL,
    defaults=some(**{k: FIELDS[k] for k in ("priority", "keep_alive", "sampling")}) | NULL,
    models=some(day=some(**FIELDS), night=some(**FIELDS), new=some(source=st.just("hf:o/n"))),
    aliases=some(auto=TARGETS, late=TARGETS, more=TARGETS) | NULL,
).filter(bool)


def leases(patches: list[tuple[Mapping[str, object], int]]) -> tuple[Lease, ...]:
    return tuple(
        Lease(f"l-{number}", "bot", NOON, NOON + hours * HOUR, patch)
        for number, (patch, hours) in enumerate(patches)
    )


SOME_LEASES = st.lists(st.tuples(PATCHES, st.integers(1, 20)), max_size=5).map(leases)
INSTANTS = st.integers(0, 20 * 60).map(lambda minutes: NOON + timedelta(minutes=minutes))


def sets_something(patch: Mapping[str, object]) -> bool:
    inner = (sets_something(v) if isinstance(v, Mapping) else True for v in patch.values())
    return any(inner)


def in_force(found: tuple[Lease, ...], at: Any) -> list[Lease]:
    """Which leases hold, by parsing everything anew at every layer."""
    data: dict[str, Any] = WHOLE
    result = []
    for each in found:
        try:
            if each.expires_at > at and sets_something(each.patch):
                over = merged(data, each.patch)
                parse(DesiredState, over)
                data, result = over, [*result, each]
        except DocumentError:
            event("a lease does not fit")
    return result


def flat(found: tuple[Lease, ...], at: Any) -> dict[str, Any]:
    """One plain document that says what holds, without hosts and windows."""
    base = {**WHOLE, "hosts": {}, "schedules": {}}
    layers = [HOST["set"]]
    windows = open_windows(accepted().document, at)
    layers += [DOCUMENT["schedules"][name]["set"] for name in windows]
    layers += [each.patch for each in in_force(found, at)]
    for layer in layers:
        base = merged(base, layer)
    return base


def plain(effective: Effective) -> Effective:
    """Without what the clock adds and who set it, which a document without windows cannot say."""
    dropped = {"window": 0, "loaded_at": None, "served_at": None, "spare": None}
    models = tuple(replace(model, **dropped) for model in effective.models)
    return replace(effective, models=models)


def held(found: tuple[Lease, ...], at: Any) -> Effective:
    return resolve(accepted(**WHOLE), at, {}, "studio", leases=found)


@given(SOME_LEASES, INSTANTS)
def test_the_layers_are_those_of_plain_patches(found: tuple[Lease, ...], at: Any) -> None:
    data = flat(found, at)
    says = Accepted(1, "sha", parse(DesiredState, data), data, NOON)
    assert plain(held(found, at)) == plain(resolve(says, at, {}))
    assert leased(accepted(**WHOLE), found, at).held == tuple(in_force(found, at))


@given(SOME_LEASES, INSTANTS)
def test_nothing_is_left_of_leases_that_ran_out(found: tuple[Lease, ...], at: Any) -> None:
    standing = tuple(each for each in found if each.expires_at > at)
    assert fingerprint(held(found, at)) == fingerprint(held(standing, at))
    after = at + 21 * HOUR
    assert fingerprint(held(found, after)) == fingerprint(held((), after))


@given(SOME_LEASES, INSTANTS)
def test_until_is_no_later_than_the_first_change(found: tuple[Lease, ...], at: Any) -> None:
    now = held(found, at)
    assert now.until is not None
    just = now.until - timedelta(microseconds=1)
    assert fingerprint(held(found, just)) == fingerprint(now)


@given(SOME_LEASES, PATCHES, INSTANTS)
def test_a_lease_that_lies_below_another_with_the_same_leaves_does_nothing(
    found: tuple[Lease, ...], patch: Mapping[str, object], at: Any
) -> None:
    twice = (
        Lease("l-a", "bot", NOON, NOON + 99 * HOUR, patch),
        *found,
        Lease("l-b", "bot", NOON, NOON + 99 * HOUR, patch),
    )
    if len(in_force(twice, at)) == len(in_force(twice[1:], at)) + 1:
        assert fingerprint(held(twice, at)) == fingerprint(held(twice[1:], at))
