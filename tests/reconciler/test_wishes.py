"""Verbs as patches: what each writes, ends or refuses, on a small world that is settled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler import preview
from reconciler.budget import ROUND
from reconciler.objections import object_to
from reconciler.picture import Picture
from reconciler.state import Accepted, Lease, ModelKey
from reconciler.wishes import Scene, Wish, wished
from schemas.desired import DesiredState
from schemas.edit import MISSING
from schemas.errors import Code, RequestError
from schemas.patch import merged
from schemas.verbs import Copy, Create, Delete, Download, Keep, Load, Unload, Verb
from tests.reconciler.stage import entry, world

ROUTE = {"route": "task", "light": "a", "heavy": "b", "fallback": ["a"]}
ALIASES = {"auto": ["b", "a"], "named": "a", "smart": ROUTE}


def settled(memory: int = 16, **models: Any) -> Picture:
    """Models `a` (6 GiB, loaded) and `b` (6 GiB, not), unless they are said to be otherwise."""
    here = world(memory=memory, a=6, b=6)
    given = {"a": entry("a"), "b": entry("b", "downloaded")} | models
    here.edit({"models": given, "aliases": ALIASES, "limits": {"memory": "100%"}})
    return here.settle().picture


def under(picture: Picture, *leases: Mapping[str, object], manager: str = "bot") -> Picture:
    """The same with leases over it, an hour long."""
    at = picture.observed.at
    made = tuple(
        Lease(f"l-{number}", manager, at, at + timedelta(hours=1), patch)
        for number, patch in enumerate(leases)
    )
    return preview.candidate(picture, replace(picture.config, leases=made), {}, "")


def wish(verb: Verb, picture: Picture, *found: str, before: object = None, **terms: bool) -> Wish:
    scene = Scene(picture, tuple(map(ModelKey, found)), before)
    return wished(verb, scene, **({"lent": False, "force": False} | terms))


def granted(asked: Wish, picture: Picture) -> Picture:
    """The world with the patch in the document; raises what is to be said against it."""
    accepted = picture.config.accepted
    assert accepted is not None
    data = merged({"version": 1, **accepted.data}, asked.patch)
    document = DesiredState.model_validate(data)
    new = Accepted(accepted.generation + 1, "", document, data, accepted.accepted_at)
    ended = {lease.id for lease in asked.ends}
    left = tuple(lease for lease in picture.config.leases if lease.id not in ended)
    after = preview.candidate(picture, replace(picture.config, accepted=new, leases=left), {}, "")
    object_to(asked, picture, after)
    return after


def says(key: str, **fields: object) -> dict[str, object]:
    return {"models": {key: fields}}


@pytest.mark.parametrize(
    ("verb", "found", "patch"),
    [
        (Load("b"), "b", says("b", state="loaded")),
        (Load("a"), "a", {}),
        (Load("a", 16384), "a", {}),
        (Load("a", 512), "a", says("a", context=512)),
        (Load("b", 512), "b", says("b", state="loaded", context=512)),
        (Load("hf:org/new"), "", says("new", source="hf:org/new", state="loaded")),
        (Load("org/new", 9), "", says("new", source="hf:org/new", state="loaded", context=9)),
        (Load("org/named"), "", says("named-2", source="hf:org/named", state="loaded")),
        (Unload("a"), "a", says("a", state="downloaded")),
        (Unload("b"), "b", {}),
        (Download("b"), "b", {}),
        (Download("org/a"), "", says("a-2", source="hf:org/a", state="downloaded")),
        (Download("org/new", "on-demand"), "", says("new", source="hf:org/new", state="on-demand")),
        (Keep("a", "10m"), "a", {}),
        (Keep("b", "10m"), "b", {}),
        (Copy("a", "x:1"), "a", {"aliases": {"x:1": "a"}}),
        (Copy("auto", "x"), "b", {"aliases": {"x": ["b", "a"]}}),
        (Copy("a", "named"), "a", {}),
        (Copy("named", "smart"), "a", {"aliases": {"smart": "a"}}),
        (Copy("smart", "named"), "a", {"aliases": {"named": ROUTE}}),
        (Create("c", "b", {"system": "x"}), "b", says("c", source="hf:org/b", system="x")),
        (Create("c", "org/new"), "", says("c", source="hf:org/new")),
        (Create("b", "b", {"state": "downloaded"}), "b", {}),
        (Delete("b"), "b", says("b", state="absent")),
        (Delete("auto"), "b", {"aliases": {"auto": None}}),
    ],
)
def test_a_verb_is_a_patch(verb: Verb, found: str, patch: object) -> None:
    picture = settled(memory=64)
    asked = wish(verb, picture, *([found] if found else []))
    assert asked.patch == patch
    granted(asked, picture)


@pytest.mark.parametrize(
    ("verb", "found", "patch"),
    [
        (Load("a"), "a", says("a", state="loaded")),
        (Load("b", 512), "b", says("b", state="loaded", context=512)),
        (Unload("a"), "a", says("a", state="downloaded")),
        (Unload("b"), "b", says("b", state="downloaded")),
        (Download("b"), "b", {}),
        (Delete("b"), "b", says("b", state="absent")),
    ],
)
def test_a_lease_says_it_although_the_document_does(verb: Verb, found: str, patch: object) -> None:
    """It would go on saying so when the document is edited."""
    assert wish(verb, settled(), found, lent=True).patch == patch


@pytest.mark.parametrize(
    ("verb", "code"),
    [
        (Load("b", known=True), Code.MODEL_NOT_FOUND),
        (Load("nonsense"), Code.MODEL_NOT_FOUND),
        (Unload("hf:org/new"), Code.MODEL_NOT_FOUND),
        (Copy("x", "y"), Code.MODEL_NOT_FOUND),
        (Delete("x"), Code.MODEL_NOT_FOUND),
    ],
)
def test_a_name_that_leads_nowhere(verb: Verb, code: Code) -> None:
    with pytest.raises(RequestError) as caught:
        wish(verb, settled())
    assert caught.value.code is code


@pytest.mark.parametrize(
    ("verb", "found", "code"),
    [
        (Delete("a"), "a", Code.MODEL_LOADED),
        (Copy("a", "b"), "a", Code.FIELD_CONFLICT),
        (Create("b", "a"), "a", Code.FIELD_CONFLICT),
    ],
)
def test_what_only_force_does(verb: Verb, found: str, code: Code) -> None:
    picture = settled(memory=64)
    with pytest.raises(RequestError) as caught:
        wish(verb, picture, found)
    assert caught.value.code is code
    asked = wish(verb, picture, found, force=True)
    assert asked.patch
    granted(asked, picture)


def test_what_is_created_anew_keeps_nothing_of_what_was_there() -> None:
    picture = settled(b=entry("b", "downloaded", system="old"))
    asked = wish(Create("b", "a"), picture, "a", force=True)
    accepted = picture.config.accepted
    assert accepted is not None
    models: Any = merged(accepted.data, asked.patch)["models"]
    assert models["b"] == {"source": "hf:org/a"}


@pytest.mark.parametrize(
    ("before", "defaults", "back"),
    [
        (None, {}, "downloaded"),
        ("downloaded", {}, "downloaded"),
        ("on-demand", {}, "on-demand"),
        ("absent", {}, "downloaded"),
        (MISSING, {}, "downloaded"),
        (MISSING, {"state": "on-demand"}, "on-demand"),
    ],
)
def test_an_unload_goes_back_to_on_demand_where_a_load_came_from_there(
    before: object, defaults: dict[str, str], back: str
) -> None:
    here = world(a=6)
    here.edit({"models": {"a": entry("a")}, "defaults": defaults, "limits": {"memory": "100%"}})
    asked = wish(Unload("a"), here.settle().picture, "a", before=before)
    assert asked.patch == says("a", state=back)
    assert asked.rests


def test_leases_for_one_model_alone_are_ended_and_others_are_not() -> None:
    mixed = {"models": {"b": {"state": "loaded"}}, "aliases": {"x": "b"}}
    loaded, pinned = says("b", state="loaded"), says("b", priority=70)
    picture = under(settled(), loaded, pinned)
    asked = wish(Unload("b"), picture, "b")
    assert ([lease.id for lease in asked.ends], asked.patch) == (["l-0"], {})
    granted(asked, picture)
    held = under(settled(), mixed)
    asked = wish(Unload("b"), held, "b")
    assert not asked.ends
    with pytest.raises(RequestError) as caught:
        granted(asked, held)
    assert caught.value.code is Code.FIELD_CONFLICT
    assert caught.value.details == {"model": "b", "state": "loaded", "by": "lease/l-0"}


def test_a_model_of_leases_alone_becomes_one_of_the_document() -> None:
    born = says("c", source="hf:org/a", state="loaded", priority=60)
    picture = under(settled(memory=64), born)
    kept = wish(Load("c"), picture, "c")
    assert kept.patch == says("c", source="hf:org/a", state="loaded", priority=60)
    gone = wish(Unload("c"), picture, "c")
    assert ([lease.id for lease in gone.ends], gone.patch) == (["l-0"], {})
    assert granted(gone, picture).effective.model(ModelKey("c")) is None


@pytest.mark.parametrize("priority", [50, 40])
def test_a_load_takes_no_place_of_what_is_worth_as_much(priority: int) -> None:
    """`a` stands first in the file, so that it would win; what is loaded is not to lose by that."""
    models = {"a": entry("a", "downloaded", priority=priority), "b": entry("b", priority=priority)}
    picture = settled(memory=10, **models)
    asked = wish(Load("a"), picture, "a")
    with pytest.raises(RequestError) as caught:
        granted(asked, picture)
    error = caught.value
    assert (error.code, error.details["reason"]) == (Code.INSUFFICIENT_MEMORY, "Displaces")
    assert error.details["needed"] > error.details["available"] > 0
    assert f"beside b (priority {priority}), which would lose its place" in error.message


def test_a_load_of_higher_priority_takes_the_place_it_is_worth() -> None:
    models = {"a": entry("a"), "b": entry("b", "downloaded", priority=80)}
    picture = settled(memory=10, **models)
    after = granted(wish(Load("b"), picture, "b"), picture)
    assert after.plan.verdicts[ModelKey("a")].admitted is False


def test_a_load_that_finds_no_place_names_two_numbers() -> None:
    picture = settled(memory=10)
    with pytest.raises(RequestError) as caught:
        granted(wish(Load("b"), picture, "b"), picture)
    error = caught.value
    assert (error.code, error.details["reason"]) == (
        Code.INSUFFICIENT_MEMORY,
        "InsufficientMemory",
    )
    taken = picture.plan.verdicts[ModelKey("a")].need.total
    left = error.details["budget"] - taken
    assert abs(error.details["available"] - left) <= ROUND  # by now `a` has been measured
    assert error.details["available"] < error.details["needed"]


def test_how_long_a_model_is_kept_is_said_of_those_on_demand() -> None:
    """By a lease; the last word counts, and what the document says need not be said."""
    picture = settled(b=entry("b", "on-demand", keep_alive="5m"))
    assert wish(Keep("b", "10m"), picture, "b", lent=True) == Wish("b", says("b", keep_alive="10m"))
    assert wish(Keep("b", "5m"), picture, "b", lent=True) == Wish("b", {})
    kept = under(picture, says("b", keep_alive="10m"), says("b", priority=60))
    assert wish(Keep("b", "10m"), kept, "b", lent=True).patch == says("b", keep_alive="10m")
    assert wish(Keep("b", "10m"), kept, "b", lent=True).ends == ()
    for other in ("5m", "forever"):
        changed = wish(Keep("b", other), kept, "b", lent=True)
        assert changed.patch == says("b", keep_alive=other)
        assert [lease.id for lease in changed.ends] == ["l-0"]


def test_a_model_that_is_let_go_is_not_kept() -> None:
    picture = settled(b=entry("b", "on-demand"))
    kept = under(picture, says("b", keep_alive="10m"), says("b", priority=60))
    asked = wish(Keep("b", "0s"), kept, "b")
    assert (asked.patch, asked.rests) == ({}, True)
    assert [lease.id for lease in asked.ends] == ["l-0"]
    with pytest.raises(RequestError) as caught:
        wish(Keep("x", "0s"), picture)
    assert caught.value.code is Code.MODEL_NOT_FOUND
