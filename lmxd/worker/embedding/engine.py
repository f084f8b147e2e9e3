"""The engine of embeddings and scores: texts of all requests share batches, sorted by length.

All of it runs on the engine thread, but `prepare`. Requests take turns: a step begins with the
longest text of the one whose turn it is and fills up with its next and those of others, so a
request with thousands of texts does not keep one with a single text waiting.
"""

from __future__ import annotations

import gc
import math
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import mlx.core as mx

from lmxd.worker import log
from lmxd.worker.embedding import loading
from lmxd.worker.embedding.batch import Batch
from lmxd.worker.embedding.job import Job, Row
from lmxd.worker.embedding.texts import Texts
from lmxd.worker.engine import Answered, Opening, Prepared, Report
from lmxd.worker.mlx.probe import versions
from lmxd.worker.pulse import Pulse, resident_bytes
from schemas.errors import ActionError, Code
from schemas.frames import Limits, Load
from schemas.inference import Event, Request

__all__ = ["EmbeddingEngine", "open_engine", "warm"]

# Tokens of one batch, with padding. One text may be longer.
_TOKENS = 4096
# Multiplications after which a batch is computed layer by layer, so that the beat goes on: on a
# machine without a GPU a long text can take a minute.
_LONG_WORK = 2e10


def warm() -> dict[str, str]:
    """See EngineModule: importing this module did it."""
    return versions()


def open_engine(load: Load, pulse: Pulse, report: Report) -> EmbeddingEngine:
    """See EngineModule."""
    if load.options:
        reason = f"task {load.task} has no option {sorted(load.options)[0]!r}"
        raise ActionError("UnsupportedField", reason, terminal=True)
    model = loading.load(Path(load.path), load.task, report)
    pulse.enter("warm-up")
    return EmbeddingEngine(model, load.limits, pulse)


class EmbeddingEngine:
    """See Engine."""

    def __init__(self, model: loading.Model, limits: Limits, pulse: Pulse) -> None:
        self._model = model
        self._pulse = pulse
        self._jobs: deque[Job] = deque()  # those with texts that wait; whose turn it is comes first
        self._events: list[Event] = []
        self.context = min(limits.context, model.context)
        self._texts = Texts(model, self.context, self._try())
        self.capabilities = self._texts.capabilities
        self.tokenizer_sha = model.tokenizer_sha

    @property
    def busy(self) -> bool:
        """See Engine."""
        return bool(self._jobs or self._events)

    def memory(self) -> int:
        """See Engine."""
        return max(resident_bytes(), mx.get_active_memory() + mx.get_cache_memory())

    def prepare(self, request: Request, arrived: float) -> Prepared | Answered:
        """See Engine."""
        return self._texts.prepare(request, arrived)

    def submit(self, prepared: Prepared) -> None:
        """See Engine."""
        job = Job(prepared)
        self._events.append(job.accepted())
        self._jobs.append(job)

    def cancel(self, request_id: str) -> None:
        """See Engine."""
        for job in self._jobs:
            if job.id == request_id:
                self._events += job.cancel()
        self._drop_ended()

    def limit_memory(self, limit: int) -> None:
        """See Engine."""
        mx.set_memory_limit(limit)
        mx.set_cache_limit(limit // 8)

    def abort(self, code: str, message: str) -> list[Event]:
        """See Engine."""
        for job in self._jobs:
            self._events += job.fail(Code(code), message)
        self._drop_ended()
        return self._take_events()

    def step(self) -> list[Event]:
        """See Engine."""
        now = time.monotonic()
        for job in self._jobs:
            if job.overdue(now):
                self._events += job.fail(Code.DEADLINE_EXCEEDED, "its time was over")
        self._drop_ended()
        rows = self._gather()
        self._count(rows)
        if rows:
            self._answer(rows)
        self._drop_ended()
        return self._take_events()

    def _try(self) -> int:
        """Runs one token through the model, which compiles its kernels; how wide a vector is."""
        try:
            found = self._run([Opening([0], 0)])
        except Exception as error:
            raise ActionError(
                "LoadFailed", f"the model loads but takes no step: {error}", terminal=True
            ) from error
        return found.shape[1] if found.ndim > 1 else 0

    def _gather(self) -> list[Row]:
        """The next batch, from whose turn it is and then from others."""
        rows: list[Row] = []
        width = 0
        for job in self._jobs:
            if rows and (job.careful or rows[0].job.careful):
                continue
            while job.waiting:
                wider = max(width, len(job.waiting[-1].opening.tokens))
                if rows and wider * (len(rows) + 1) > _TOKENS:
                    break
                width = wider
                rows.append(job.take())
        self._jobs.rotate(-1)
        return rows

    def _answer(self, rows: list[Row]) -> None:
        try:
            found = self._run([row.opening for row in rows])
            if found.ndim == 1:
                self._tell_scores(rows, cast("list[float]", found.tolist()))
            else:
                self._tell_vectors(rows, found)
        except Exception as error:  # noqa: BLE001 - whatever a backend throws
            self._blame(rows, error)

    def _run(self, openings: Sequence[Opening]) -> mx.array:
        """Vectors or scores of these texts, computed."""
        batch = Batch.of(openings)
        slow = 2 * batch.tokens.size * self._model.parameters > _LONG_WORK

        def tick(hidden: mx.array) -> None:
            if slow:
                mx.eval(hidden)
                self._pulse.enter("prefill")

        self._pulse.enter("prefill")
        found = self._model.network(batch, tick)
        mx.eval(found)
        return found

    def _tell_vectors(self, rows: list[Row], found: mx.array) -> None:
        data, size = bytes(memoryview(cast("bytes", found))), 4 * found.shape[1]
        sane = cast("list[bool]", mx.isfinite(found).all(axis=1).tolist())
        for place, row in enumerate(rows):
            if row.job.ended:
                continue
            if sane[place]:
                vector = data[place * size : (place + 1) * size]
                self._events += row.job.answer(row, vector)
            else:
                self._no_number(row)

    def _tell_scores(self, rows: list[Row], values: list[float]) -> None:
        for row, value in zip(rows, values, strict=True):
            if row.job.ended:
                continue
            if math.isfinite(value):
                self._events += row.job.score(row, value)
            else:
                self._no_number(row)

    def _no_number(self, row: Row) -> None:
        message = f"the model gave no number for text {row.index}"
        self._events += row.job.fail(Code.INTERNAL, message)

    def _blame(self, rows: list[Row], error: Exception) -> None:
        """After a batch raised: its only request fails, several are tried again one by one."""
        jobs = list(dict.fromkeys(row.job for row in rows))
        log.write("step-failed", rows=len(rows), requests=len(jobs), error=repr(error))
        if len(jobs) == 1:
            message = f"the texts could not be computed: {error}"
            self._events += jobs[0].fail(Code.INTERNAL, message)
        for row in reversed(rows):
            if not row.job.ended:
                row.job.careful = True
                row.job.waiting.append(row)
        gc.collect()
        mx.clear_cache()

    def _drop_ended(self) -> None:
        if any(job.ended for job in self._jobs):
            self._jobs = deque(job for job in self._jobs if not job.ended)

    def _count(self, rows: list[Row]) -> None:
        active = {row.job.id for row in rows}
        self._pulse.active = len(active)
        self._pulse.waiting = sum(job.id not in active for job in self._jobs)
        self._pulse.device_bytes = mx.get_active_memory() + mx.get_cache_memory()

    def _take_events(self) -> list[Event]:
        self._count([])
        events, self._events = self._events, []
        return events
