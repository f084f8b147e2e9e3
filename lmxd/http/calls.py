"""Calls that change something: each runs to its end whoever hangs up, and keyed ones run once.

A client that goes away ends only its own waiting: half a change must not be. Of calls with one
`Idempotency-Key` the first is carried out, those beside it wait for it, later ones are told what
it was told. A refused call changed nothing and leaves nothing behind, so it may be tried again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol

from lmxd.idempotency import Answer
from schemas.errors import Code, LmxdError, RequestError

log = logging.getLogger(__name__)

Execute = Callable[[], Awaitable[Answer]]


class Remembering(Protocol):
    """Where answers are remembered: `lmxd.idempotency.Answers`."""

    def find(self, key: str) -> Answer | None:
        """What the call with that key was answered."""

    async def keep(self, key: str, answer: Answer) -> None:
        """Remember an answer; never raises."""


class _Running(NamedTuple):
    asked: str
    task: asyncio.Task[Answer]


class Calls:
    """The changing calls of one server."""

    def __init__(self, answers: Remembering) -> None:
        self._answers = answers
        self._running: dict[str, _Running] = {}
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._closed = False

    async def once(self, key: str | None, asked: str, execute: Execute) -> tuple[Answer, bool]:
        """The answer of `execute`, and whether it was given before, to an equal call of that key.

        Args:
            key: None: the call is carried out each time.
            asked: a digest of what is asked for; another one under the same key is refused.

        Raises what `execute` raises; RequestError (validation_failed) for a key that was used for
        something else.
        """
        if key is None:
            return await asyncio.shield(self._start(execute)), False
        while True:
            known = self._answers.find(key)
            if known is not None:
                _same(asked, known.asked)
                return known, True
            running = self._running.get(key)
            if running is None:
                break
            _same(asked, running.asked)
            await asyncio.wait({running.task})
        task = self._start(lambda: self._keyed(key, execute))
        self._running[key] = _Running(asked, task)
        return await asyncio.shield(task), False

    async def close(self, grace_s: float) -> None:
        """Take no more, let running ones end, give up the rest after `grace_s`."""
        self._closed = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=grace_s)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keyed(self, key: str, execute: Execute) -> Answer:
        try:
            answer = await execute()
            await self._answers.keep(key, answer)
            return answer
        finally:
            del self._running[key]

    def _start(self, execute: Execute) -> asyncio.Task[Answer]:
        if self._closed:
            raise RequestError(Code.SHUTTING_DOWN, "lmxd is stopping: nothing is changed any more")
        task = asyncio.create_task(_run(execute), name="control call")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Answer]) -> None:
        """Takes the error of a call whose client may be gone: nobody else will."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, LmxdError):
            log.error("control call crashed", exc_info=error)


async def _run(execute: Execute) -> Answer:
    return await execute()


def _same(asked: str, before: str) -> None:
    if asked != before:
        raise RequestError(
            Code.VALIDATION_FAILED,
            "this Idempotency-Key was used for another call within the last 24 hours",
            hint="take a new key for a new call",
            param="Idempotency-Key",
        )
