"""One sequence: tokens in, events out. Owned by the engine thread.

It outlives its place in the batch: after a fault, or when the KV pool ran out, it joins again
with the tokens it has, and the client sees nothing but a pause.
"""

from __future__ import annotations

import time

from lmxd.worker.attribution import Attribution
from lmxd.worker.constrain import Constraint, GrammarError
from lmxd.worker.engine import Prepared
from lmxd.worker.mlx.detokenize import Vocabulary
from lmxd.worker.mlx.logprobs import Known
from lmxd.worker.mlx.sampling import Row
from lmxd.worker.parsing.stop import StopMatcher
from schemas.errors import Code
from schemas.inference import Accepted, Event, Failed, Finish, FinishReason, Text, Timings, Usage

__all__ = ["Sequence"]


class Sequence:
    """A request that is being generated.

    number: arrival order. row: how its tokens are drawn; new at each `join`. proven: whether it
    has given a token since it joined. careful: joins alone, because it was there when a step
    failed. faults: failed steps it saw that could be blamed on nobody.
    """

    def __init__(self, number: int, prepared: Prepared, vocabulary: Vocabulary) -> None:
        self.number = number
        self.request = prepared.request
        self.prompt = list(prepared.tokens)
        self.limit = prepared.limit
        self.generated: list[int] = []
        self.row = Row(
            prepared.sampling, prepared.sampling.seed, logprobs=prepared.request.logprobs
        )
        self.proven = False
        self.careful = False
        self.faults = 0
        self.ended = False
        self._vocabulary = vocabulary
        self._grammar = prepared.grammar
        # A grammar sees the space before the first word too.
        continues = prepared.request.prefill or prepared.grammar is not None
        self._text = vocabulary.detokenizer(continues=continues)
        self._attribution = None if prepared.request.logprobs is None else Attribution()
        self._stops = StopMatcher(prepared.request.stop)
        self._arrived = prepared.arrived
        self._joined: float | None = None
        self._first: float | None = None

    @property
    def id(self) -> str:
        """The request's id."""
        return self.request.id

    @property
    def length(self) -> int:
        """Tokens in its cache after the next step."""
        return len(self.prompt) + len(self.generated) + 1

    @property
    def remaining(self) -> int:
        """Tokens it may still generate."""
        return self.limit - len(self.generated)

    def join(self) -> tuple[list[int], int, Row]:
        """What the batch needs to go on from here: tokens so far, tokens to come, a fresh row."""
        self._joined = self._joined or time.monotonic()
        self.proven = False
        self.row.position = len(self.generated)
        if self._grammar is not None:
            try:
                self.row.constraint = Constraint(self._grammar, self.generated)
            except GrammarError as error:
                self.row.error = error
        return self.prompt + self.generated, self.remaining, self.row

    def overdue(self, now: float) -> bool:
        """Whether its deadline has passed."""
        deadline = self.request.deadline_ms
        return deadline is not None and now > self._arrived + deadline / 1000

    def accepted(self) -> Event:
        """The first event."""
        return Accepted(self.id, 0, prompt_tokens=len(self.prompt))

    def advance(
        self, token: int, finish: FinishReason | None, known: Known | None = None
    ) -> list[Event]:
        """Takes the next token; `finish` says why it is the last. An end token has no text."""
        self._first = self._first or time.monotonic()
        self.proven, self.careful = True, False
        self.generated.append(token)
        trims = known is not None and self._text.trims
        new = "" if finish == "stop" else self._text.feed(token)
        if known is not None and finish != "stop" and self._vocabulary.shows(token):
            self._know(token, known, new, trims)
        if finish is None:
            shown = self._stops.feed(new) if new else ""
            if self._stops.hit is None:
                return self._said(shown)
            return self._end("stop", shown)
        rest = self._text.flush()
        if self._attribution is not None:
            self._attribution.complete(rest)
        shown = self._stops.feed(new + rest) + self._stops.flush()
        return self._end("stop" if self._stops.hit is not None else finish, shown)

    def cancel(self) -> list[Event]:
        """Ends because nobody wants the rest."""
        return self._end("cancelled", "")

    def fail(self, code: Code, message: str, hint: str | None = None) -> list[Event]:
        """Ends in an error."""
        self.ended = True
        retryable = code in (Code.INTERNAL, Code.MODEL_DRAINING)
        return [Failed(self.id, 0, code, message, hint, retryable), self._usage()]

    def _end(self, reason: FinishReason, shown: str) -> list[Event]:
        self.ended = True
        return [
            *self._said(shown),
            Finish(self.id, 0, reason, self._stops.hit),
            self._usage(),
        ]

    def _know(self, token: int, known: Known, new: str, trims: bool) -> None:
        if self._attribution is not None:
            width = self.request.logprobs or 0
            self._attribution.add(self._vocabulary.told(token, known, width, trim=trims), new)

    def _said(self, shown: str) -> list[Event]:
        if not shown:
            return []
        if self._attribution is None:
            return [Text(self.id, 0, shown)]
        return [Text(self.id, 0, shown, self._attribution.shown(shown))]

    def _usage(self) -> Usage:
        now = time.monotonic()
        joined = self._joined or now
        first = self._first or now
        timings = Timings(joined - self._arrived, first - joined, now - first)
        return Usage(self.id, 0, len(self.prompt), len(self.generated), 0, timings)
