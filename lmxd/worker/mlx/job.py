"""One request: the sequences that answer it, and what is told of it as a whole.

A request has a sequence for each answer to each prompt. They wait, run, fail and end on their
own; the request is accepted once, before the first of them, and its usage comes after the last.
Owned by the engine thread.
"""

from __future__ import annotations

import math
import time

from lmxd.worker.engine import Prepared
from lmxd.worker.mlx.detokenize import Vocabulary
from schemas.inference import Accepted, Event, Timings, Usage

__all__ = ["Job"]


class Job:
    """A request that is being answered."""

    def __init__(self, prepared: Prepared, vocabulary: Vocabulary) -> None:
        self.prepared = prepared
        self.request = prepared.request
        self.vocabulary = vocabulary
        self._open = len(prepared.openings) * prepared.request.n
        self._prompt = sum(len(opening.tokens) for opening in prepared.openings)
        self._completion = 0
        self._reasoning = 0
        self._started: float | None = None
        self._first: float | None = None

    def accepted(self) -> Event:
        """The first event."""
        return Accepted(self.request.id, 0, prompt_tokens=self._prompt)

    @property
    def due(self) -> float:
        """When it must be over, by the clock of `Prepared.arrived`; infinity: whenever."""
        deadline = self.request.deadline_ms
        return math.inf if deadline is None else self.prepared.arrived + deadline / 1000

    @property
    def over(self) -> bool:
        """Whether all its sequences have ended."""
        return not self._open

    def started(self) -> None:
        """One of its sequences waits no more."""
        self._started = self._started or time.monotonic()

    def advanced(self) -> None:
        """A token came."""
        self._completion += 1
        self._first = self._first or time.monotonic()

    def ended(self, reasoning: int) -> list[Event]:
        """A sequence ended, `reasoning` of its tokens were that; after the last comes the usage."""
        self._open -= 1
        self._reasoning += reasoning
        return [] if self._open else [self._usage()]

    def _usage(self) -> Usage:
        now = time.monotonic()
        started = self._started or now
        first = self._first or now
        timings = Timings(started - self.prepared.arrived, first - started, now - first)
        return Usage(
            self.request.id, 0, self._prompt, self._completion, 0, timings, self._reasoning
        )
