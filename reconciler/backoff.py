"""Backoff as data: what failed, how often, and when it may be tried again.

A record belongs to a subject ("download:hf:org/repo", "load:day-coder") and to a failure key: a
hash of everything that could make the next try end differently. While the key is unchanged a
terminal failure is not tried again, and a retryable one waits; when the key changes, the record
no longer counts. Pure: the caller passes the instant.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from reconciler.actions import Failure

BASE_S = 5.0
CAP_S = 600.0
BRAKE_COUNT = 5
BRAKE_WINDOW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Record:
    """The failures of one subject under one key. `retry_at` None: only another key retries it.

    `recent` holds the instants of the last failures within the brake's window.
    """

    key: str
    reason: str
    message: str
    count: int
    retry_at: datetime | None
    recent: tuple[datetime, ...]


@lru_cache(maxsize=4096, typed=True)
def failure_key(*facts: Hashable) -> str:
    """A short hash of the facts that decide whether another try can end differently."""
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]


def failed(
    previous: Record | None, key: str, failure: Failure, at: datetime, *, brake: bool
) -> Record:
    """The record after one more failure.

    `brake`: five failures within an hour make the failure terminal (reason CrashLoop).
    """
    if previous is not None and previous.key != key:
        previous = None
    count = (previous.count if previous else 0) + 1
    recent = tuple(t for t in (previous.recent if previous else ()) if at - t < BRAKE_WINDOW)
    recent = (*recent, at)[-BRAKE_COUNT:]
    if brake and not failure.terminal and len(recent) >= BRAKE_COUNT:
        message = (
            f"{BRAKE_COUNT} failures within an hour, the last: {failure.message}; "
            "change the model's entry or restart lmxd to try again"
        )
        return Record(key, "CrashLoop", message, count, None, recent)
    retry_at = None if failure.terminal else at + timedelta(seconds=_wait_s(count, key, failure))
    return Record(key, failure.reason, failure.message, count, retry_at, recent)


def blocks(record: Record | None, key: str, at: datetime) -> bool:
    """Whether this record forbids a try now. A clock that went back far does not forbid it."""
    if record is None or record.key != key:
        return False
    if record.retry_at is None:
        return True
    return timedelta() < record.retry_at - at <= timedelta(seconds=2 * CAP_S)


def _wait_s(count: int, key: str, failure: Failure) -> float:
    """Doubling from 5 s to 10 min, spread over [half, whole]; the peer's own advice is a floor."""
    whole = min(CAP_S, BASE_S * 2.0 ** min(count - 1, 16))
    spread = int(failure_key(key, count)[:4], 16) / 0xFFFF
    return max(whole * (0.5 + spread / 2), min(failure.retry_after_s or 0.0, CAP_S))
