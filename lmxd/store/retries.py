"""How often one attempt asks again before the reconciler's own backoff takes over.

Failures are ActionErrors by the time they come here; this decides only whether and when to ask
again. `FetchRules` holds every number, so that tests can make time small.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from schemas.errors import ActionError

_PASSING = {"HubUnreachable", "RateLimited", "DownloadStalled"}


@dataclass(frozen=True, slots=True)
class FetchRules:
    """The numbers of talking to a hub.

    connect_s: longest wait for a connection. answer_s: longest silence before and within an answer
    to a question (not a file). pace_s, pace_bytes: a transfer that brings fewer bytes than that
    in such a span has stalled. tries: failures in a row, without progress between them, until
    an attempt gives up. pause_s: wait after the first failure, doubled each time up to
    patience_s; a peer that asks for more than patience_s ends the attempt. progress: bytes that
    count as progress. buffer: bytes written and hashed at once.
    """

    connect_s: float = 10.0
    answer_s: float = 20.0
    pace_s: float = 30.0
    pace_bytes: int = 64 * 1024
    tries: int = 5
    pause_s: float = 1.0
    patience_s: float = 30.0
    progress: int = 64 * 1024
    buffer: int = 1024 * 1024


class Tries:
    """Counts the failures in a row of one attempt and waits between them."""

    def __init__(self, rules: FetchRules) -> None:
        self._rules = rules
        self._failed = 0

    def progressed(self, count: int) -> None:
        """So many bytes came since the last failure."""
        if count >= self._rules.progress:
            self._failed = 0

    async def pause(self, failure: ActionError) -> None:
        """Wait before the next try, or raise `failure` when there should be none."""
        self._failed += 1
        asked = failure.retry_after_s or 0.0
        passing = failure.reason in _PASSING and not failure.terminal
        if not passing or self._failed >= self._rules.tries or asked > self._rules.patience_s:
            raise failure
        doubled = self._rules.pause_s * 2 ** (self._failed - 1)
        await asyncio.sleep(max(asked, min(doubled, self._rules.patience_s)))
