"""At most one model of a group, and at most so many instances: who is in, and in which order."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from reconciler.settled import gaps
from reconciler.state import InstancePhase, Live, ModelKey
from schemas.errors import Code
from tests.reconciler.build import effective, instance, model, verified
from tests.reconciler.stage import condition, entry, run_until, uid_of, world
from tests.reconciler.test_admission import asked, on_demand, settle_busy
from tests.reconciler.test_lane import lines, planned
from tests.reconciler.world import World
from tests.simulation.rest import at_rest


def edit(at: World, loaded: int | None = None, aliases: object = None, **models: object) -> None:
    limits = {"memory": "100%", **({} if loaded is None else {"loaded": loaded})}
    at.edit({"models": models, "aliases": aliases or {}, "limits": limits})


def test_of_a_group_the_first_in_rank_is_loaded_and_the_other_is_told_who_has_it() -> None:
    here = world(a=2, b=2, c=2)
    edit(
        here,
        a=entry("a", group="big"),
        b=entry("b", group="big", priority=90),
        c=entry("c", group="other"),
    )
    decision = here.settle()
    at_rest(here, decision)
    assert here.serving() == {"b", "c"}
    told = condition(decision, "a", "Admitted")
    assert (told.status, told.reason) == ("False", "GroupTaken")
    assert "group big has b (priority 90)" in told.message
    assert "set b to downloaded" in told.message
    assert condition(decision, "a", "Stalled").status == "False"
    assert decision.routes.targets[ModelKey("a")].code is Code.NOT_ADMITTED


def test_the_rest_of_a_group_takes_over_when_its_first_leaves_and_never_beside_it() -> None:
    here = world(a=2, b=2)
    edit(here, a=entry("a", group="big"), b=entry("b", group="big"))
    here.settle()
    edit(here, a=entry("a", "downloaded", group="big"), b=entry("b", group="big"))
    here.settle()
    assert here.serving() == {"b"}
    assert here.history.index("unload:a#1") < here.history.index("load:b#2")


def test_a_switch_within_a_group_breaks_before_it_makes_though_both_fit() -> None:
    first, second = model("a", "downloaded", group="g"), model("b", group="g")
    held = {"x": ("a",)}
    old = instance(first, verified(1))
    wanted = effective(first, second, aliases={"x": (ModelKey("b"),)})
    result = planned(wanted, {"a": verified(1), "b": verified(1)}, [old], names=held)
    assert lines(result) == [
        ("drain:a#0", ()),
        ("unload:a#0", ("drain:a#0",)),
        ("load:b#1", ("unload:a#0",)),
        ("promote:b#1", ("load:b#1",)),
    ]


def test_a_reload_of_a_model_is_made_beside_it_whatever_its_group() -> None:
    each = model("a", group="g")
    old = instance(each, verified(1, revision="r0"))
    result = planned(effective(each), {"a": verified(1)}, [old])
    assert [key for key, _ in lines(result)][:2] == ["load:a#1", "promote:a#1"]


@pytest.mark.parametrize("phase", [InstancePhase.DRAINING, InstancePhase.STOPPING])
def test_a_load_waits_for_one_of_its_group_that_is_leaving_already(phase: InstancePhase) -> None:
    """Although another load of the same plan counts on its memory."""
    gone = instance(model("old", "downloaded", group="g"), verified(6), phase)
    first, second = model("a", priority=90), model("b", group="g")
    wanted = effective(first, second, model("old", "downloaded", group="g"))
    disk = {"a": verified(6), "b": verified(2), "old": verified(6)}
    waits = dict(lines(planned(wanted, disk, [gone])))
    assert "unload:old#0" in waits["load:a#1"]
    assert waits["load:b#2"] == ("unload:old#0",)


def test_a_request_for_one_of_a_group_displaces_the_idle_other_and_waits_for_the_busy_one() -> None:
    here = world(a=2, b=2)
    edit(here, a=on_demand("a", group="g"), b=on_demand("b", group="g"))
    here.settle()
    here.request("a")
    settle_busy(here)
    here.request("b")
    assert here.step().routes.targets[ModelKey("b")].live is Live.ON_DEMAND
    assert here.serving() == {"a"}
    here.release(here.pool.current[ModelKey("a")])
    settle_busy(here)
    assert here.serving() == {"b"}


def test_a_request_for_one_whose_group_is_always_taken_is_refused_at_once() -> None:
    here = world(a=2, b=2)
    edit(here, a=entry("a", group="g"), b=on_demand("b", group="g", priority=99))
    target = here.settle().routes.targets[ModelKey("b")]
    assert (target.live, target.code, target.retry) == (Live.REFUSED, Code.NOT_ADMITTED, False)
    assert "group g has a" in target.message


def test_a_suspended_model_keeps_its_group_while_it_is_loaded() -> None:
    here = world(a=2, b=2)
    edit(here, a=entry("a", group="g"), b=entry("b", group="g", priority=90, state="downloaded"))
    here.settle()
    edit(here, a=entry("a", group="g", suspend=True), b=entry("b", group="g", priority=90))
    decision = here.settle()
    assert here.serving() == {"a"}
    assert "a (suspended)" in condition(decision, "b", "Admitted").message


def test_a_suspended_model_that_answers_is_not_called_leaving() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    edit(here, a=entry("a", suspend=True))
    told = condition(here.settle(), "a", "Degraded")
    assert (told.status, told.reason) == ("False", "Suspended")


@pytest.mark.parametrize("outside", [True, False])
def test_a_crash_of_the_past_is_not_why_a_model_has_no_place(outside: bool) -> None:
    here = world(a=2, b=2)
    edit(here, a=entry("a", group="g"), b=entry("b", "downloaded", group="g"))
    here.settle()
    here.kill(uid_of(here, "a"), outside=outside)
    here.settle()
    assert here.serving() == {"a"}
    edit(here, a=entry("a", group="g"), b=entry("b", group="g", priority=90))
    decision = here.settle()
    assert here.serving() == {"b"}
    model = decision.status.model("a")
    assert model is not None
    assert (model.summary, model.failure) == ("NotAdmitted", UNSET)
    (gap,) = gaps(decision.picture, ["a", "b"])
    assert (gap.reason, gap.pending) == ("GroupTaken", False)
    target = decision.routes.targets[ModelKey("a")]
    assert target.message.startswith("a is not admitted: group g has b (priority 90)")


def test_so_many_are_loaded_in_rank_order_and_the_next_is_told_how_many_there_are() -> None:
    here = world(a=1, b=1, c=1)
    edit(here, 2, a=entry("a"), b=entry("b", priority=90), c=entry("c"))
    decision = here.settle()
    at_rest(here, decision)
    assert here.serving() == {"a", "b"}
    told = condition(decision, "c", "Admitted")
    assert (told.status, told.reason) == ("False", "TooManyLoaded")
    assert "2 of 2 places are taken by b (priority 90), a (priority 50)" in told.message
    assert "raise limits.loaded to 3" in told.message


def test_a_reload_at_the_limit_breaks_before_it_makes_though_both_fit_in_memory() -> None:
    old = instance(model("a"), verified(1, revision="r0"))
    here = effective(model("a"), loaded=1)
    assert [key for key, _ in lines(planned(here, {"a": verified(1)}, [old]))] == [
        "drain:a#0", "unload:a#0", "load:a#1", "promote:a#1",
    ]  # fmt: skip
    roomy = effective(model("a"), loaded=2)
    first = lines(planned(roomy, {"a": verified(1)}, [old]))[0]
    assert first == ("load:a#1", ())


def test_a_lower_limit_unloads_the_last_in_rank() -> None:
    here = world(a=1, b=1)
    edit(here, a=entry("a"), b=entry("b"))
    here.settle()
    edit(here, 1, a=entry("a"), b=entry("b"))
    at_rest(here, here.settle())
    assert here.serving() == {"a"}


def test_at_the_limit_a_request_displaces_the_least_recently_used_idle_model() -> None:
    here = world(a=1, b=1, c=1)
    edit(here, 2, **{key: on_demand(key) for key in "abc"})
    here.settle()
    for key in "ab":
        asked(here, key)
        here.sleep(10)
    here.request("c")
    settle_busy(here)
    assert here.serving() == {"b", "c"}


def test_a_limit_full_of_loaded_models_refuses_requests_for_others_at_once() -> None:
    here = world(a=1, b=1)
    edit(here, 1, a=entry("a"), b=on_demand("b"))
    target = here.settle().routes.targets[ModelKey("b")]
    assert (target.live, target.code) == (Live.REFUSED, Code.NOT_ADMITTED)
    assert "limits.loaded" in target.message


def test_one_that_only_stays_for_a_name_goes_when_the_limit_is_lowered() -> None:
    here = world(a=1, b=1)
    edit(here, 2, {"x": "a"}, a=entry("a"), b=entry("b", "downloaded"))
    here.settle()
    edit(here, 2, {"x": "b"}, a=entry("a", "downloaded"), b=entry("b"))
    run_until(here, "load:b#2")
    assert here.serving() == {"a"}
    edit(here, 1, {"x": "b"}, a=entry("a", "downloaded"), b=entry("b"))
    assert "drain:a#1" in [action.key for action in here.step().start]
    here.settle()
    assert here.serving() == {"b"}
