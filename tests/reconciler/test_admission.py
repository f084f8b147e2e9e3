"""Who gets memory, through the fake world: classes, demand, measurements, and their reasons."""

from __future__ import annotations

import pytest

from reconciler.actions import Need
from reconciler.knowledge import Knowledge
from reconciler.plan import plan
from reconciler.state import Demand, InstancePhase, Live, ModelKey
from schemas.errors import Code
from tests.reconciler.build import GIB, effective, instance, model, observed, verified
from tests.reconciler.stage import condition, edit, entry, run_until, world
from tests.reconciler.world import World
from tests.simulation.rest import at_rest


def on_demand(name: str, **fields: object) -> dict[str, object]:
    return entry(name, "on-demand", **{"keep_alive": "5m", **fields})


def asked(here: World, name: str) -> None:
    """A request comes, is served and ends."""
    here.request(name)
    settle_busy(here)
    here.release(here.pool.current[ModelKey(name)])


def settle_busy(here: World, limit: int = 60) -> None:
    """Go on until nothing moves, with running requests left running."""
    for _ in range(limit):
        here.step()
        ready = [key for key in here.running if here.can_end(key)]
        if ready:
            here.end(ready[0])
        elif not here.running:
            return
    raise AssertionError(here.history)


def test_an_on_demand_model_is_loaded_by_a_request_and_leaves_after_its_keep_alive() -> None:
    here = world(a=2)
    edit(here, a=on_demand("a"))
    decision = here.settle()
    assert here.serving() == set()
    assert decision.routes.targets[ModelKey("a")].live is Live.ON_DEMAND
    assert decision.status.models[0].summary == "Idle"
    asked(here, "a")
    here.sleep(299)
    assert here.step().wake_at is not None
    assert here.serving() == {"a"}
    here.sleep(1)
    at_rest(here, here.settle())
    assert here.serving() == set()


def test_a_running_request_keeps_the_model_however_long_it_takes() -> None:
    here = world(a=2)
    edit(here, a=on_demand("a", keep_alive="0s"))
    here.settle()
    here.request("a")
    settle_busy(here)
    here.sleep(3600)
    assert here.step().start == ()
    here.release(here.pool.current[ModelKey("a")])
    here.sleep(0.5)
    here.settle()
    assert here.serving() == set()


def test_keep_alive_forever_stays() -> None:
    here = world(a=2)
    edit(here, a=on_demand("a", keep_alive="forever"))
    here.settle()
    asked(here, "a")
    here.sleep(30 * 86400)
    decision = here.settle()
    assert here.serving() == {"a"}
    assert decision.wake_at is None


def test_a_demand_does_not_displace_a_busy_model_and_waits_for_it() -> None:
    here = world(a=10, b=10)
    edit(here, a=on_demand("a", priority=1), b=on_demand("b", priority=99))
    here.settle()
    here.request("a")
    settle_busy(here)
    here.request("b")
    decision = here.step()
    assert here.serving() == {"a"}
    assert condition(decision, "b", "Admitted").status == "False"
    assert decision.routes.targets[ModelKey("b")].live is Live.ON_DEMAND
    assert decision.wake_at is not None
    assert (decision.wake_at - here.at).total_seconds() <= 1
    here.release(here.pool.current[ModelKey("a")])
    settle_busy(here)
    assert here.serving() == {"b"}


def test_a_demand_displaces_the_least_recently_used_idle_one() -> None:
    here = world(a=6, b=6, c=6)
    edit(here, **{key: on_demand(key) for key in "abc"})
    here.settle()
    for key in "ab":
        asked(here, key)
        here.sleep(10)
    here.request("c")
    settle_busy(here)
    assert here.serving() == {"b", "c"}


def test_priority_comes_before_recent_use_among_idle_ones() -> None:
    here = world(a=6, b=6, c=6)
    edit(here, a=on_demand("a", priority=90), b=on_demand("b"), c=on_demand("c"))
    here.settle()
    for key in "ab":
        asked(here, key)
        here.sleep(10)
    here.request("c")
    settle_busy(here)
    assert here.serving() == {"a", "c"}


def test_a_demand_never_displaces_a_loaded_model_and_is_refused_at_once() -> None:
    here = world(a=10, b=10)
    edit(here, a=entry("a", priority=0), b=on_demand("b", priority=99))
    decision = here.settle()
    target = decision.routes.targets[ModelKey("b")]
    assert (target.live, target.code, target.retry) == (Live.REFUSED, Code.NOT_ADMITTED, False)
    assert "10.2 GiB" in target.message
    assert here.serving() == {"a"}


def test_a_claim_that_comes_before_the_drain_of_a_displaced_model_keeps_it() -> None:
    here = world(a=10, b=10)
    edit(here, a=on_demand("a"), b=on_demand("b"))
    here.settle()
    asked(here, "a")
    here.request("b")
    decision = here.step()
    assert [action.key for action in decision.start] == ["drain:a#1"]
    here.request("a")
    here.begin("drain:a#1")
    assert here.step().cancel == ("drain:a#1",)
    here.settle()
    assert "unload:a#1" in here.history or here.serving() == {"a"}


def test_a_loaded_model_displaces_a_busy_demanded_one_after_its_drain() -> None:
    here = world(a=10, b=10)
    edit(here, a=on_demand("a", drain="1m"))
    here.settle()
    here.request("a")
    settle_busy(here)
    edit(here, a=on_demand("a", drain="1m"), b=entry("b"))
    run_until(here, "drain:a#1")
    here.begin("drain:a#1")
    assert not here.can_end("drain:a#1")
    here.sleep(60)
    settle_busy(here)
    assert here.serving() == {"b"}


def test_a_loser_is_loaded_once_the_document_makes_room() -> None:
    here = world(a=10, b=10)
    edit(here, a=entry("a"), b=entry("b"))
    decision = here.settle()
    assert here.serving() == {"a"}
    reason = condition(decision, "b", "Admitted")
    assert (reason.status, reason.reason) == ("False", "InsufficientMemory")
    assert condition(decision, "b", "Stalled").status == "False"
    edit(here, a=entry("a", "downloaded"), b=entry("b"))
    here.settle()
    assert here.serving() == {"b"}


def test_what_never_fits_is_stalled_and_the_others_go_on() -> None:
    here = world(a=20, b=2)
    edit(here, a=entry("a", priority=99), b=entry("b"))
    decision = here.settle()
    assert here.serving() == {"b"}
    assert condition(decision, "a", "Stalled").reason == "NeverFits"
    assert decision.routes.targets[ModelKey("a")].code is Code.NOT_ADMITTED


def test_a_model_that_turns_out_larger_is_measured_and_others_leave_by_the_new_number() -> None:
    here = world(a=5, b=5)
    here.repos["org/a"].factor = 2.5
    edit(here, b=entry("b"))
    here.settle()
    edit(here, b=entry("b"), a=entry("a", priority=90))
    at_rest(here, here.settle())
    assert here.serving() == {"a"}
    assert here.history.count("load:a#2") == 1


def test_a_model_that_turns_out_too_large_for_the_whole_budget_leaves_and_stays_away() -> None:
    here = world(a=10, b=2)
    here.repos["org/a"].factor = 2.0
    edit(here, a=entry("a"), b=entry("b"))
    decision = here.settle()
    at_rest(here, decision)
    assert here.serving() == {"b"}
    assert condition(decision, "a", "Admitted").reason == "NeverFits"
    assert sum(key.startswith("load:a") for key in here.history) == 1


def test_a_smaller_measurement_lets_others_in_only_at_a_new_epoch() -> None:
    here = world(a=10, b=8)
    here.repos["org/a"].factor = 0.5
    edit(here, a=entry("a"), b=entry("b"))
    decision = here.settle()
    assert here.serving() == {"a"}
    epoch = decision.status.epoch
    edit(here, a=entry("a"), b=entry("b", system="Be terse."))
    decision = here.settle()
    assert decision.status.epoch == epoch + 1
    assert here.serving() == {"a", "b"}


def test_a_reload_reserves_what_was_measured_although_admission_has_not_moved() -> None:
    here = world(a=4)
    here.repos["org/a"].factor = 2.0
    edit(here, a=entry("a"))
    here.settle()
    here.kill(here.pool.current[ModelKey("a")])
    here.settle()
    again = here.pool.residents[here.pool.current[ModelKey("a")]].action
    assert again.uid == "a#2"
    assert again.reserve >= 8 * GIB


def test_the_pool_of_kv_memory_counts() -> None:
    here = world(a=6, b=6)
    edit(here, a=entry("a", kv_memory="4GiB"), b=entry("b"))
    decision = here.settle()
    assert here.serving() == {"a"}
    model_status = decision.status.models[0]
    assert model_status.memory.kv_pool == 4 * GIB


def test_admission_does_not_depend_on_what_is_loaded() -> None:
    """Whatever of a, b and c is loaded before, the same two are admitted."""
    models = [model(key, priority=p) for key, p in (("a", 90), ("b", 50), ("c", 50))]
    disk = {key: verified(4) for key in "abc"}
    for bits in range(8):
        there = [instance(each, disk[each.key]) for n, each in enumerate(models) if bits & (1 << n)]
        result = plan(effective(*models), observed(disk, there), Knowledge(), {})
        assert [result.verdicts[each.key].admitted for each in models] == [True, True, False]


@pytest.mark.parametrize("phase", [InstancePhase.CURRENT, InstancePhase.LOADING])
def test_what_serves_counts_while_its_new_files_are_not_there(phase: InstancePhase) -> None:
    old = instance(model("a"), verified(6), phase)
    wanted = effective(model("a"), model("b"))
    result = plan(wanted, observed({"b": verified(6)}, [old]), Knowledge(), {})
    need = result.verdicts[ModelKey("a")].need
    assert need == Need(weights=6 * GIB, basis="measured")
    assert result.verdicts[ModelKey("b")].admitted is False


def test_a_pinned_demand_is_not_displaced_by_a_waiting_one() -> None:
    wanted = effective(
        model("p", "on-demand", pinned=True, demanded=True),
        model("q", "on-demand", priority=99, demanded=True),
    )
    demands = {"p": Demand(0, 100.0), "q": Demand(3, 0.0)}
    disk = {"p": verified(6), "q": verified(6)}
    result = plan(wanted, observed(disk, (), demands), Knowledge(), {})
    assert result.verdicts[ModelKey("p")].admitted
    assert not result.verdicts[ModelKey("q")].admitted


def test_what_was_measured_counts_at_once_where_a_suspended_model_keeps_the_rest() -> None:
    """Two names of one source: what the first takes is known of the second, which cannot fit."""
    here = world(one=4)
    here.repos["org/one"].factor = 2.0
    edit(here, a=entry("one"))
    run_until(here, "load:a")
    edit(here, a=entry("one", suspend=True), b=entry("one", revision="main"))
    decision = here.settle()
    told = condition(decision, "b", "Admitted")
    assert (told.status, told.reason) == ("False", "InsufficientMemory")
    at_rest(here, decision)


def test_a_model_that_died_comes_back_into_what_others_turn_out_to_leave() -> None:
    """Beside the other's real size there is room for its own real size, not for the estimate."""
    here = world(memory=12, one=7, two=3)
    here.repos["org/one"].factor = 0.8
    here.repos["org/two"].factor = 1.9
    edit(here, a=entry("one"), b=entry("two"))
    run_until(here, "load:b")
    here.kill(next(i for i in here.pool.residents if i.startswith("a#")))
    decision = here.settle()
    assert here.serving() == {"a", "b"}
    at_rest(here, decision)
