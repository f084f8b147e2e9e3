"""The order in which memory moves: make before break, drains, victims, holds, revivals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from reconciler.actions import Action, Drain, Load, Plan, Unload
from reconciler.knowledge import Knowledge
from reconciler.plan import plan
from reconciler.state import (
    Demand,
    DiskState,
    Effective,
    EffectiveModel,
    InstancePhase,
    InstanceView,
    Live,
    ModelKey,
    Routes,
    ServingDefaults,
    Target,
)
from tests.reconciler.build import GIB, effective, instance, model, observed, spec, verified

Lines = list[tuple[str, tuple[str, ...]]]


def planned(
    wanted: Effective,
    disk: Mapping[str, DiskState],
    instances: Iterable[InstanceView] = (),
    running: Iterable[Action] = (),
    names: Mapping[str, tuple[str, ...]] | None = None,
) -> Plan:
    published = {name: tuple(map(ModelKey, keys)) for name, keys in (names or {}).items()}
    targets = {
        key: Target(key, Live.READY, ServingDefaults(), 8)
        for keys in published.values()
        for key in keys
    }
    known = Knowledge(published=Routes(names=published, targets=targets), serial=1)
    demands = {m.key: Demand(0, 1.0) for m in wanted.models if m.demanded}
    seen = observed(disk, instances, demands)
    return plan(wanted, seen, known, {action.key: action for action in running})


def lines(result: Plan) -> Lines:
    return [
        (step.action.key, step.after) for step in result.steps if "names" not in step.action.key
    ]


def load_of(each: EffectiveModel, uid: str, disk: DiskState | None = None) -> Load:
    return Load(each.key, uid, spec(each, disk), GIB, 120.0, 300.0)  # type: ignore[arg-type]


A, B = model("a"), model("b")


def test_a_model_is_loaded_and_then_promoted() -> None:
    result = planned(effective(A), {"a": verified(4)})
    assert lines(result) == [("load:a#1", ()), ("promote:a#1", ("load:a#1",))]
    load = result.steps[0].action
    assert isinstance(load, Load)
    assert load.reserve == 4 * GIB
    assert load.timeout_s == 120.0
    assert (result.memory_now, result.memory_after, result.memory_peak) == (0, 4 * GIB, 4 * GIB)


def test_the_memory_of_a_load_that_runs_is_counted_once() -> None:
    disk = verified(4)
    begun = instance(A, disk, InstancePhase.LOADING, "a#1", reserved=4 * GIB)
    result = planned(effective(A), {"a": disk}, [begun], [load_of(A, "a#1", disk)])
    assert (result.memory_now, result.memory_after, result.memory_peak) == (4 * GIB,) * 3
    unseen = planned(effective(A), {"a": disk}, running=[load_of(A, "a#1", disk)])
    assert (unseen.memory_now, unseen.memory_after) == (0, 4 * GIB)


def test_models_are_loaded_in_the_order_of_admission_with_numbers_of_their_own() -> None:
    urgent = model("b", priority=90)
    result = planned(effective(A, urgent), {"a": verified(1), "b": verified(1)})
    assert [key for key, _ in lines(result)] == [
        "load:b#1", "promote:b#1", "load:a#2", "promote:a#2",
    ]  # fmt: skip


def test_a_new_revision_is_made_before_the_old_one_is_broken_when_both_fit() -> None:
    old = instance(A, verified(4, revision="r0"))
    result = planned(effective(A), {"a": verified(4)}, [old])
    assert lines(result) == [
        ("load:a#1", ()),
        ("promote:a#1", ("load:a#1",)),
        ("drain:a#0", ("promote:a#1",)),
        ("unload:a#0", ("drain:a#0",)),
    ]
    assert result.memory_peak == 8 * GIB


def test_a_new_revision_waits_for_the_old_one_to_leave_when_only_one_fits() -> None:
    old = instance(A, verified(6, revision="r0"))
    result = planned(effective(A), {"a": verified(6)}, [old])
    assert lines(result) == [
        ("drain:a#0", ()),
        ("unload:a#0", ("drain:a#0",)),
        ("load:a#1", ("unload:a#0",)),
        ("promote:a#1", ("load:a#1",)),
    ]
    assert result.memory_peak == 6 * GIB


def test_what_nobody_wants_goes_at_once_and_its_memory_is_taken_before_that_of_others() -> None:
    """The unwanted one makes enough room, so the model's own old instance is not broken first."""
    gone = instance(model("gone"), verified(4))
    old = instance(A, verified(4, revision="r0"))
    result = planned(effective(A), {"a": verified(5)}, [old, gone])
    assert lines(result) == [
        ("drain:gone#0", ()),
        ("unload:gone#0", ("drain:gone#0",)),
        ("load:a#1", ("unload:gone#0",)),
        ("promote:a#1", ("load:a#1",)),
        ("drain:a#0", ("promote:a#1",)),
        ("unload:a#0", ("drain:a#0",)),
    ]


def test_only_as_many_instances_go_as_a_newcomer_needs() -> None:
    """Both b and c are to be renewed; one of them makes room for a, the other is not broken."""
    disk = {"a": verified(3), "b": verified(2), "c": verified(1)}
    b, c = model("b"), model("c")
    old = [instance(each, verified(4, revision="r0")) for each in (b, c)]
    result = planned(effective(A, b, c), disk, old)
    assert lines(result)[:3] == [
        ("drain:b#0", ()),
        ("unload:b#0", ("drain:b#0",)),
        ("load:a#1", ("unload:b#0",)),
    ]
    assert ("drain:c#0", ()) not in lines(result)


def test_a_newcomers_own_old_instance_goes_before_those_of_others() -> None:
    b = model("b")
    disk = {"a": verified(5), "b": verified(4)}
    old = [instance(b, verified(4, revision="r0")), instance(A, verified(5, revision="r0"))]
    assert lines(planned(effective(A, b), disk, old))[0] == ("drain:a#0", ())


def test_an_old_instance_that_cannot_be_renewed_now_keeps_serving() -> None:
    """Its new files are not there yet, or a failure forbids a try."""
    old = instance(A, verified(4, revision="r0"))
    assert lines(planned(effective(A), {"a": DiskState()}, [old])) == [("download:hf:org/a", ())]


def test_nothing_is_drained_for_a_newcomer_that_does_not_fit_all_the_same() -> None:
    """The suspended one holds what nobody can have."""
    held = model("s", suspended=True)
    kept = instance(held, verified(6))
    old = instance(A, verified(3, revision="r0"))
    result = planned(effective(A, held), {"a": verified(5), "s": verified(6)}, [kept, old])
    assert result.verdicts[ModelKey("a")].admitted is False
    assert ("drain:s#0", ()) not in lines(result)


def test_suspended_instances_are_left_as_they_are_whatever_their_phase() -> None:
    held = model("s", suspended=True)
    for phase in InstancePhase:
        kept = instance(held, verified(2, revision="r0"), phase)
        assert lines(planned(effective(held), {"s": verified(2)}, [kept])) == []


def test_a_name_keeps_its_instance_until_the_new_model_answers() -> None:
    """Alias x moves from a, which leaves, to b, which loads: a goes after b is promoted."""
    old = instance(A, verified(4))
    wanted = effective(B, aliases={"x": (B.key,)})
    result = planned(wanted, {"b": verified(4)}, [old], names={"x": ("a",)})
    assert lines(result) == [
        ("load:b#1", ()),
        ("promote:b#1", ("load:b#1",)),
        ("drain:a#0", ("promote:b#1",)),
        ("unload:a#0", ("drain:a#0",)),
    ]
    assert result.held == {"x": ("a",)}


def test_without_room_for_both_the_name_moves_at_the_start_of_the_drain() -> None:
    old = instance(A, verified(6))
    wanted = effective(B, aliases={"x": (B.key,)})
    result = planned(wanted, {"b": verified(6)}, [old], names={"x": ("a",)})
    assert lines(result)[0] == ("drain:a#0", ())
    assert result.held == {}


@pytest.mark.parametrize(
    ("target", "why"),
    [
        (model("b", "on-demand"), "it would wait for a request that the old one answers"),
        (model("b", "downloaded"), "it will never answer"),
        (model("b", suspended=True), "it is not touched"),
        (model("b", engine="gguf"), "it cannot be had"),
    ],
)
def test_a_name_holds_nothing_for_a_model_that_is_not_on_its_way(
    target: EffectiveModel, why: str
) -> None:
    old = instance(A, verified(4))
    wanted = effective(target, aliases={"x": (target.key,)})
    result = planned(wanted, {"b": verified(4)}, [old], names={"x": ("a",)})
    assert result.held == {}, why
    assert lines(result)[0] == ("drain:a#0", ())


def test_a_load_nobody_wants_is_cancelled_and_its_memory_waited_for() -> None:
    loading = instance(A, verified(6), InstancePhase.LOADING)
    running = load_of(A, "a#0", verified(6))
    result = planned(effective(B), {"b": verified(6)}, [loading], [running])
    assert [cancel.action for cancel in result.cancels] == ["load:a#0"]
    assert lines(result)[0] == ("load:b#1", ("load:a#0",))


def test_a_running_load_stays_in_the_plan_and_its_promotion_follows() -> None:
    loading = instance(A, verified(4), InstancePhase.LOADING)
    result = planned(effective(A), {"a": verified(4)}, [loading], [load_of(A, "a#0", verified(4))])
    assert lines(result) == [("load:a#0", ()), ("promote:a#0", ("load:a#0",))]
    assert result.cancels == ()


def test_while_the_new_one_loads_the_old_one_is_planned_to_leave_after_it() -> None:
    new, old = verified(4), verified(4, revision="r0")
    both = [
        instance(A, old, uid="a#0"),
        instance(A, new, InstancePhase.LOADING, uid="a#1"),
    ]
    result = planned(effective(A), {"a": new}, both, [load_of(A, "a#1", new)])
    assert lines(result)[2:] == [
        ("drain:a#0", ("promote:a#1",)),
        ("unload:a#0", ("drain:a#0",)),
    ]


def test_a_ready_instance_is_promoted_over_the_old_one_and_only_once() -> None:
    new, old = verified(4), verified(4, revision="r0")
    ready = instance(A, new, InstancePhase.READY, uid="a#1")
    result = planned(effective(A), {"a": new}, [instance(A, old), ready])
    assert lines(result)[0] == ("promote:a#1", ())
    twin = planned(effective(A), {"a": new}, [instance(A, new), ready])
    assert lines(twin) == [("unload:a#1", ())]


def test_an_instance_another_was_promoted_over_is_drained_while_it_has_claims() -> None:
    new, old = verified(4), verified(4, revision="r0")
    now = instance(A, new, uid="a#1")
    busy = instance(A, old, InstancePhase.READY, in_flight=2)
    assert lines(planned(effective(A), {"a": new}, [busy, now])) == [
        ("drain:a#0", ()),
        ("unload:a#0", ("drain:a#0",)),
    ]
    idle = instance(A, old, InstancePhase.READY)
    assert lines(planned(effective(A), {"a": new}, [idle, now])) == [("unload:a#0", ())]


def test_a_drain_of_what_is_wanted_again_is_cancelled_and_nothing_is_loaded_beside_it() -> None:
    draining = instance(A, verified(4), InstancePhase.DRAINING)
    drain = Drain(A.key, draining.uid, 300.0, "no longer to be loaded")
    result = planned(effective(A), {"a": verified(4)}, [draining], [drain])
    assert [cancel.action for cancel in result.cancels] == ["drain:a#0"]
    assert lines(result) == []


def test_a_drain_of_what_is_wanted_again_goes_on_when_its_like_is_loading_already() -> None:
    draining = instance(A, verified(4), InstancePhase.DRAINING, uid="a#0")
    loading = instance(A, verified(4), InstancePhase.LOADING, uid="a#1")
    drain = Drain(A.key, draining.uid, 300.0, "no longer to be loaded")
    running: list[Action] = [drain, load_of(A, "a#1", verified(4))]
    result = planned(effective(A), {"a": verified(4)}, [draining, loading], running)
    assert result.cancels == ()
    assert ("drain:a#0", ()) in lines(result)


@pytest.mark.parametrize("phase", [InstancePhase.DRAINED, InstancePhase.STOPPING])
def test_what_is_drained_is_unloaded_and_loaded_anew_when_wanted_again(
    phase: InstancePhase,
) -> None:
    ended = instance(A, verified(6), phase)
    result = planned(effective(A), {"a": verified(6)}, [ended])
    assert lines(result)[:2] == [("unload:a#0", ()), ("load:a#1", ("unload:a#0",))]
    unload = result.steps[0].action
    assert isinstance(unload, Unload)
    assert unload.frees == 6 * GIB


def test_a_load_that_fits_now_does_not_wait_for_one_that_waits_for_a_drain() -> None:
    small = model("s")
    gone = instance(model("gone"), verified(6), InstancePhase.DRAINING, in_flight=1)
    drain = Drain(ModelKey("gone"), gone.uid, 3600.0, "no longer to be loaded")
    disk = {"a": verified(6), "s": verified(3)}
    result = planned(effective(A, small), disk, [gone], [drain])
    assert ("load:a#1", ("unload:gone#0",)) in lines(result)
    assert ("load:s#2", ()) in lines(result)


def test_each_newcomer_waits_for_the_memory_that_the_ones_before_it_leave() -> None:
    gone = [instance(model(key), verified(5)) for key in ("x", "y")]
    result = planned(effective(A, B), {"a": verified(5), "b": verified(5)}, gone)
    assert ("load:a#1", ("unload:x#0",)) in lines(result)
    assert ("load:b#2", ("unload:y#0",)) in lines(result)
    assert result.memory_peak == 10 * GIB


def test_a_drain_lasts_as_long_as_the_document_says_now_or_said_when_it_was_loaded() -> None:
    there, gone = model("a", "downloaded", drain_s=7.0), model("gone")
    both = [instance(there, verified(2)), instance(gone, verified(2), drain_s=9.0)]
    result = planned(effective(there), {"a": verified(2)}, both)
    limits = {
        s.action.model: s.action.deadline_s for s in result.steps if isinstance(s.action, Drain)
    }
    assert limits == {"a": 7.0, "gone": 9.0}


def test_changes_in_place_move_nothing() -> None:
    disk = {"a": verified(4)}
    serving = instance(A, verified(4))
    for fields in ({"parallel": 1}, {"priority": 90}, {"keep_alive_s": 1.0}, {"drain_s": 1.0}):
        assert planned(effective(model("a", **fields)), disk, [serving]).empty
    assert not planned(effective(model("a", context=1024)), disk, [serving]).empty


def test_until_the_device_is_known_nothing_is_loaded_and_nothing_leaves() -> None:
    seen = observed({"a": verified(4)}, [instance(B, verified(4))], probed=False)
    result = plan(effective(A), seen, Knowledge(), {})
    assert result.steps == ()
    assert result.budget is None
    assert result.verdicts[A.key].reason == "ProbePending"


def test_a_suspended_document_is_left_as_it_is() -> None:
    old = instance(A, verified(4, revision="r0"))
    gone = instance(B, verified(4))
    assert planned(effective(A, suspended=True), {"a": verified(4)}, [old, gone]).empty
