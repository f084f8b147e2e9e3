"""A change that breaks before it makes, and fails: what answered before comes back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.actions import Failure
from reconciler.loop.core import Decision
from reconciler.previous import Proven, spec_again
from reconciler.state import ArtifactRef, DiskPhase, DiskState, Live, ModelKey
from schemas.errors import Code
from tests.reconciler.build import model, spec, verified
from tests.reconciler.stage import BROKEN, GATED, condition, edit, entry, run_until, uid_of, world
from tests.reconciler.test_admission import asked, on_demand, settle_busy
from tests.reconciler.world import World
from tests.simulation.rest import at_rest

CRASH = Failure("LoadFailed", "out of memory")


def switched(new: str = "b", fault: Failure = BROKEN, **fields: object) -> World:
    """Only one of the two fits; the new one cannot be loaded."""
    here = world(a=10, b=10)
    here.repos["org/b"].load_fault = fault
    edit(here, a=entry("a"))
    here.settle()
    edit(here, a=entry(new, **fields))
    return here


def settled(here: World) -> Decision:
    decision = here.settle()
    at_rest(here, decision)
    return decision


def source_of(here: World) -> str:
    return str(here.pool.residents[uid_of(here, "a")].action.spec.artifact)  # type: ignore[index]


@pytest.mark.parametrize("fault", [BROKEN, CRASH])
def test_when_the_new_one_fails_for_good_or_too_often_the_old_one_is_loaded_again(
    fault: Failure,
) -> None:
    here = switched(fault=fault)
    decision = settled(here)
    assert "unload:a#1" in here.history, "there was no room for both"
    assert source_of(here) == "hf:org/a"
    degraded = condition(decision, "a", "Degraded")
    assert (degraded.status, degraded.reason) == ("True", "ServingOldRevision")
    assert fault.message in degraded.message
    assert condition(decision, "a", "Ready").status == "True"
    assert condition(decision, "a", "Stalled").status == "True"
    tries = sum(key.startswith("load:a") for key in here.history)
    assert tries == (3 if fault is BROKEN else 7)


def test_earlier_options_come_back_too() -> None:
    here = world(a=10)
    edit(here, a=entry("a"))
    here.settle()
    here.repos["org/a"].load_fault = BROKEN
    edit(here, a=entry("a", context=1024))
    run_until(here, "load:a#2")
    here.end("load:a#2", BROKEN)
    here.repos["org/a"].load_fault = None
    assert condition(settled(here), "a", "Degraded").reason == "ServingOldParams"


def test_a_restart_in_between_ends_where_no_restart_does() -> None:
    reference = switched()
    settled(reference)
    for steps in range(12):
        here = switched()
        here.watch = None
        for _ in range(steps):
            here.step()
            if here.running:
                here.end(next(key for key in here.running if here.can_end(key)))
        here.restart()
        here.settle()
        assert source_of(here) == source_of(reference), steps


def test_the_new_one_takes_over_when_it_can_be_loaded_and_is_what_comes_back_next() -> None:
    here = switched()
    settled(here)
    here.repos["org/b"].load_fault = None
    edit(here, a=entry("b", context=1024))
    assert condition(settled(here), "a", "Degraded").status == "False"
    assert source_of(here) == "hf:org/b"
    assert here.remembered.proven[ModelKey("a")].spec.artifact.source == "hf:org/b"


def test_nothing_comes_back_whose_files_are_gone() -> None:
    here = switched()
    run_until(here, "load:a#2")
    del here.disk[ArtifactRef("hf:org/a")]
    decision = settled(here)
    assert here.serving() == set()
    assert decision.routes.targets[ModelKey("a")].code is Code.MODEL_FAILED


def test_what_comes_back_takes_no_memory_that_others_want() -> None:
    here = switched()
    settled(here)
    edit(here, a=entry("b"), c=entry("a", priority=0))
    decision = settled(here)
    assert here.serving() == {"c"}
    assert decision.routes.targets[ModelKey("a")].code is Code.MODEL_FAILED
    edit(here, a=entry("b"))
    settled(here)
    assert here.serving() == {"a"}


def test_the_files_of_what_ran_before_are_not_deleted_for_an_absent_model() -> None:
    here = switched()
    run_until(here, "load:a#2")
    edit(here, a=entry("b"), z=entry("a", "absent"))
    settled(here)
    assert source_of(here) == "hf:org/a"
    assert not any(key.startswith("delete") for key in here.history)


def test_it_is_forgotten_with_the_key() -> None:
    here = switched()
    settled(here)
    edit(here, c=entry("a"))
    here.settle()
    assert ModelKey("a") not in here.remembered.proven
    edit(here, a=entry("b"))
    here.settle()
    assert here.serving() == set()


def test_when_that_fails_as_well_it_is_tried_once_and_the_model_is_refused() -> None:
    here = switched()
    here.repos["org/a"].load_fault = BROKEN
    decision = settled(here)
    assert [key for key in here.history if key.startswith("load:a")] == [
        "load:a#1", "load:a#2", "load:a#3",
    ]  # fmt: skip
    assert decision.routes.targets[ModelKey("a")].code is Code.MODEL_FAILED
    here.sleep(86400)
    settled(here)
    assert here.history.count("load:a#4") == 0


def test_what_came_back_and_dies_is_loaded_again_and_the_failed_one_is_not_tried() -> None:
    here = switched()
    settled(here)
    here.kill(uid_of(here, "a"))  # type: ignore[arg-type]
    settled(here)
    assert source_of(here) == "hf:org/a"
    assert sum(key.startswith("load:a") for key in here.history) == 4


def test_a_download_that_fails_for_good_brings_it_back_after_a_restart() -> None:
    here = world(a=10, b=10)
    here.repos["org/b"].download_fault = GATED
    edit(here, a=entry("a"))
    here.settle()
    edit(here, a=entry("b"))
    here.settle()
    here.restart()
    here.watch = None
    decision = here.settle()
    assert source_of(here) == "hf:org/a"
    assert condition(decision, "a", "Degraded").reason == "ServingOldRevision"


def test_an_on_demand_model_is_served_as_before_when_a_request_comes() -> None:
    here = world(a=10, b=10)
    here.repos["org/b"].load_fault = BROKEN
    edit(here, a=on_demand("a"))
    here.settle()
    asked(here, "a")
    edit(here, a=on_demand("b"))
    settle_busy(here)
    here.sleep(3600)
    here.settle()
    assert here.serving() == set()
    assert here.step().routes.targets[ModelKey("a")].live is Live.ON_DEMAND
    asked(here, "a")
    assert source_of(here) == "hf:org/a"


def test_exactly_the_files_that_answered_are_taken_under_whatever_name_they_are_there() -> None:
    proven = Proven(spec(model("a"), verified(revision="r1")), 1)
    asked_for, exactly = proven.artifacts
    moved, same = verified(revision="r2"), replace(verified(revision="r1"), path="/other")
    assert spec_again(proven, {asked_for: moved}) is None
    found = spec_again(proven, {asked_for: moved, exactly: same})
    assert found is not None
    assert (found.path, found.spec_hash) == ("/other", proven.spec.spec_hash)
    assert spec_again(proven, {asked_for: DiskState()}) is None


def test_files_that_have_to_be_checked_again_are_checked_first() -> None:
    """As those of a folder after every restart."""
    here = switched()
    run_until(here, "load:a#2")
    old = ArtifactRef("hf:org/a")
    here.disk[old] = replace(here.disk[old], phase=DiskPhase.COMPLETE)
    settled(here)
    assert here.history.count("verify:hf:org/a") == 1
    assert source_of(here) == "hf:org/a"
