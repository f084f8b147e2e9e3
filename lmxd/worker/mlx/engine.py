"""The MLX engine: requests join and leave one running batch, and each fails alone.

All of it runs on the engine thread, but `prepare`. Order is arrival order: a request waits in the
queue until a row and room in the KV pool are free. When running sequences outgrow the pool, the
youngest goes back to the queue with its tokens. When a step raises, the batch is built anew from
the tokens every sequence has (`_recover`).
"""

from __future__ import annotations

import gc
import math
import time
from collections import deque
from pathlib import Path
from typing import cast

import mlx.core as mx
import mlx_lm  # noqa: F401 - imported here so that a spare that said hello is warm
import transformers  # noqa: F401

from lmxd.worker import log
from lmxd.worker.constrain import GrammarError
from lmxd.worker.engine import Answered, Opening, Prepared, Report
from lmxd.worker.mlx import loading
from lmxd.worker.mlx.batch import Generator, Response, prefill_step
from lmxd.worker.mlx.chats import Chats
from lmxd.worker.mlx.job import Job
from lmxd.worker.mlx.pool import Pool
from lmxd.worker.mlx.prefill import Prefill
from lmxd.worker.mlx.probe import versions
from lmxd.worker.mlx.prompts import Prompts
from lmxd.worker.mlx.sampling import Place
from lmxd.worker.mlx.sequence import Sequence
from lmxd.worker.pulse import Pulse, resident_bytes
from schemas.errors import ActionError, Code
from schemas.frames import Limits, Load
from schemas.inference import Event, Failed, FinishReason, Request, Sampling

__all__ = ["MlxEngine", "open_engine", "warm"]

# Failed steps, with nobody to blame, that one sequence may live through.
_FAULTS = 3
# The shortest prompt, in tokens, that is worth processing apart for several answers.
_SHARED = 64


def warm() -> dict[str, str]:
    """See EngineModule: importing this module did it."""
    return versions()


def open_engine(load: Load, pulse: Pulse, report: Report) -> MlxEngine:
    """See EngineModule."""
    _check_options(load)
    model = loading.load(Path(load.path), report)
    pulse.enter("warm-up")
    # On a pulse of its own: the first steps compile kernels and may take minutes, which is
    # normal in the phase warm-up and a hang in the phase decode.
    MlxEngine(model, load.limits, Pulse()).warm_up()
    engine = MlxEngine(model, load.limits, pulse)
    engine.read_ahead()
    return engine


def _check_options(load: Load) -> None:
    if load.task not in ("auto", "chat"):
        reason = f"engine mlx serves task chat, not {load.task!r}"
    elif load.options:
        reason = f"engine mlx has no option {sorted(load.options)[0]!r}"
    else:
        return
    raise ActionError("UnsupportedField", reason, terminal=True)


def _prefill(request: Request, opening: Opening) -> Prefill | None:
    """How this prompt is processed; None: with the batch, once for each answer."""
    told = request.logprobs if request.echo else None
    if told is None and (request.n == 1 or len(opening.tokens) < _SHARED):
        return None
    return Prefill(list(opening.tokens), request.n, told)


class MlxEngine:
    """See Engine."""

    def __init__(self, model: loading.Model, limits: Limits, pulse: Pulse) -> None:
        own = limits.context if model.context is None else min(limits.context, model.context)
        self._model = model
        self._pool = Pool.of(model.cost, limits.kv_bytes, own)
        self._parallel = max(1, limits.parallel)
        self._pulse = pulse
        self._chats = Chats(model)
        self._vocabulary = self._chats.vocabulary
        self._prompts = Prompts(model, self._chats, self._pool.context)
        self._waiting: deque[Sequence] = deque()
        self._running: dict[int, Sequence] = {}  # by the generator's uid, in joining order
        self._timed: list[Job] = []  # those with a deadline
        self._events: list[Event] = []
        self._count = 0
        self._generator = self._build()
        self.context = self._pool.context
        self.capabilities = self._prompts.capabilities
        self.tokenizer_sha = model.tokenizer_sha

    @property
    def busy(self) -> bool:
        """See Engine."""
        return bool(self._running or self._waiting or self._events)

    def memory(self) -> int:
        """See Engine."""
        return max(resident_bytes(), mx.get_active_memory() + mx.get_cache_memory())

    def prepare(self, request: Request, arrived: float) -> Prepared | Answered:
        """See Engine."""
        return self._prompts.prepare(request, arrived)

    def submit(self, prepared: Prepared) -> None:
        """See Engine."""
        job = Job(prepared, self._vocabulary)
        self._events.append(job.accepted())
        if job.due < math.inf:
            self._timed.append(job)
        index = 0
        for opening in prepared.openings:
            prefill = _prefill(prepared.request, opening)
            for _ in range(prepared.request.n):
                self._count += 1
                self._waiting.append(Sequence(self._count, index, job, opening, prefill))
                index += 1

    def cancel(self, request_id: str) -> None:
        """See Engine."""
        for sequence in [*self._running.values(), *self._waiting]:
            if sequence.id == request_id:
                self._events += sequence.cancel()
        self._drop_ended()

    def limit_memory(self, limit: int) -> None:
        """See Engine."""
        mx.set_memory_limit(limit)
        mx.set_cache_limit(limit // 8)

    def abort(self, code: str, message: str) -> list[Event]:
        """See Engine."""
        for sequence in [*self._running.values(), *self._waiting]:
            self._events += sequence.fail(Code(code), message)
        self._drop_ended()
        return self._take_events()

    def step(self) -> list[Event]:
        """See Engine."""
        if self._timed:
            self._end_overdue(time.monotonic())
        self._make_room()
        self._admit()
        self._count_rows()  # before the step too: the beat tells it while a long one runs
        if self._running:
            self._decode()
        return self._take_events()

    def read_ahead(self) -> None:
        """Begins what no request should have to wait for."""
        self._chats.read_ahead()

    def warm_up(self) -> None:
        """Takes first steps of every kind, so that no client pays for compiling them."""
        if self._pool.context < 3:
            raise ActionError(
                "LoadFailed",
                f"the KV pool of {self._pool.capacity} bytes holds {self._pool.context} tokens",
                hint="raise kv_memory",
                terminal=True,
            )
        for place, temperature in enumerate((0.0, 1.0)):
            request = Request(f"warm-up-{place}", "", ())
            sampling = Sampling(temperature=temperature, top_p=0.5)
            opening = Opening([0] * (place + 1), 2)
            self.submit(Prepared(request, (opening,), sampling, 0.0))
        while self.busy:
            for event in self.step():
                if isinstance(event, Failed):
                    raise ActionError(
                        "LoadFailed",
                        f"the model loads but takes no step: {event.message}",
                        terminal=True,
                    )

    def _build(self) -> Generator:
        return Generator(
            self._model.module,
            parallel=self._parallel,
            end_tokens=self._model.tokenizer.eos_token_ids,
            kept=self._model.tokenizer.encode("\n", add_special_tokens=False)[-1:],
            pulse=self._pulse,
        )

    def _end_overdue(self, now: float) -> None:
        self._timed = [job for job in self._timed if not job.over]
        for job in self._timed:
            if job.due < now:
                message = f"the answer was not complete after {job.request.deadline_ms} ms"
                for sequence in [*self._running.values(), *self._waiting]:
                    if sequence.request is job.request:
                        self._events += sequence.fail(Code.DEADLINE_EXCEEDED, message)
                self._drop_ended()

    def _make_room(self) -> None:
        """Puts the youngest back into the queue until the others can grow by a token; a prompt
        that waits with its cache gives that up before.
        """
        prefill = self._waiting[0].prefill if self._waiting else None
        if prefill is not None and prefill.held:
            lengths = [sequence.length for sequence in self._running.values()]
            if not self._pool.fits([prefill.held, *lengths]):
                prefill.drop()
        while not self._pool.fits(sequence.length for sequence in self._running.values()):
            uid, youngest = max(self._running.items(), key=lambda item: item[1].number)
            self._generator.drop([uid])
            del self._running[uid]
            self._waiting.appendleft(youngest)

    def _admit(self) -> None:
        while self._waiting and len(self._running) < self._parallel:
            sequence = self._waiting[0]
            if not self._may_join(sequence) or not self._prefilled(sequence):
                return
            self._waiting.popleft()
            self._events += sequence.begin()
            if not sequence.ended:
                self._running[self._generator.add(*sequence.join())] = sequence

    def _may_join(self, sequence: Sequence) -> bool:
        running = list(self._running.values())
        on_trial = [other for other in running if other.careful]
        if on_trial or (sequence.careful and any(not other.proven for other in running)):
            return False
        wanted = sequence.length + self._pool.reserve(sequence.remaining)
        lengths = [wanted, *(other.length for other in running)]
        prefill = sequence.prefill
        if prefill is not None and prefill.kept:
            prefill.alone = not self._pool.fits([prefill.kept, *lengths])
        return self._pool.fits(lengths)

    def _prefilled(self, sequence: Sequence) -> bool:
        """Whether its prompt is processed, where that happens apart; else does a piece of it."""
        prefill = sequence.prefill
        if prefill is None or prefill.complete:
            return True
        if any(not other.proven for other in self._running.values()):
            return False  # the batch is at a prompt: one piece a step
        sequence.started()
        self._pulse.enter("prefill")
        try:
            prefill.advance(
                self._model.module, prefill_step(len(self._running), [len(sequence.prompt)])
            )
        except Exception as error:  # noqa: BLE001 - it ran alone, so it is to blame alone
            for other in self._waiting:
                if other.prefill is prefill:
                    self._fail(other, error)
            self._drop_ended()
            return False
        return prefill.complete

    def _decode(self) -> None:
        sequences = self._running.values()
        prompts = [sequence.length for sequence in sequences if not sequence.proven]
        self._generator.prefill_step_size = prefill_step(len(sequences) - len(prompts), prompts)
        try:
            responses = self._generator.take_step()
        except Exception as error:  # noqa: BLE001 - whatever a backend throws; see _recover
            self._recover(error)
            return
        for response in responses:
            sequence = self._running[response.uid]
            if sequence.row.error is None:
                self._advance(sequence, response)
        for sequence in self._running.values():
            if sequence.row.error is not None and not sequence.ended:
                self._fail(sequence, sequence.row.error)
        self._drop_done()

    def _advance(self, sequence: Sequence, response: Response) -> None:
        try:
            reason: FinishReason | None = None
            if response.finish_reason is not None:
                reason = "stop" if response.finish_reason == "stop" else "length"
            place = cast("Place", response.logprobs)
            known = None if place is None else place[0].at(place[1])
            self._events += sequence.advance(response.token, reason, known)
        except Exception as error:  # noqa: BLE001 - a tokenizer's failure is its own request's
            self._fail(sequence, error)

    def _fail(self, sequence: Sequence, error: Exception) -> None:
        log.write("request-failed", request=sequence.id, error=repr(error))
        if isinstance(error, GrammarError) and error.too_complex:
            message = f"the format became too complex to hold the answer to it: {error}"
            hint = "ask for fewer optional properties, or for less nesting"
            self._events += sequence.fail(Code.INVALID_REQUEST, message, hint)
            return
        self._events += sequence.fail(Code.INTERNAL, f"generation failed: {error}")

    def _recover(self, error: Exception) -> None:
        """Builds the batch anew after a step raised.

        1. Exactly one sequence has given no token since it joined: it is to blame, and fails.
        2. Else nobody is: all join again one by one, each alone on trial until its first token,
           so that the next failure finds its culprit by 1.
        3. A sequence that lived through `_FAULTS` of case 2 fails, so this ends.
        """
        sequences = sorted(self._running.values(), key=lambda sequence: sequence.number)
        unproven = [sequence for sequence in sequences if not sequence.proven]
        log.write("step-failed", rows=len(sequences), suspects=len(unproven), error=repr(error))
        if len(unproven) == 1:
            self._fail(unproven[0], error)
        else:
            for sequence in sequences:
                sequence.faults += 1
                if sequence.faults >= _FAULTS:
                    self._fail(sequence, error)
        self._generator.end()
        self._running.clear()
        for sequence in reversed(sequences):
            if not sequence.ended:
                sequence.careful = True
                self._waiting.appendleft(sequence)
        gc.collect()
        mx.clear_cache()
        self._generator = self._build()

    def _drop_ended(self) -> None:
        self._drop_done()
        self._waiting = deque(item for item in self._waiting if not item.ended)

    def _drop_done(self) -> None:
        """Those that run; of those that wait, none ends in a step."""
        ended = [uid for uid, sequence in self._running.items() if sequence.ended]
        if ended:
            self._generator.drop(ended)  # one that ended by itself is gone: no error
            for uid in ended:
                del self._running[uid]

    def _count_rows(self) -> None:
        self._pulse.active, self._pulse.waiting = len(self._running), len(self._waiting)
        self._pulse.device_bytes = mx.get_active_memory() + mx.get_cache_memory()

    def _take_events(self) -> list[Event]:
        self._count_rows()
        events, self._events = self._events, []
        return events
