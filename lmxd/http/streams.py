"""The one writer of streamed answers: from a generation's events, or from messages that are
written already, to server-sent events or lines of JSON.

Sanic closes a stream whose handler raised as if it had ended well (measured), so nothing else may
stream. What this writer promises:

1. Headers are held until the request is accepted, or for `hold_s`: a quick failure keeps its
   status. After that it is 200 and comments tell the client that somebody is still there. Where
   a medium has no comments, headers are held until then however long it takes.
2. Whatever fails later ends the stream with the dialect's error event and no end of the chunked
   body: no client can take it for a finish. If even that fails the connection is cut.
3. A client that is gone, or that reads too slowly, ends its own stream and nobody else's.
4. Events that are there already go out in one write.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

from sanic.response.types import BaseHTTPResponse
from sanic.server.protocols.http_protocol import HttpProtocol

from lmxd.http import errors
from lmxd.http.incoming import Incoming, deps_of
from lmxd.http.outgoing import ascii_header
from lmxd.http.ports import Generation, Served
from schemas.errors import Code, LmxdError, RequestError
from schemas.inference import Accepted, Event, Failed, Finish

_log = logging.getLogger(__name__)

BACKLOG_MAX = 1024 * 1024
"""Bytes a client may be behind, on top of what the kernel holds (about 4 MB on loopback)."""


UNBUFFERED = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
"""Headers that keep caches and proxies from holding a stream back."""


@dataclass(frozen=True, slots=True)
class Medium:
    """What a stream is made of. comments: there is something to write that clients skip."""

    content_type: str
    comments: bool


SSE = Medium("text/event-stream; charset=utf-8", comments=True)
NDJSON = Medium("application/x-ndjson", comments=False)


class Encoder(Protocol):
    """A dialect's way to write a stream. All methods are pure and return whole SSE messages, or
    whole lines.
    """

    def opening(self) -> bytes:
        """What comes first after acceptance, before the event that says so."""

    def event(self, event: Event) -> bytes:
        """One event, Accepted among them; b"" when the dialect has nothing to say about it."""

    def closing(self) -> bytes:
        """What follows the last event of a stream that ended well."""

    def failure(self, body: errors.Body) -> bytes:
        """The event that ends a stream that failed; `body` is the dialect's error body."""

    def waiting(self) -> bytes:
        """Something that clients skip, to show that the stream lives; b"" without comments."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One answer to be streamed: of which generation, how to write it, with what headers."""

    request: Incoming
    generation: Generation
    encoder: Encoder
    shape: errors.Shape
    headers: Mapping[str, str]
    medium: Medium = SSE

    async def run(self) -> None:
        """Write the whole answer. Raises RequestError only while nothing has been sent."""
        hold_s = deps_of(self.request).timing.hold_s if self.medium.comments else None
        try:
            async with _accepting(self.generation) as accepted:
                await asyncio.wait({accepted}, timeout=hold_s)
                if accepted.done():
                    accepted.result()
                await self._answer(accepted)
        finally:
            await self.generation.aclose()

    async def _answer(self, accepted: asyncio.Task[Accepted]) -> None:
        """The part in which nothing may be raised: Sanic would end the stream as if it were well.
        Cancellation is the exception, and means that the client is gone.
        """
        interval_s = deps_of(self.request).timing.keep_alive_s
        wire = _Wire(self.request, self.medium, self.encoder.waiting, interval_s)
        try:
            waited = not accepted.done()
            first = self.encoder.waiting() if waited else self._begun(accepted.result())
            await wire.open(self._headers(), first)
            begun = await accepted
            if waited:
                wire.put(self._begun(begun))
            await self._events(wire)
            await wire.end(self.encoder.closing())
        except Exception as error:  # noqa: BLE001 - see above
            wire.fail(partial(self._failure, error))
        finally:
            wire.release()

    def _begun(self, accepted: Accepted) -> bytes:
        return self.encoder.opening() + self.encoder.event(accepted)

    def _headers(self) -> dict[str, str]:
        served = served_header(self.generation.served)
        return {**UNBUFFERED, **self.headers, **served}

    async def _events(self, wire: _Wire) -> None:
        finished = False
        async for event in self.generation:
            if isinstance(event, Failed):
                raise errors.of_failed(event)
            finished = finished or isinstance(event, Finish)
            wire.put(self.encoder.event(event))
        if not finished:
            raise RequestError(Code.INTERNAL, "the generation ended without a finish")

    def _failure(self, error: Exception) -> bytes:
        return self.encoder.failure(self.shape(_shown(error, self.request)))


@dataclass(frozen=True, slots=True)
class Feed:
    """One answer of messages that somebody else writes, for as long as they come.

    messages: whole SSE messages, or whole lines. opening: what is sent at once. comment: what is
    sent after `interval_s` of silence. farewell: the last message of a stream that ended well.
    failure: that of one that did not.
    """

    request: Incoming
    messages: AsyncIterator[bytes]
    opening: bytes
    comment: Callable[[], bytes]
    interval_s: float
    farewell: bytes
    failure: Callable[[LmxdError], bytes]
    headers: Mapping[str, str]
    medium: Medium = SSE

    async def run(self) -> None:
        """Write the whole answer. Nothing may be raised, as in `Stream`; cancellation means that
        the client is gone.
        """
        wire = _Wire(self.request, self.medium, self.comment, self.interval_s)
        try:
            await wire.open({**UNBUFFERED, **self.headers}, self.opening)
            async for message in self.messages:
                wire.put(message)
            await wire.end(self.farewell)
        except Exception as error:  # noqa: BLE001 - see above
            wire.fail(partial(self._failure, error))
        finally:
            wire.release()

    def _failure(self, error: Exception) -> bytes:
        return self.failure(_shown(error, self.request))


def _shown(error: Exception, request: Incoming) -> LmxdError:
    """What the client is told of an error that ends its stream."""
    if isinstance(error, LmxdError):
        return error
    _log.error("stream crashed", exc_info=error)
    return errors.internal(request.request_id)


def served_header(served: Served | None) -> dict[str, str]:
    """`Lmxd-Model: key@revision`, once it is known what answers; `Lmxd-Route` says why that."""
    if served is None:
        return {}
    text = f"{served.key}@{served.revision}" if served.revision else served.key
    headers = {"Lmxd-Model": ascii_header(text)}
    if served.why:
        headers["Lmxd-Route"] = ascii_header(served.why)
    return headers


@contextlib.asynccontextmanager
async def _accepting(generation: Generation) -> AsyncIterator[asyncio.Task[Accepted]]:
    """The wait for acceptance as a task, so that it can outlive the hold of the headers."""
    task = asyncio.create_task(_accepted(generation), name=f"accept:{generation.name}")
    try:
        yield task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # looked at, so that asyncio does not complain about it


async def _accepted(generation: Generation) -> Accepted:
    return await generation.accepted()


class _Wire:
    """The connection while a stream is written to it.

    Sanic writes the headers and the end. What lies between is framed here and written to the
    transport from a callback of the event loop: by then all events that were there have been
    put, and a timer can write as well as a handler that waits.
    """

    def __init__(
        self, request: Incoming, medium: Medium, comment: Callable[[], bytes], interval_s: float
    ) -> None:
        self._request = request
        self._medium = medium
        self._comment = comment
        self._interval_s = interval_s
        self._loop = asyncio.get_running_loop()
        self._transport = cast("asyncio.Transport", request.transport)
        self._protocol = cast("HttpProtocol", self._transport.get_protocol())
        self._response: BaseHTTPResponse | None = None
        self._ready = bytearray()
        self._flush: asyncio.Handle | None = None
        self._beat: asyncio.TimerHandle | None = None
        self._quiet = False

    async def open(self, headers: Mapping[str, str], first: bytes) -> None:
        """Send 200, the headers and `first`."""
        response = await self._request.respond(
            headers=dict(headers), content_type=self._medium.content_type
        )
        await response.send(first)
        self._response = response
        if self._medium.comments:
            self._beat = self._loop.call_later(self._interval_s, self._on_beat)

    def put(self, data: bytes) -> None:
        """Write with everything else that is there in this turn of the loop."""
        self._ready += data
        if self._flush is None and data:
            self._flush = self._loop.call_soon(self._on_flush)

    async def end(self, data: bytes) -> None:
        """Write the last bytes; Sanic adds the end of the body when the handler returns."""
        self._on_flush()
        if self._response is not None:
            await self._response.send(data)

    def fail(self, message: Callable[[], bytes]) -> None:
        """End the stream so that no client takes it for a finish, and close the connection."""
        try:
            self.put(message())
            self._on_flush()
            if self._response is None:  # not even headers went out: there is no stream to end
                self._transport.abort()
            self._protocol.close()  # sends what is there; the chunked body stays without its end
        except Exception:  # noqa: BLE001 - whatever it is, cutting the line is left
            _log.exception("stream cut")
            self._transport.abort()

    def release(self) -> None:
        """Nothing is written after this."""
        for handle in (self._flush, self._beat):
            if handle is not None:
                handle.cancel()

    def _on_flush(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        if not self._ready or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() > BACKLOG_MAX:
            _log.warning("slow reader", extra={"bytes_behind": BACKLOG_MAX})
            self._transport.abort()  # Sanic then cancels the handler, which ends the generation
            return
        self._transport.write(b"%x\r\n%b\r\n" % (len(self._ready), bytes(self._ready)))
        self._ready.clear()
        self._quiet = False

    def _on_beat(self) -> None:
        if self._quiet:
            self.put(self._comment())
            self._on_flush()
        self._quiet = True
        self._beat = self._loop.call_later(self._interval_s, self._on_beat)
