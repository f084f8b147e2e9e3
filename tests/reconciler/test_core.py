"""The core, seen through the fake world: what happens after an edit, a failure or a death."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.actions import Failure
from reconciler.loop.core import Core
from reconciler.state import ArtifactRef, InstancePhase, Live, ModelKey
from tests.reconciler.stage import (
    BROKEN,
    CUT,
    GATED,
    condition,
    edit,
    entry,
    run_until,
    uid_of,
    world,
)
from tests.simulation.rest import at_rest


def test_a_model_is_downloaded_verified_loaded_promoted_and_answers() -> None:
    here = world(a=2)
    here.repos["org/a"].whole = False
    edit(here, a=entry("a"))
    decision = here.settle()
    assert here.history == [
        "download:hf:org/a", "verify:hf:org/a", "load:a#1", "promote:a#1",
    ]  # fmt: skip
    at_rest(here, decision)
    assert (decision.status.generation, decision.status.epoch) == (1, 1)
    assert decision.status.summary == "Healthy"
    assert decision.routes.targets[ModelKey("a")].live is Live.READY
    converged = decision.status.condition("Converged")
    assert converged is not None
    assert (converged.status, converged.reason) == ("True", "AllMet")


def test_an_alias_edit_moves_the_name_in_the_pass_that_sees_it_and_nothing_else() -> None:
    here = world(a=2, b=2)
    edit(here, {"x": "a"}, a=entry("a"), b=entry("b"))
    here.settle()
    before = list(here.history)
    edit(here, {"x": "b"}, a=entry("a"), b=entry("b"))
    decision = here.step()
    assert decision.routes.names["x"] == ("b",)
    assert decision.picture.plan.empty
    assert here.history == before


def test_a_new_source_is_brought_while_the_old_one_serves_and_says_so() -> None:
    here = world(a=2, b=2)
    edit(here, a=entry("a"))
    here.settle()
    edit(here, a=entry("b"))
    decision = here.step()
    assert here.serving() == {"a"}
    degraded = condition(decision, "a", "Degraded")
    assert (degraded.status, degraded.reason) == ("True", "ServingOldRevision")
    here.settle()
    assert here.history[-4:] == ["download:hf:org/b", "load:a#2", "promote:a#2", "unload:a#1"]
    assert uid_of(here, "a") == "a#2"


@pytest.mark.parametrize("other", ["gone", "unloadable"])
def test_a_change_that_fails_for_good_leaves_the_old_one_serving(other: str) -> None:
    here = world(a=2, gone=2, unloadable=2)
    here.repos["org/gone"].download_fault = GATED
    here.repos["org/unloadable"].load_fault = BROKEN
    edit(here, {"x": "a"}, a=entry("a"))
    here.settle()
    edit(here, {"x": "a"}, a=entry(other))
    decision = here.settle()
    assert uid_of(here, "a") == "a#1"
    assert condition(decision, "a", "Ready").status == "True"
    assert condition(decision, "a", "Stalled").status == "True"
    assert condition(decision, "a", "Degraded").reason == "ServingOldRevision"
    assert decision.status.summary == "Degraded"
    assert here.history.count("load:a#2") == (other == "unloadable")


def test_what_serves_beside_a_failed_change_goes_when_its_memory_is_needed() -> None:
    here = world(a=8, b=2, c=8)
    here.repos["org/b"].load_fault = BROKEN
    edit(here, a=entry("a"))
    here.settle()
    edit(here, a=entry("b"), c=entry("c", priority=1))
    here.settle()
    assert here.serving() == {"c"}


def test_a_name_whose_new_model_fails_for_good_stays_with_the_old_one() -> None:
    here = world(a=2, b=2)
    here.repos["org/b"].load_fault = BROKEN
    edit(here, {"x": "a"}, a=entry("a"))
    here.settle()
    edit(here, {"x": "b"}, b=entry("b"))
    decision = here.settle()
    assert decision.routes.names["x"] == ("b", "a")
    assert here.serving() == {"a"}
    edit(here, {"x": "b"}, b=entry("b", "downloaded"))
    here.settle()
    assert here.serving() == set()


def test_requests_on_the_old_instance_end_before_it_goes() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    here.request("a")
    edit(here, a=entry("a", context=1024))
    run_until(here, "drain:a#1")
    here.begin("drain:a#1")
    assert uid_of(here, "a") == "a#2"
    for _ in range(3):
        here.sleep(30)
        here.step()
        assert not here.can_end("drain:a#1")
    here.release("a#1")  # type: ignore[arg-type]
    assert here.can_end("drain:a#1")


def test_a_drain_cuts_off_at_its_deadline_and_not_before() -> None:
    here = world(a=2)
    edit(here, a=entry("a", drain="1m"))
    here.settle()
    here.request("a")
    edit(here)
    run_until(here, "drain:a#1")
    here.begin("drain:a#1")
    here.sleep(59)
    assert not here.can_end("drain:a#1")
    here.sleep(1)
    here.settle()
    assert here.pool.residents == {}


def test_a_removed_model_leaves_and_its_files_stay() -> None:
    here = world(a=2, b=2)
    edit(here, {"x": "a"}, a=entry("a"), b=entry("b"))
    here.settle()
    edit(here, b=entry("b"))
    decision = here.settle()
    assert here.serving() == {"b"}
    assert not any(key.startswith("delete") for key in here.history)
    assert "x" not in decision.routes.names
    assert len(here.disk) == 2


def test_absent_unloads_first_and_then_deletes() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    edit(here, a=entry("a", "absent"))
    decision = here.settle()
    assert here.history[-3:] == ["drain:a#1", "unload:a#1", "delete:hf:org/a"]
    assert here.disk == {}
    assert decision.status.models[0].summary == "Absent"


def test_an_invalid_file_changes_nothing_but_the_condition() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    good = here.settle()
    here.spoil()
    bad = here.step()
    assert (bad.start, bad.cancel, bad.routes) == ((), (), good.routes)
    assert (bad.status.generation, bad.status.epoch) == (1, 1)
    valid = bad.status.condition("ConfigValid")
    assert valid is not None
    assert (valid.status, valid.reason) == ("False", "InvalidYAML")
    assert bad.status.models == good.status.models


def test_nothing_is_loaded_until_the_device_is_known_but_files_come() -> None:
    here = world(a=2)
    here.probed = False
    edit(here, a=entry("a"))
    run_until(here, "download")
    here.end("download:hf:org/a")
    decision = here.step()
    assert decision.start == ()
    assert condition(decision, "a", "Admitted").reason == "ProbePending"
    assert decision.status.summary == "Progressing"
    here.probed = True
    here.settle()
    assert here.serving() == {"a"}


def test_one_model_in_trouble_does_not_hold_the_lane() -> None:
    here = world(a=2, b=2)
    here.repos["org/a"].load_fault = CUT
    edit(here, a=entry("a", priority=90), b=entry("b"))
    for _ in range(12):
        here.step()
        ready = [key for key in here.running if here.can_end(key)]
        if ready:
            here.end(ready[0])
    assert here.serving() == {"b"}
    here.repos["org/a"].load_fault = None
    here.settle()
    assert here.serving() == {"a", "b"}


def test_downloads_run_beside_each_other_up_to_their_limit() -> None:
    here = world(a=1, b=1, c=1)
    models = {key: entry(key) for key in "abc"}
    here.edit({"models": models, "limits": {"downloads": 2}})
    assert len(here.step().start) == 2
    here.end("download:hf:org/b")
    assert "download:hf:org/c" in here.history or here.step() is not None
    assert "download:hf:org/c" in here.history


def test_a_suspended_model_is_left_alone_and_goes_on_after_it() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    edit(here, a=entry("a", "downloaded", suspend=True))
    decision = here.settle()
    assert here.serving() == {"a"}
    assert condition(decision, "a", "Admitted").reason == "Suspended"
    edit(here, a=entry("a", "downloaded"))
    here.settle()
    assert here.serving() == set()


def test_a_suspended_document_starts_nothing_and_converges_when_it_ends() -> None:
    here = world(a=2, b=2)
    edit(here, {"x": "a"}, a=entry("a"))
    here.settle()
    count = len(here.history)
    here.edit({"suspend": True, "models": {"b": entry("b")}, "aliases": {"x": "b"}})
    decision = here.settle()
    assert len(here.history) == count
    assert decision.status.summary == "Suspended"
    assert decision.routes.names["x"] == ("b", "a")
    edit(here, {"x": "b"}, b=entry("b"))
    here.settle()
    assert here.serving() == {"b"}


def test_files_lost_under_a_serving_model_are_brought_again_and_it_serves_on() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    here.disk.clear()
    decision = here.step()
    assert here.serving() == {"a"}
    assert condition(decision, "a", "Downloaded").status == "False"
    here.settle()
    assert uid_of(here, "a") == "a#1"


def test_lost_files_of_a_serving_model_do_not_give_its_memory_to_another() -> None:
    here = world(a=10, b=8)
    edit(here, a=entry("a"), b=entry("b"))
    here.settle()
    del here.disk[ArtifactRef("hf:org/a")]
    decision = here.step()
    assert condition(decision, "a", "Downloaded").status == "False"
    assert condition(decision, "b", "Admitted").status == "False"


def test_numbers_of_instances_never_come_twice() -> None:
    here = world(a=2, b=2)
    for number in range(6):
        edit(here, a=entry("a", context=1024 + number), b=entry("b", context=2048 - number))
        here.settle()
    loads = [key for key in here.history if key.startswith("load:")]
    assert len(loads) == len(set(loads)) == 12


def test_a_number_that_was_promised_to_another_load_is_not_given_again() -> None:
    """a waits for a drain with number 2, so b is loaded as number 3 and fails; then a is gone."""
    here = world(a=10, b=4, gone=8)
    here.repos["org/b"].load_fault = CUT
    edit(here, gone=entry("gone"), a=entry("a", "downloaded"), b=entry("b", "downloaded"))
    here.settle()
    here.request("gone")
    edit(here, a=entry("a"), b=entry("b"))
    run_until(here, "load:b")
    here.end(here.history[-1])
    edit(here, b=entry("b"))
    here.repos["org/b"].load_fault = None
    here.settle()
    loads = [key for key in here.history if key.startswith("load:b")]
    assert len(loads) == len(set(loads)) == 2


def test_an_epoch_is_counted_when_what_holds_changes_and_not_otherwise() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    assert here.step().status.epoch == 1
    edit(here, a=entry("a"))
    again = here.step()
    assert (again.status.generation, again.status.epoch) == (2, 1)
    edit(here, a=entry("a", priority=1))
    assert here.step().status.epoch == 2
    core = Core(here.remembered, "0", "state")
    assert core.step(here.seen()).status.epoch == 2


def test_a_failed_unload_is_tried_again_later_and_not_at_once() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    edit(here)
    run_until(here, "unload:a#1")
    here.end("unload:a#1", Failure("StopFailed", "the process did not end"))
    decision = here.step()
    assert decision.start == ()
    assert decision.wake_at is not None
    here.settle()
    assert here.history.count("unload:a#1") == 2
    assert here.pool.residents == {}


def test_a_stale_promotion_has_no_effect() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    run_until(here, "promote:a#1")
    here.kill(next(iter(here.pool.residents)))
    here.end("promote:a#1")
    assert here.serving() == set()
    here.settle()
    assert uid_of(here, "a") == "a#2"


def test_a_phase_that_nobody_wants_any_more_is_undone_from_every_point() -> None:
    """After each event of a load, the model is removed: nothing of it stays."""
    for stop in range(1, 9):
        here = world(a=2)
        edit(here, a=entry("a"))
        for _ in range(stop):
            here.step()
            for key in list(here.running):
                if not here.running[key].begun:
                    here.begin(key)
                    break
                here.end(key)
                break
        edit(here)
        at_rest(here, here.settle())
        assert here.pool.residents == {}, stop


def test_an_edit_that_is_taken_back_while_it_drains_revives_the_instance() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    here.request("a")
    edit(here)
    run_until(here, "drain:a#1")
    here.begin("drain:a#1")
    edit(here, a=entry("a"))
    assert here.step().cancel == ("drain:a#1",)
    here.settle()
    assert uid_of(here, "a") == "a#1"
    assert here.pool.residents[uid_of(here, "a")].phase is InstancePhase.CURRENT  # type: ignore[index]


def test_the_spare_is_wanted_beside_an_mlx_model_while_it_fits_and_nothing_loads() -> None:
    here = world(a=2, big=15.7)
    edit(here, a=entry("a"))
    run_until(here, "load:a#1")
    assert here.decision is not None
    assert not here.decision.spare
    assert here.settle().spare
    edit(here, big=entry("big"))
    assert not here.settle().spare
    edit(here)
    assert not here.settle().spare


def test_a_core_without_a_document_serves_nothing_and_says_why() -> None:
    here = world(a=1)
    here.config = replace(here.config, message="there is no file")
    decision = here.step()
    assert (decision.start, decision.status.generation, decision.status.models) == ((), 0, ())
    valid = decision.status.condition("ConfigValid")
    assert valid is not None
    assert (valid.reason, valid.message) == ("NoLastGood", "there is no file")
