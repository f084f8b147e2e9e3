"""Backoff as data: when a failure may be tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.actions import Failure
from reconciler.backoff import Record, blocks, failed, failure_key
from tests.reconciler.build import AT

CUT = Failure("HubUnreachable", "cut")
GATED = Failure("GatedRepo", "gated", terminal=True)


def after(*failures: Failure, brake: bool = False, step_s: float = 0.0) -> Record:
    record = None
    for number, failure in enumerate(failures):
        at = AT + timedelta(seconds=step_s * number)
        record = failed(record, "key", failure, at, brake=brake)
    assert record is not None
    return record


def wait_s(record: Record) -> float:
    assert record.retry_at is not None
    return (record.retry_at - AT).total_seconds()


@given(st.integers(min_value=1, max_value=40), st.text(max_size=8))
def test_the_wait_doubles_from_5_s_to_10_min_and_is_spread_over_its_upper_half(
    count: int, key: str
) -> None:
    record = Record(key, "r", "m", count - 1, None, ())
    whole = min(600.0, 5.0 * 2 ** (count - 1))
    assert whole / 2 <= wait_s(failed(record, key, CUT, AT, brake=False)) <= whole


def test_the_spread_differs_from_key_to_key() -> None:
    waits = {wait_s(failed(None, str(n), CUT, AT, brake=False)) for n in range(20)}
    assert len(waits) > 10


def test_the_peers_own_advice_is_a_floor_up_to_ten_minutes() -> None:
    advised = Failure("RateLimited", "slow down", retry_after_s=90)
    assert wait_s(after(advised)) == 90
    assert wait_s(after(Failure("RateLimited", "slow down", retry_after_s=9999))) == 600
    assert wait_s(after(Failure("RateLimited", "slow down", retry_after_s=1))) >= 2.5


def test_a_terminal_failure_is_blocked_for_good_under_its_key_and_not_under_another() -> None:
    record = after(GATED)
    assert record.retry_at is None
    assert blocks(record, "key", AT + timedelta(days=999))
    assert not blocks(record, "other", AT)


def test_a_retryable_failure_is_blocked_until_its_time() -> None:
    record = after(CUT)
    assert record.retry_at is not None
    assert blocks(record, "key", AT)
    assert blocks(record, "key", record.retry_at - timedelta(milliseconds=1))
    assert not blocks(record, "key", record.retry_at)
    assert not blocks(None, "key", AT)


def test_another_key_starts_counting_anew() -> None:
    record = failed(after(CUT, CUT, CUT), "other", CUT, AT, brake=True)
    assert record.count == 1
    assert record.recent == (AT,)


def test_five_failures_in_an_hour_brake() -> None:
    assert after(*[CUT] * 4, brake=True, step_s=600).retry_at is not None
    braked = after(*[CUT] * 5, brake=True, step_s=600)
    assert braked.reason == "CrashLoop"
    assert braked.retry_at is None
    assert "cut" in braked.message


def test_five_failures_in_more_than_an_hour_do_not_brake_nor_do_they_without_brake() -> None:
    assert after(*[CUT] * 9, brake=True, step_s=901).reason == "HubUnreachable"
    assert after(*[CUT] * 9, brake=False).reason == "HubUnreachable"


def test_a_clock_that_went_back_far_does_not_block_and_one_that_went_back_a_little_waits() -> None:
    record = after(CUT)
    assert not blocks(record, "key", AT - timedelta(days=1))
    assert blocks(record, "key", AT - timedelta(minutes=5))


@pytest.mark.parametrize("facts", [("a", 1), ("a", 2), ("b", 1), ("a1",)])
def test_failure_keys_differ_with_every_fact(facts: tuple[object, ...]) -> None:
    others = {("a", 1), ("a", 2), ("b", 1), ("a1",)} - {facts}
    assert failure_key(*facts) == failure_key(*facts)
    assert all(failure_key(*facts) != failure_key(*other) for other in others)
