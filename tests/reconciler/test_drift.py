"""What changed outside lmxd: noticed, told, and put right or left as the document says."""

from __future__ import annotations

import pytest

from reconciler.drift import FILES, LOADED
from reconciler.explain import text
from reconciler.loop.core import Decision
from reconciler.state import ArtifactRef, DiskPhase, DiskState, Live, ModelKey
from schemas.errors import Code
from tests.reconciler.stage import condition, entry, uid_of, world
from tests.reconciler.test_admission import asked, on_demand
from tests.reconciler.world import World
from tests.simulation.rest import at_rest

LEFT = pytest.mark.parametrize("policy", ["adopt", "warn"])


def edit(at: World, policy: str = "enforce", **models: object) -> None:
    document = {"models": models, "limits": {"memory": "100%"}, "reconcile": {"drift": policy}}
    at.edit(document)


def running(policy: str = "enforce", **fields: object) -> World:
    """A model that is loaded."""
    here = world(a=2, b=2)
    edit(here, policy, a=entry("a", **fields), b=entry("b", "downloaded"))
    here.settle()
    return here


def taken_away(here: World, state: DiskState | None = None) -> Decision:
    """Somebody removes the files, or some of them."""
    here.disk[ArtifactRef("hf:org/a")] = state or DiskState()
    return here.step()


def loads(here: World) -> int:
    return sum(key.startswith("load:a") for key in here.history)


def test_an_idle_worker_that_somebody_ended_is_drift_and_is_loaded_again() -> None:
    here = running()
    here.kill(uid_of(here, "a"), outside=True)
    decision = here.step()
    found = condition(decision, "a", "Drifted")
    assert (found.status, found.reason) == ("True", "UnloadedExternally")
    model = decision.status.model("a")
    assert model is not None
    assert [(d.path, d.expected) for d in model.drift] == [("memory.loaded", "loaded")]
    repairs = [step.action.key for step in decision.picture.plan.steps if step.repairs]
    assert repairs in ([], ["load:a#2"])  # it waits a little, as after every death
    here.settle()
    assert here.serving() == {"a"}
    after = here.step()
    assert condition(after, "a", "Drifted").status == "False"
    assert after.picture.known.drifts == {}


def test_the_load_that_puts_it_right_is_told_apart_from_the_rest_of_the_plan() -> None:
    here = running()
    edit(here, a=entry("a"), b=entry("b"))
    here.kill(uid_of(here, "a"), outside=True)
    here.step()
    here.sleep(6)
    picture = here.step().picture
    steps = picture.plan.steps
    marked = {step.action.key: step.repairs for step in steps if "load:" in step.action.key}
    assert [repairs for key, repairs in marked.items() if key.startswith("load:a")] == [True]
    assert [repairs for key, repairs in marked.items() if key.startswith("load:b")] == [False]
    told = text(picture).splitlines()
    assert "Changed past lmxd:" in told
    assert any(line.startswith("   !  a: memory.loaded was loaded") for line in told)
    assert sum("(repairs drift)" in line for line in told) == 1


def test_a_worker_that_crashed_is_no_drift() -> None:
    here = running("warn")
    here.kill(uid_of(here, "a"))
    assert condition(here.step(), "a", "Drifted").status == "False"
    here.settle()
    assert here.serving() == {"a"}


def test_a_worker_that_is_killed_under_a_request_crashed() -> None:
    here = running("warn")
    here.request("a")
    here.kill(uid_of(here, "a"), outside=True)
    assert condition(here.step(), "a", "Drifted").status == "False"


@LEFT
def test_what_was_unloaded_stays_away_over_a_restart_until_the_entry_changes(policy: str) -> None:
    here = running(policy)
    here.kill(uid_of(here, "a"), outside=True)
    decision = here.settle()
    at_rest(here, decision)
    here.restart()
    here.watch = None
    decision = here.settle()
    assert (here.serving(), loads(here)) == (set(), 1)
    drifted = condition(decision, "a", "Drifted")
    assert drifted.status == ("True" if policy == "warn" else "False")
    assert drifted.reason == "UnloadedExternally"
    ready = condition(decision, "a", "Ready")
    assert (ready.status, ready.reason) == ("False", "UnloadedExternally")
    assert f"reconcile.drift is {policy}" in ready.message
    target = decision.routes.targets[ModelKey("a")]
    assert (target.live, target.code) == (Live.REFUSED, Code.MODEL_NOT_LOADED)
    converged = decision.status.condition("Converged")
    assert converged is not None
    assert "a: UnloadedExternally" in converged.message
    edit(here, policy, a=entry("a"), b=entry("b"))
    here.settle()
    assert here.serving() == {"b"}, "another model's entry says nothing about this one"
    edit(here, policy, a=entry("a", priority=51), b=entry("b"))
    here.settle()
    assert here.serving() == {"a", "b"}


@LEFT
def test_a_retry_brings_back_what_was_taken_away(policy: str) -> None:
    here = running(policy)
    here.kill(uid_of(here, "a"), outside=True)
    here.settle()
    here.retries.add(ModelKey("a"))
    decision = here.settle()
    assert here.serving() == {"a"}
    assert decision.picture.known.drifts == {}


@LEFT
def test_enforcing_it_again_puts_right_what_was_left(policy: str) -> None:
    here = running(policy)
    here.kill(uid_of(here, "a"), outside=True)
    here.settle()
    edit(here, "enforce", a=entry("a"), b=entry("b", "downloaded"))
    here.settle()
    assert here.serving() == {"a"}


@LEFT
def test_a_request_loads_an_on_demand_model_that_was_unloaded_outside(policy: str) -> None:
    here = world(a=2)
    edit(here, policy, a=on_demand("a"))
    here.settle()
    asked(here, "a")
    here.kill(uid_of(here, "a"), outside=True)
    decision = here.settle()
    assert here.serving() == set()
    assert decision.routes.targets[ModelKey("a")].live is Live.ON_DEMAND
    asked(here, "a")
    assert here.serving() == {"a"}


def test_files_that_were_taken_away_are_drift_and_are_brought_again() -> None:
    here = running()
    decision = taken_away(here)
    found = condition(decision, "a", "Drifted")
    assert (found.status, found.reason) == ("True", "FilesChanged")
    assert "found since 2026-11-20T12:00:00Z: no files" in found.message
    marked = {s.action.key for s in decision.picture.plan.steps if s.repairs}
    assert marked == {"download:hf:org/a"}
    here.settle()
    assert here.history.count("download:hf:org/a") == 2
    assert condition(here.step(), "a", "Drifted").status == "False"


@LEFT
def test_files_that_were_taken_away_stay_away_and_what_is_loaded_serves_on(policy: str) -> None:
    here = running(policy)
    taken_away(here)
    decision = here.settle()
    at_rest(here, decision)
    assert here.history.count("download:hf:org/a") == 1
    assert here.serving() == {"a"}
    assert condition(decision, "a", "Downloaded").reason == "FilesChanged"
    here.kill(uid_of(here, "a"))
    here.restart()
    here.watch = None
    decision = here.settle()
    assert here.history.count("download:hf:org/a") == 1
    assert condition(decision, "a", "Ready").reason == "FilesChanged"
    edit(here, policy, a=entry("a", priority=51), b=entry("b", "downloaded"))
    here.settle()
    assert here.serving() == {"a"}


def test_a_part_of_the_files_is_drift_too_and_says_how_much_is_there() -> None:
    here = running()
    partial = DiskState(DiskPhase.PARTIAL, None, "r1", 3 * 1024**3, 4 * 1024**3, 1)
    assert "3 GiB of 4 GiB" in condition(taken_away(here, partial), "a", "Drifted").message


def test_what_was_removed_while_lmxd_was_down_is_noticed_at_its_start() -> None:
    here = running("warn")
    here.restart()
    decision = taken_away(here)
    assert condition(decision, "a", "Drifted").reason == "FilesChanged"


def test_files_that_lmxd_itself_removes_are_no_drift() -> None:
    here = running()
    edit(here, a=entry("a", "absent"))
    here.settle()
    assert "delete:hf:org/a" in here.history
    edit(here, a=entry("a", "downloaded"))
    assert condition(here.step(), "a", "Drifted").status == "False"


def test_a_first_download_is_no_drift_while_it_is_under_way() -> None:
    here = world(a=2)
    edit(here, "warn", a=entry("a"))
    here.step()
    here.begin("download:hf:org/a")
    assert condition(here.step(), "a", "Drifted").status == "False"
    here.settle()
    assert here.serving() == {"a"}


def test_a_suspended_model_is_watched_and_left() -> None:
    here = running(suspend=True)
    edit(here, a=entry("a"))
    here.settle()
    edit(here, a=entry("a", suspend=True))
    here.settle()
    here.kill(uid_of(here, "a"), outside=True)
    taken_away(here)
    decision = here.settle()
    model = decision.status.model("a")
    assert model is not None
    assert {each.path for each in model.drift} == {LOADED, FILES}
    assert condition(decision, "a", "Drifted").status == "True"
    assert here.serving() == set()


def test_a_document_that_is_suspended_is_watched_and_left() -> None:
    here = running()
    here.edit({"models": {"a": entry("a")}, "suspend": True})
    here.step()
    here.kill(uid_of(here, "a"), outside=True)
    decision = here.settle()
    assert condition(decision, "a", "Drifted").reason == "UnloadedExternally"
    assert here.serving() == set()
