"""What failed: how often it is tried, what forgives it, and what it must not do to others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reconciler.actions import Failure
from reconciler.loop.core import Core
from reconciler.state import ExitReport, InstancePhase, InstanceUid, ModelKey
from tests.reconciler.stage import BROKEN, CUT, GATED, condition, edit, entry, run_until, world
from tests.reconciler.world import GIB, World


def loads(here: World) -> int:
    return sum(key.startswith("load:") for key in here.history)


def kill_current(here: World, key: str = "a") -> None:
    here.kill(here.pool.current[ModelKey(key)])


def test_a_load_that_fails_for_good_is_tried_once_and_again_after_each_change_that_matters() -> (
    None
):
    here = world(a=2, b=2)
    here.repos["org/a"].load_fault = BROKEN
    edit(here, a=entry("a"), b=entry("b"))
    decision = here.settle()
    assert loads(here) == 2
    assert condition(decision, "a", "Stalled").reason == "UnsupportedArchitecture"
    assert here.serving() == {"b"}
    here.sleep(86400)
    here.settle()
    edit(here, a=entry("a", priority=90), b=entry("b"))
    here.settle()
    assert loads(here) == 2
    changes: list[dict[str, Any]] = [{"context": 1024}, {"load_timeout": "10m"}]
    for tries, change in enumerate(changes, 3):
        edit(here, a=entry("a", **change), b=entry("b"))
        here.settle()
        assert loads(here) == tries
    here.memory += GIB
    here.settle()
    assert loads(here) == 5


def test_a_failure_for_good_survives_a_restart_but_not_other_software() -> None:
    here = world(a=2)
    here.repos["org/a"].load_fault = BROKEN
    edit(here, a=entry("a"))
    here.settle()
    here.restart()
    here.settle()
    assert loads(here) == 1
    newer = Core(here.remembered, "1", "state")
    assert [action.key for action in newer.step(here.seen()).start] == ["load:a#1"]


def test_five_crashes_in_an_hour_brake_and_an_edit_releases() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    for _ in range(5):
        here.settle()
        kill_current(here)
    decision = here.settle()
    assert here.serving() == set()
    assert condition(decision, "a", "Stalled").reason == "CrashLoop"
    assert loads(here) == 5
    edit(here, a=entry("a", context=1024))
    here.settle()
    assert here.serving() == {"a"}


def test_a_crash_waits_before_the_next_load_and_counts_once() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    kill_current(here)
    decision = here.step()
    assert decision.start == ()
    assert decision.forget == ("a#1",)
    assert here.remembered.failures["load:a"].count == 1
    here.step()
    assert here.remembered.failures["load:a"].count == 1
    assert decision.wake_at is not None
    here.at = decision.wake_at
    assert [action.key for action in here.step().start] == ["load:a#2"]


def test_a_worker_that_dies_in_its_load_is_filed_once() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    run_until(here, "load:a#1")
    here.begin("load:a#1")
    here.kill(InstanceUid("a#1"))
    here.step()
    assert here.remembered.failures["load:a"].count == 1
    here.step()
    assert here.remembered.failures["load:a"].count == 1


def test_a_load_that_is_seen_dead_before_it_is_reported_failed_is_filed_once() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    run_until(here, "load:a#1")
    here.begin("load:a#1")
    resident = here.pool.residents[InstanceUid("a#1")]
    resident.phase, resident.exit = InstancePhase.DEAD, ExitReport("WorkerCrashed", "signal 9")
    here.step()
    here.end("load:a#1", Failure("WorkerCrashed", "signal 9"))
    here.step()
    assert here.remembered.failures["load:a"].count == 1


def test_a_death_in_drain_is_no_crash() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    here.request("a")
    edit(here, a=entry("a", "downloaded"))
    run_until(here, "drain:a#1")
    here.begin("drain:a#1")
    here.kill(InstanceUid("a#1"))
    here.settle()
    assert here.remembered.failures == {}


def test_ten_healthy_minutes_forgive_the_crashes_before() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    kill_current(here)
    here.settle()
    here.sleep(599)
    here.step()
    assert "load:a" in here.remembered.failures
    here.sleep(2)
    here.step()
    assert here.remembered.failures == {}


def test_the_health_of_the_old_instance_does_not_forgive_the_failure_of_the_new_one() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    here.repos["org/a"].load_fault = BROKEN
    edit(here, a=entry("a", context=1024))
    here.settle()
    assert loads(here) == 2
    for _ in range(5):
        here.sleep(700)
        decision = here.settle()
    assert loads(here) == 2
    assert condition(decision, "a", "Degraded").reason == "ServingOldParams"


def test_a_failure_counts_for_the_token_it_was_tried_with() -> None:
    """The token is changed while a download runs that the old one is refused for."""
    here = world(a=2)
    here.repos["org/a"].download_fault = GATED
    edit(here, a=entry("a"))
    here.step()
    here.credentials = "better"
    here.end("download:hf:org/a")
    here.repos["org/a"].download_fault = None
    here.settle()
    assert here.serving() == {"a"}


def test_a_model_that_will_never_come_holds_no_memory_and_claims_it_back_when_it_can() -> None:
    here = world(a=10, b=10)
    here.repos["org/a"].download_fault = GATED
    edit(here, a=entry("a", priority=90), b=entry("b"))
    here.settle()
    assert here.serving() == {"b"}
    here.repos["org/a"].download_fault = None
    here.credentials = "better"
    here.settle()
    assert here.serving() == {"a"}


def test_a_download_is_tried_again_at_growing_intervals_for_as_long_as_it_takes() -> None:
    here = world(a=2)
    here.repos["org/a"].download_fault = CUT
    edit(here, a=entry("a"))
    waits = []
    for _ in range(10):
        here.step()
        here.end("download:hf:org/a")
        decision = here.step()
        assert decision.wake_at is not None
        waits.append((decision.wake_at - here.at).total_seconds())
        here.at = decision.wake_at
    assert condition(decision, "a", "Reconciling").reason == "ProgressingWithRetry"
    assert waits[0] <= 5
    assert 300 <= waits[-1] <= 600
    here.repos["org/a"].download_fault = None
    here.settle()
    assert here.serving() == {"a"}
    assert here.remembered.failures == {}


def test_a_clock_that_goes_back_does_not_stop_retries() -> None:
    here = world(a=2)
    here.repos["org/a"].download_fault = CUT
    edit(here, a=entry("a"))
    here.step()
    here.end("download:hf:org/a")
    here.step()
    here.sleep(-86400)
    here.repos["org/a"].download_fault = None
    assert [action.key for action in here.step().start] == ["download:hf:org/a"]


def test_a_cancelled_action_is_neither_success_nor_failure() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    run_until(here, "load:a#1")
    here.begin("load:a#1")
    edit(here)
    here.settle()
    assert here.remembered.failures == {}
    assert here.pool.residents == {}


def test_failures_of_a_removed_model_are_forgotten() -> None:
    here = world(a=2)
    here.repos["org/a"].load_fault = BROKEN
    edit(here, a=entry("a"))
    here.settle()
    edit(here)
    here.settle()
    assert here.remembered.failures == {}
    edit(here, a=entry("a"))
    here.settle()
    assert loads(here) == 2


def test_a_download_that_ended_badly_under_other_limits_does_not_stand() -> None:
    here = world(a=2)
    full = Failure("DiskFull", "needs 2 GiB, 1 GiB is free", terminal=True)
    here.repos["org/a"].download_fault = full
    edit(here, a=entry("a"))
    decision = here.settle()
    assert condition(decision, "a", "Downloaded").reason == "DiskFull"
    here.repos["org/a"].download_fault = None
    here.edit({"models": {"a": entry("a")}, "limits": {"free_disk": "0B"}})
    here.settle()
    assert here.serving() == {"a"}
    assert replace(full, terminal=False).reason == "DiskFull"
