"""One request: its texts that wait, and what is told of it as a whole.

Owned by the engine thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from lmxd.worker.embedding.pooling import cut
from lmxd.worker.engine import Opening, Prepared
from schemas.errors import Code
from schemas.inference import Accepted, Event, Failed, Finish, Score, Timings, Usage, Vector

__all__ = ["Job", "Row"]


@dataclass(frozen=True, slots=True)
class Row:
    """One text of a request, and its place among them."""

    job: Job
    index: int
    opening: Opening


class Job:
    """A request that is being answered. careful: a batch it was in failed, so it goes alone."""

    def __init__(self, prepared: Prepared) -> None:
        self.id = prepared.request.id
        self.careful = False
        self.ended = False
        self._prepared = prepared
        rows = [Row(self, place, each) for place, each in enumerate(prepared.openings)]
        # Longest last, where they are taken from: texts of like length share a batch.
        self.waiting = sorted(rows, key=lambda row: len(row.opening.tokens))
        self._open = len(rows)
        self._tokens = sum(len(each.tokens) for each in prepared.openings)
        self._started: float | None = None

    def accepted(self) -> Event:
        """The first event."""
        return Accepted(self.id, 0, prompt_tokens=self._tokens)

    def overdue(self, now: float) -> bool:
        """Whether its deadline has passed."""
        deadline = self._prepared.request.deadline_ms
        return deadline is not None and now > self._prepared.arrived + deadline / 1000

    def take(self) -> Row:
        """Its longest text that waits."""
        self._started = self._started or time.monotonic()
        return self.waiting.pop()

    def answer(self, row: Row, data: bytes) -> list[Event]:
        """The vector of one of its texts, in float32; after the last of them comes the usage."""
        dimensions = self._prepared.request.dimensions
        vector = data if dimensions is None else cut(data, dimensions)
        return self._told(Vector(self.id, row.index, vector))

    def score(self, row: Row, value: float) -> list[Event]:
        """The score of one of its documents."""
        return self._told(Score(self.id, row.index, value))

    def fail(self, code: Code, message: str) -> list[Event]:
        """It ends in an error."""
        self.ended = True
        return [Failed(self.id, 0, code, message), self._usage()]

    def cancel(self) -> list[Event]:
        """Nobody waits for it any more."""
        self.ended = True
        return [Finish(self.id, 0, "cancelled"), self._usage()]

    def _told(self, event: Event) -> list[Event]:
        self._open -= 1
        if self._open:
            return [event]
        self.ended = True
        return [event, self._usage()]

    def _usage(self) -> Usage:
        now = time.monotonic()
        started = self._started or now
        timings = Timings(started - self._prepared.arrived, now - started, 0.0)
        return Usage(self.id, 0, self._tokens, 0, 0, timings)
