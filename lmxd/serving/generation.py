"""One request from submission to its last event: waits, is claimed, is read, is over.

The reader (http) sees a stream; the queue sees something that waits; the pool sees the holder of
a claim. Events that nobody has read yet are kept here, up to 1 MiB.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from lmxd.serving.claims import Claim
from lmxd.serving.delegation import asks
from lmxd.serving.dispatch import Errand
from reconciler.state import ModelKey
from schemas.errors import Code, RequestError
from schemas.inference import (
    Accepted,
    Event,
    Failed,
    Finish,
    Text,
    Thinking,
    ToolArgs,
    Usage,
    Vector,
)

__all__ = ["Desk", "Generation", "Served"]

BACKLOG = 1024 * 1024
_EVENT_BYTES = 64  # what an event costs beside its text, so that many empty ones count too


@dataclass(frozen=True, slots=True)
class Served:
    """What answers: the model, the revision of its files, and why this one, where a name chose by
    task.
    """

    key: ModelKey
    revision: str
    why: str = ""


class Desk(Protocol):
    """Who manages generations: the gate."""

    def accepted(self, generation: Generation) -> None:
        """A worker took it: the wait is over."""

    def leave(self, generation: Generation) -> None:
        """Nobody wants it any more: out of the line, off the worker."""

    def again(self, generation: Generation) -> None:
        """Its worker died before anything was read: back into the line, at its place."""

    def hand_over(self, generation: Generation) -> None:
        """The model wants a larger one to answer in its place."""


class Generation:
    """What a submitted request is to its reader.

    number: the order of arrival. `served` is None until a model's instance was claimed.
    """

    def __init__(self, errand: Errand, number: int, since: float, desk: Desk) -> None:
        self.errand = errand
        self.request = request = errand.request
        self.id = request.id
        self.number = number
        self.since = since
        self.identity = request.identity
        self.priority = request.priority
        self.name = request.name
        self.served: Served | None = None
        self.claim: Claim | None = None
        self.timer: asyncio.TimerHandle | None = None
        self._desk = desk
        self._events: deque[Event] = deque()
        self._unread = 0
        self._news = asyncio.Event()
        self._accepted: Accepted | None = None
        self._refusal: RequestError | None = None
        self._over = False
        self._read = False
        self._retried = False

    @property
    def over(self) -> bool:
        """True when no event will come any more; some may still be unread."""
        return self._over

    # --- for the reader -----------------------------------------------------------------------

    async def accepted(self) -> Accepted:
        """Waits until a worker has validated and taken the request.

        Raises RequestError when that will not be. May be called again, also after it was
        cancelled: the request goes on waiting until `aclose`.
        """
        while True:
            if self._refusal is not None:
                raise self._refusal
            if self._accepted is not None:
                return self._accepted
            if self._over:
                raise RequestError(Code.INTERNAL, "the request was closed before it was accepted")
            self._news.clear()
            await self._news.wait()

    def __aiter__(self) -> Generation:
        return self

    async def __anext__(self) -> Event:
        """The next event after Accepted; the last is Usage, or Failed. Safe to cancel."""
        while not self._events:
            if self._refusal is not None:
                raise self._refusal
            if self._over:
                raise StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        event = self._events.popleft()
        self._unread -= _weight(event)
        self._read = True
        return event

    async def aclose(self) -> None:
        """Nobody reads any more: the worker stops at the next token. May be called again."""
        self._events.clear()
        self._unread = 0
        self._end()
        self._desk.leave(self)

    # --- for the pool -------------------------------------------------------------------------

    def deliver(self, event: Event) -> bool:
        """An event of the worker. False when too much is unread; the stream has then failed."""
        if self._over:
            return True
        if isinstance(event, Accepted):
            self._accepted = self._accepted or event
            self._desk.accepted(self)
            self._news.set()
            return True
        if isinstance(event, Failed) and self._accepted is None:
            self.refuse(_as_error(event))
            return True
        if isinstance(event, Finish) and self._accepted is None:
            self.refuse(RequestError(Code.CANCELLED, "the request was cancelled"))
            return True
        if self.errand.offered and asks(event):
            self._desk.hand_over(self)
            return True
        if self._unread >= BACKLOG:
            self.fail(
                Code.DEADLINE_EXCEEDED,
                f"the client reads too slowly: {self._unread} bytes are unread, limit {BACKLOG}",
            )
            return False
        self._unread += _weight(event)
        self._events.append(event)
        if isinstance(event, (Usage, Failed)):
            self._end()
        self._news.set()
        return True

    def fail(self, code: Code, message: str) -> None:
        """The daemon ends it: an error before acceptance, the last event after it."""
        if self._accepted is None:
            self.refuse(RequestError(code, message))
        elif not self._over:
            retryable = code is not Code.DEADLINE_EXCEEDED
            failed = Failed(self.request.id, 0, code.value, message, retryable=retryable)
            self._events.append(failed)
            self._unread += _weight(failed)
            self._end()

    def orphaned(self, why: str) -> None:
        """The worker died. Unless something was read, or it happened before, it waits again."""
        self.claim = None
        if self._over:
            return
        if self._read or self._retried:
            self.fail(Code.WORKER_DIED, why)
            return
        self._retried = True
        self._events.clear()
        self._unread = 0
        self._desk.again(self)

    # --- for the gate -------------------------------------------------------------------------

    def refuse(self, error: RequestError) -> None:
        """It will not be served; after acceptance, the reader gets the error as the last event."""
        if self._over:
            return
        if self._accepted is not None:
            self.fail(error.code, error.message)
            return
        self._refusal = error
        self._end()

    def _end(self) -> None:
        self._over = True
        if self.timer is not None:
            self.timer.cancel()
        self._news.set()


def _weight(event: Event) -> int:
    match event:
        case Text(logprobs=told) if told:
            return _text_bytes(event.text) + sum(1 + len(each.top) for each in told) * _EVENT_BYTES
        case Text() | Thinking() | ToolArgs():
            return _text_bytes(event.text)
        case Vector():
            return _EVENT_BYTES + len(event.data)
        case _:
            return _EVENT_BYTES


def _text_bytes(text: str) -> int:
    return _EVENT_BYTES + (len(text) if text.isascii() else len(text.encode()))


def _as_error(failed: Failed) -> RequestError:
    """A worker's refusal, as the error that http knows how to answer."""
    try:
        code = Code(failed.code)
    except ValueError:
        code = Code.INTERNAL
    return RequestError(code, failed.message, hint=failed.hint, retry=failed.retryable)
