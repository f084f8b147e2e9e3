"""`/v1/ws`: many generations over one connection.

One task reads what the client sends; each generation has its own, which writes to the connection
as its events come. The connection takes what the client reads: who reads slowly holds up his own
generations, which fail when too much of them is unread, and nobody else's. A connection that ends
ends its generations.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from contextlib import suppress
from dataclasses import dataclass

from sanic.server.websockets.impl import WebsocketImplProtocol
from websockets.exceptions import ConnectionClosed

from lmxd.dialects import openai, openai_answers, openai_completions, socket
from lmxd.dialects import openai_completions_answers as completions_answers
from lmxd.http import errors
from lmxd.http.incoming import THREAD_ABOVE, Incoming, deps_of
from lmxd.http.outgoing import ignored_header
from lmxd.http.ports import Generation
from lmxd.http.streams import Encoder, served_header
from schemas.errors import Code, LmxdError, RequestError
from schemas.inference import Failed, Request

__all__ = ["PATH", "Sockets"]

PATH = "/v1/ws"
OPEN_MAX = 64
"""Generations at once on one connection."""

_log = logging.getLogger(__name__)
_GOING_AWAY = 1001


@dataclass(frozen=True, slots=True)
class _Asked:
    """A translated request and how its answer is written."""

    request: Request
    encoder: Encoder
    headers: dict[str, str]


class Sockets:
    """The open connections of one server."""

    def __init__(self) -> None:
        self._open: set[_Socket] = set()
        self._ending = False

    async def serve(self, request: Incoming, ws: WebsocketImplProtocol) -> None:
        """One connection, for as long as it lasts."""
        one = _Socket(request, ws)
        self._open.add(one)
        try:
            if self._ending:
                one.finish()
            await one.run()
        finally:
            self._open.discard(one)

    def finish(self) -> None:
        """Take no new request; each connection is closed when its last generation has ended."""
        self._ending = True
        for one in self._open:
            one.finish()


class _Socket:
    def __init__(self, request: Incoming, ws: WebsocketImplProtocol) -> None:
        self._request = request
        self._deps = deps_of(request)
        self._ws = ws
        self._running: dict[str, asyncio.Task[None]] = {}
        self._generations: dict[str, Generation] = {}
        self._ending = False
        self._closing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        try:
            while True:
                message = await self._ws.recv()
                if message is None:
                    return
                await self._take(message)
        except ConnectionClosed:
            return
        finally:
            for task in self._running.values():
                task.cancel()
            if self._running:
                await asyncio.wait(self._running.values())

    def finish(self) -> None:
        self._ending = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._ending and not self._running and self._closing is None:
            name = f"close:{self._request.request_id}"
            self._closing = asyncio.create_task(self._ws.close(_GOING_AWAY), name=name)

    async def _take(self, message: str | bytes) -> None:
        name: str | None = None
        try:
            found = await self._read(message)
            if isinstance(found, socket.Ping):
                await self._ws.send(socket.pong())
                return
            name = found.id
            if isinstance(found, socket.Cancel):
                self._cancel(name)
            else:
                await self._start(found)
        except LmxdError as error:
            await self._fail(name, error)

    async def _read(self, message: str | bytes) -> socket.Start | socket.Cancel | socket.Ping:
        limit = self._deps.gate.routes.flow.body
        if len(message) > limit:
            text = f"the message has {len(message)} bytes, at most {limit} are taken"
            raise RequestError(Code.TOO_LARGE, text)
        if len(message) > THREAD_ABOVE:
            return await asyncio.to_thread(socket.read, message)
        return socket.read(message)

    def _cancel(self, name: str) -> None:
        generation = self._generations.get(name)
        if generation is None:
            raise RequestError(Code.NOT_FOUND, f"no request {name!r} runs on this connection")
        self._deps.gate.cancel(generation.id)

    async def _start(self, start: socket.Start) -> None:
        if self._ending:
            raise RequestError(Code.SHUTTING_DOWN, "the daemon is shutting down")
        if start.id in self._running:
            message = f"{start.id!r} runs already on this connection"
            raise RequestError(Code.INVALID_REQUEST, message, param="id")
        if len(self._running) >= OPEN_MAX:
            message = f"{len(self._running)} requests run on this connection, {OPEN_MAX} may"
            raise RequestError(Code.QUEUE_FULL, message)
        asked = self._asked(start)
        generation = self._deps.gate.submit(asked.request, tag=self._request.request_id)
        self._generations[start.id] = generation
        task = asyncio.create_task(self._answer(start.id, generation, asked))
        task.set_name(f"socket:{asked.request.id}")
        self._running[start.id] = task
        task.add_done_callback(lambda _: self._ended(start.id))

    def _ended(self, name: str) -> None:
        del self._running[name], self._generations[name]
        self._close_if_done()

    def _asked(self, start: socket.Start) -> _Asked:
        number, now = uuid.uuid4().hex, int(self._deps.now())
        if start.method == "chat.completions":
            chat = openai.chat(start.body, f"chatcmpl-{number}")
            heading = openai_answers.Heading(chat.request.id, chat.request.name, now)
            encoder: Encoder = openai_answers.ChatStream(
                heading, include_usage=chat.include_usage, choices=chat.request.n
            )
            return _Asked(chat.request, encoder, ignored_header(chat.ignored))
        asked = openai_completions.completion(start.body, f"cmpl-{number}")
        heading = openai_answers.Heading(asked.request.id, asked.request.name, now)
        encoder = completions_answers.CompletionStream(heading, include_usage=asked.include_usage)
        return _Asked(asked.request, encoder, ignored_header(asked.ignored))

    async def _answer(self, name: str, generation: Generation, asked: _Asked) -> None:
        """One generation. Nothing is raised but cancellation: the connection is over then."""
        try:
            with suppress(ConnectionClosed):
                await self._stream(name, generation, asked)
        except LmxdError as error:
            await self._fail(name, error)
        except Exception as error:  # noqa: BLE001 - the other generations of the line go on
            _log.exception("socket stream crashed", exc_info=error)
            await self._fail(name, errors.internal(asked.request.id))
        finally:
            await generation.aclose()

    async def _stream(self, name: str, generation: Generation, asked: _Asked) -> None:
        first = await generation.accepted()
        headers = {**asked.headers, **served_header(generation.served)}
        await self._ws.send(socket.accepted(name, asked.request.id, headers))
        await self._send(name, asked.encoder.opening() + asked.encoder.event(first))
        async for event in generation:
            if isinstance(event, Failed):
                raise errors.of_failed(event)
            await self._send(name, asked.encoder.event(event))
        await self._send(name, asked.encoder.closing())
        await self._ws.send(socket.done(name))

    async def _send(self, name: str, events: bytes) -> None:
        for message in socket.data(name, events):
            await self._ws.send(message)

    async def _fail(self, name: str | None, error: LmxdError) -> None:
        body = errors.openai_body(error)
        with suppress(ConnectionClosed):
            await self._ws.send(socket.failed(name, errors.status_of(error.code), body))
