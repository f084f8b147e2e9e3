"""The same end whatever came before: crashes at every boundary, other histories, there and back.

The ledger holds all measurements from the start, as the end is a function of it too.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reconciler.loop.core import Decision
from reconciler.loop.memory import Remembered
from reconciler.state import ModelKey
from tests.reconciler import chaos
from tests.reconciler.rules import Rules
from tests.reconciler.stage import edit, entry
from tests.reconciler.world import GIB, Repo, World

Document = Mapping[str, Any]


def fresh(remembered: Remembered | None = None) -> World:
    repos = {
        source: Repo(size * GIB)
        for source, size in zip(chaos.SOURCES, (2, 3, 5, 7, 11), strict=True)
    }
    return World(repos, watch=Rules(), remembered=remembered or Remembered())


def learned(*documents: Document) -> Remembered:
    """What is remembered when every model of the documents was loaded once, failures aside."""
    here = fresh()
    for document in documents:
        for key, model in document["models"].items():
            alone = {key: {**model, "state": "loaded", "suspend": False}}
            here.edit({"models": alone, "limits": {"memory": "100%"}})
            here.settle()
    return Remembered(ledger=here.remembered.ledger)


def quiet(rng: random.Random) -> dict[str, Any]:
    """A document that nobody's requests or suspensions make depend on the past."""
    document = chaos.document(rng)
    models: dict[str, Any] = dict(document["models"])  # type: ignore[call-overload]
    for key, model in models.items():
        models[key] = {**model, "suspend": False, "engine": "auto"}
    return {**document, "models": models, "suspend": False}


def end(here: World) -> tuple[set[ModelKey], dict[ModelKey, str], set[str]]:
    """What the world has come to: who serves what, and which files are there."""
    decision = here.settle()
    assert decision.picture.plan.empty
    specs = {
        r.action.model: r.action.spec.spec_hash
        for uid, r in here.pool.residents.items()
        if uid in here.pool.current.values()
    }
    return here.serving(), specs, {str(artifact) for artifact in here.disk}


def advance(here: World, steps: int) -> int:
    """So many events of a run in which everything goes well; how many there were."""
    for done in range(steps):
        here.step()
        waiting = [key for key, effect in here.running.items() if not effect.begun]
        if waiting:
            here.begin(waiting[0])
        elif here.running:
            here.end(next(key for key in here.running if here.can_end(key)))
        else:
            return done
    return steps


SWITCHES: list[tuple[Document, Document]] = [
    (quiet(random.Random(seed)), quiet(random.Random(seed + 1000))) for seed in range(12)
]


@pytest.mark.parametrize("number", range(len(SWITCHES)))
def test_a_crash_between_any_two_events_of_a_switch_ends_where_no_crash_does(number: int) -> None:
    before, after = SWITCHES[number]
    known = learned(before, after)

    def start() -> World:
        here = fresh(known)
        here.edit(before)
        here.settle()
        here.edit(after)
        return here

    reference = start()
    length = advance(reference, 200)
    expected = end(reference)
    loads = sum(key.startswith("load:") for key in reference.history)
    for boundary in range(length + 1):
        here = start()
        advance(here, boundary)
        held = len(here.pool.residents)
        here.restart()
        here.watch = Rules()
        assert end(here) == expected, boundary
        again = sum(key.startswith("load:") for key in here.history)
        assert again <= loads + held + 1, boundary


@pytest.mark.parametrize("number", range(len(SWITCHES)))
def test_a_crash_after_deciding_and_before_acting_ends_there_too(number: int) -> None:
    before, after = SWITCHES[number]
    known = learned(before, after)
    reference = fresh(known)
    reference.edit(after)
    expected = end(reference)
    here = fresh(known)
    here.edit(after)
    for _ in range(20):
        decision = here.core.step(here.seen())
        here.remembered = decision.remembered
        here.restart()
        here.watch = Rules()
        advance(here, 1)
    assert end(here) == expected


@pytest.mark.parametrize("seed", range(40))
def test_the_end_does_not_depend_on_the_documents_before(seed: int) -> None:
    rng = random.Random(seed)
    history = [quiet(rng) for _ in range(3)]
    last = quiet(rng)
    known = learned(last)
    straight = fresh(known)
    straight.edit(last)
    expected, specs, _ = end(straight)
    roundabout = fresh(known)
    for document in history:
        roundabout.edit(document)
        advance(roundabout, rng.randint(0, 40))
    roundabout.edit(last)
    assert end(roundabout)[:2] == (expected, specs)


@pytest.mark.parametrize("seed", range(20))
def test_there_and_back_is_where_it_began_also_past_an_invalid_file(seed: int) -> None:
    rng = random.Random(seed)
    home, away = quiet(rng), quiet(rng)
    here = fresh(learned(home, away))
    here.edit(home)
    expected, specs, _ = end(here)
    here.edit(away)
    advance(here, rng.randint(0, 60))
    here.edit(home)
    assert end(here)[:2] == (expected, specs)
    started = len(here.history)
    here.spoil()
    end(here)
    here.config = replace(here.config, valid=True, current=True)
    end(here)
    assert len(here.history) == started


@pytest.mark.parametrize("seed", range(30))
def test_the_highest_that_fits_is_loaded_and_every_loser_fits_no_more(seed: int) -> None:
    """The set is that of a plain walk in the declared order over what was measured."""
    document = quiet(random.Random(seed))
    here = fresh(learned(document))
    here.edit(document)
    decision = here.settle()
    assert here.serving() == walked(document, decision)


def walked(document: Document, decision: Decision) -> set[ModelKey]:
    """An independent walk: pinned, priority, place in the file; what fits is taken, one a group."""
    loaded = [(k, m) for k, m in document["models"].items() if m["state"] == "loaded"]
    order = sorted(loaded, key=lambda item: (not item[1].get("pinned"), -item[1]["priority"]))
    left = decision.picture.plan.budget or 0
    places = document["limits"].get("loaded", len(order))
    taken: dict[ModelKey, object] = {}
    for key, model in order:
        need = decision.picture.plan.verdicts[ModelKey(key)].need
        group = model.get("group")
        free = group is None or group not in taken.values()
        if need.total <= left and len(taken) < places and free:
            left -= need.total
            taken[ModelKey(key)] = group
    return set(taken)


def test_a_model_that_is_wanted_most_is_served_within_its_load_and_one_drain() -> None:
    here = fresh()
    edit(here, a=entry("five", drain="1m"))
    here.settle()
    here.request("a")
    edit(here, a=entry("five", drain="1m"), b=entry("four", priority=99))
    begun = here.at
    for _ in range(80):
        here.step()
        ready = [key for key in here.running if here.can_end(key)]
        for key in here.running:
            if not here.running[key].begun:
                here.begin(key)
        if ready:
            here.end(ready[0])
        elif "b" not in here.serving():
            here.sleep(1)
    assert "b" in here.serving()
    assert (here.at - begun).total_seconds() <= 61
