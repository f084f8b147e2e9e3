"""On-demand models that displace each other over and over: the one that comes back has to wait."""

from __future__ import annotations

from datetime import timedelta

from reconciler.state import Live, ModelKey
from reconciler.thrash import Displaced, Refusal, Thrash
from schemas.errors import Code
from tests.reconciler.build import AT
from tests.reconciler.stage import condition, edit, entry, world
from tests.reconciler.test_admission import asked, on_demand, settle_busy
from tests.reconciler.world import World

A, B = ModelKey("a"), ModelKey("b")


def rivals(memory: int = 16, **fields: object) -> World:
    """Only one of the two fits, and requests want them by turns, 20 seconds apart."""
    here = world(memory=memory, a=10, b=10)
    edit(here, a=on_demand("a", **fields), b=on_demand("b", **fields))
    here.settle()
    return here


def take_turns(here: World, times: int, apart_s: float = 20) -> None:
    for turn in range(times):
        asked(here, "ab"[turn % 2])
        here.sleep(apart_s)


def test_the_third_displacement_within_ten_minutes_has_the_loser_refused_with_the_reason() -> None:
    here = rivals()
    take_turns(here, 4)
    assert here.serving() == {"b"}
    here.request("a")
    decision = here.step()
    target = decision.routes.targets[A]
    assert (target.live, target.code, target.retry) == (Live.REFUSED, Code.THRASHING, False)
    assert "a and b displaced each other 3 times within 10 minutes" in target.message
    assert "until 2026-11-20T12:11:00Z" in target.message
    assert condition(decision, "a", "Admitted").reason == "Thrashing"
    settle_busy(here)
    assert here.serving() == {"b"}
    assert here.waiting == [], "whoever waits is told at once"


def test_two_displacements_are_no_thrashing() -> None:
    here = rivals()
    take_turns(here, 3)
    assert here.serving() == {"a"}
    asked(here, "a")


def test_displacements_that_are_further_apart_are_none_either() -> None:
    here = rivals(keep_alive="forever")
    take_turns(here, 8, apart_s=301)
    assert here.serving() == {"b"}


def test_models_that_fit_together_or_left_by_themselves_displace_nobody() -> None:
    here = rivals(memory=32)
    take_turns(here, 8)
    assert here.serving() == {"a", "b"}
    here = rivals(keep_alive="0s")
    take_turns(here, 8)
    asked(here, "a")


def test_after_ten_minutes_it_may_displace_again() -> None:
    here = rivals(keep_alive="forever")
    take_turns(here, 4)
    here.sleep(560)
    decision = here.step()
    assert decision.routes.targets[A].code is Code.THRASHING
    assert decision.wake_at == here.at + timedelta(seconds=20)
    here.sleep(20)
    here.step()
    asked(here, "a")
    assert here.serving() == {"a"}


def test_where_there_is_room_again_the_refused_one_is_loaded() -> None:
    here = rivals()
    take_turns(here, 4)
    edit(here, a=on_demand("a"), b=entry("b", "downloaded"))
    here.settle()
    asked(here, "a")
    assert here.serving() == {"a"}


def test_a_retry_lifts_it() -> None:
    here = rivals()
    take_turns(here, 4)
    here.retries.add(A)
    here.step()
    asked(here, "a")
    assert here.serving() == {"a"}


def test_it_counts_displacements_of_one_pair_only() -> None:
    here = world(memory=16, a=10, b=10, c=10)
    edit(here, **{key: on_demand(key) for key in "abc"})
    here.settle()
    for key in "abcabc":
        asked(here, key)
        here.sleep(20)
    assert here.serving() == {"c"}
    asked(here, "a")


def test_a_refused_model_that_is_in_use_is_not_displaced() -> None:
    here = rivals()
    take_turns(here, 4)
    edit(here, a=on_demand("a"), b=entry("b", "downloaded"))
    here.settle()
    here.request("a")
    settle_busy(here)
    edit(here, a=on_demand("a"), b=on_demand("b"))
    here.request("b")
    settle_busy(here)
    assert here.serving() == {"a"}


def test_a_clock_that_goes_back_far_makes_it_void() -> None:
    thrash = Thrash((Displaced(AT, A, B),), {A: Refusal(AT + timedelta(minutes=10), B, 3)})
    assert thrash.at(AT) == thrash
    assert thrash.at(AT - timedelta(hours=1)) == Thrash()
    assert thrash.at(AT + timedelta(minutes=10)) == Thrash()
