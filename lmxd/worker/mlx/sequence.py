"""One sequence: tokens in, events out. Owned by the engine thread.

It outlives its place in the batch: after a fault, or when the KV pool ran out, it joins again
with the tokens it has, and the client sees nothing but a pause.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lmxd.worker.attribution import Attribution
from lmxd.worker.constrain import GrammarError
from lmxd.worker.engine import Opening
from lmxd.worker.mlx.job import Job
from lmxd.worker.mlx.logprobs import Known
from lmxd.worker.mlx.prefill import Prefill
from lmxd.worker.mlx.sampling import Row
from lmxd.worker.speech import Speech
from schemas.errors import Code
from schemas.inference import Event, Failed, Finish, FinishReason, Text, TokenLogprob

__all__ = ["Joining", "Sequence"]


class Joining(NamedTuple):
    """What the batch needs to go on with a sequence: tokens so far, tokens to come, a row, and
    the cache of all tokens but the last where there is one.
    """

    tokens: list[int]
    limit: int
    row: Row
    cache: list[Any] | None


class Sequence:
    """One answer to one prompt of a request, being generated.

    number: arrival order. index: which answer of the request it is. row: how its tokens are drawn.
    prefill: its prompt, processed apart from the batch. proven: whether it has given a token since
    it joined. careful: joins alone, because it was there when a step failed. faults: failed steps
    it saw that could be blamed on nobody.
    """

    def __init__(
        self, number: int, index: int, job: Job, opening: Opening, prefill: Prefill | None = None
    ) -> None:
        request, sampling = job.request, job.prepared.sampling
        self.number = number
        self.index = index
        self.request = request
        self.prompt = list(opening.tokens)
        self.limit = opening.limit
        self.generated: list[int] = []
        seed = None if sampling.seed is None else sampling.seed + index % request.n
        self.row = Row(sampling, seed, logprobs=request.logprobs)
        self.prefill = prefill
        self.proven = False
        self.careful = False
        self.faults = 0
        self.ended = False
        self._job = job
        self._opening = opening
        self._begun = False
        self._vocabulary = job.vocabulary
        self._attribution = None if request.logprobs is None else Attribution()
        reading = opening.reading
        # A grammar sees the space before the first word too.
        bound = reading.grammar is not None
        continues = request.prefill or request.kind == "completion" or bound
        parser = None if reading.parser is None else reading.parser()
        self._marked = parser is not None
        self._text = self._vocabulary.detokenizer(continues=continues, marked=self._marked)
        most = None if request.tool_use.parallel else 1
        forced = bound and request.tool_use.choice == "required"
        self._speech = Speech(
            request.id, index, request.stop, parser, self._attribution, most, forced=forced
        )

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

    def started(self) -> None:
        """It waits no more: its prompt is processed."""
        self._job.started()

    def begin(self) -> list[Event]:
        """Its prompt, where it is to be shown; one without a token to generate ends with it."""
        if self._begun:
            return []
        self._begun = True
        self.started()
        logprobs = self._prompt_logprobs() if self.request.echo else None
        shown = self._opening.shown
        events: list[Event] = [Text(self.id, self.index, shown, logprobs)] if shown else []
        return events if self.limit else self._end("length", events)

    def join(self) -> Joining:
        """What the batch needs to go on from here."""
        self.proven = False
        self.row.position = len(self.generated)
        text = self._vocabulary.detokenizer(continues=True, marked=True).feed
        try:
            self.row.constraint = self._opening.reading.constraint(self.generated, text)
        except GrammarError as error:
            self.row.error = error
        cache = None if self.prefill is None or self.generated else self.prefill.give()
        self.prefill = None
        return Joining(self.prompt + self.generated, self.remaining, self.row, cache)

    def advance(
        self, token: int, finish: FinishReason | None, known: Known | None = None
    ) -> list[Event]:
        """Takes the next token; `finish` says why it is the last. An end token has no text, but
        for a parser to which it is a marker.
        """
        self._job.advanced()
        self.proven, self.careful = True, False
        self.generated.append(token)
        if token in self._opening.ends:
            finish = "stop"
        trims = known is not None and self._text.trims
        silent = finish == "stop" and not (self._marked and self._vocabulary.marks(token))
        new = "" if silent else self._text.feed(token)
        if known is not None and not silent and (new or self._vocabulary.shows(token)):
            self._know(token, known, new, trims)
        events = self._speech.feed(new)
        if self._speech.over:
            return self._end("stop", events)
        if finish is None:
            return events
        rest = self._text.flush()
        if self._attribution is not None:
            self._attribution.complete(rest)
        events += self._speech.finish(rest)
        return self._end("stop" if self._speech.over else finish, events)

    def cancel(self) -> list[Event]:
        """Ends because nobody wants the rest."""
        return self._end("cancelled", [])

    def fail(self, code: Code, message: str, hint: str | None = None) -> list[Event]:
        """Ends in an error."""
        self.ended = True
        retryable = code in (Code.INTERNAL, Code.MODEL_DRAINING)
        failed = Failed(self.id, self.index, code, message, hint, retryable)
        return [failed, *self._job.ended(self._speech.reasoning)]

    def _end(self, reason: FinishReason, events: list[Event]) -> list[Event]:
        self.ended = True
        if reason == "stop" and self._speech.stop is None and self._speech.called:
            reason = "tool_calls"
        finish = Finish(self.id, self.index, reason, self._speech.stop)
        return [*events, finish, *self._job.ended(self._speech.reasoning)]

    def _prompt_logprobs(self) -> tuple[TokenLogprob, ...] | None:
        """Those of the prompt's tokens that have text; nothing foretold the first token."""
        if self.prefill is None or self.prefill.known is None:
            return None
        width, words = self.request.logprobs or 0, self._vocabulary
        trim = words.detokenizer(continues=False).trims
        told: list[TokenLogprob] = []
        for token, known in zip(self.prompt, [(None, []), *self.prefill.known], strict=True):
            if words.shows(token):
                told.append(words.told(token, known, width, trim=trim and not told))
        return tuple(told)

    def _know(self, token: int, known: Known, new: str, trims: bool) -> None:
        if self._attribution is not None:
            width = self.request.logprobs or 0
            self._attribution.add(self._vocabulary.told(token, known, width, trim=trims), new)
