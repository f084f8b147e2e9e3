"""OpenAI's Responses API: made, whole or streamed, kept, and asked for again.

Handlers only connect: the dialect translates, the gate decides, the store keeps.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.dialects import responses as dialect
from lmxd.dialects import responses_answers as answers
from lmxd.dialects.responses_items import Kept as Item
from lmxd.dialects.responses_stream import ResponseStream
from lmxd.http import errors
from lmxd.http.description import TEXT, Description, Named, Param, json
from lmxd.http.incoming import THREAD_ABOVE, Incoming, deps_of, parse
from lmxd.http.outgoing import ignored_header, json_answer
from lmxd.http.ports import Generation, Keeping, Served
from lmxd.http.routing import Route
from lmxd.http.streams import Stream
from lmxd.http.whole import read
from lmxd.kept_responses import Kept
from schemas.errors import Code, RequestError
from schemas.inference import Accepted, Event, Usage

_PAGE_MAX = 100


async def create(request: Incoming) -> HTTPResponse | None:
    """`POST /v1/responses`: an answer to a text or to items, kept unless `store` is false."""
    deps = deps_of(request)
    asked = await _asked(request)
    heading = answers.Heading(asked.request.id, asked.request.name, int(deps.now()), asked.shell)
    headers = ignored_header(asked.ignored)
    generation = deps.gate.submit(asked.request)
    if asked.stream:
        encoder = ResponseStream(heading)
        kept = _Keeping(generation, encoder, asked, deps.responses)
        await Stream(request, kept, encoder, errors.openai_body, headers).run()
        return None
    answer, served = await read(generation, choices=1)
    body = answers.whole(heading, answer)
    if asked.store:
        await deps.responses.keep(heading.id, Kept(body, list(asked.context)))
    return json_answer(body, headers=headers | served)


async def _asked(request: Incoming) -> dialect.Asked:
    """The request with what it refers to; whatever may take long is done in a thread."""
    response_id = f"resp_{uuid.uuid4().hex}"
    draft = await parse(request, lambda body: dialect.draft(body, response_id))
    store = deps_of(request).responses
    found = {identifier: await store.find(identifier) for identifier in sorted(draft.needs)}
    known = {identifier: kept for identifier, kept in found.items() if kept is not None}
    if known or len(request.body) > THREAD_ABOVE:
        return await asyncio.to_thread(dialect.translate, draft, known)
    return dialect.translate(draft, known)


@dataclass(frozen=True, slots=True)
class _Keeping:
    """A generation whose answer is kept just before its reader is told that it is complete: who
    refers to it at once must find it.
    """

    inner: Generation
    encoder: ResponseStream
    asked: dialect.Asked
    store: Keeping

    @property
    def id(self) -> str:
        """See Generation."""
        return self.inner.id

    @property
    def name(self) -> str:
        """See Generation."""
        return self.inner.name

    @property
    def served(self) -> Served | None:
        """See Generation."""
        return self.inner.served

    async def accepted(self) -> Accepted:
        """See Generation."""
        return await self.inner.accepted()

    async def __aiter__(self) -> AsyncIterator[Event]:
        async for event in self.inner:
            if isinstance(event, Usage) and self.asked.store:
                kept = Kept(self.encoder.final(event), list(self.asked.context))
                await self.store.keep(self.asked.request.id, kept)
            yield event

    async def aclose(self) -> None:
        """See Generation."""
        await self.inner.aclose()


async def show(request: Request, response: str) -> HTTPResponse:
    """`GET /v1/responses/{response}`: a response that was kept."""
    if request.args.get("stream", "false").lower() not in {"false", "0"}:
        raise RequestError(
            Code.UNSUPPORTED_PARAMETER,
            "stream is not supported: a response is kept when it is complete",
            param="stream",
        )
    return json_answer((await _kept(request, response)).response)


async def delete(request: Request, response: str) -> HTTPResponse:
    """`DELETE /v1/responses/{response}`: forget a response; later ones keep what they quote."""
    if not await deps_of(request).responses.forget(response):
        raise _unknown(response)
    return json_answer({"id": response, "object": "response", "deleted": True})


async def input_items(request: Request, response: str) -> HTTPResponse:
    """`GET /v1/responses/{response}/input_items`: what a response answers, with earlier turns."""
    limit, order = _limit(request), request.args.get("order", "desc")
    if order not in {"asc", "desc"}:
        raise RequestError(
            Code.INVALID_REQUEST, f"order must be asc or desc, got {order[:64]!r}", param="order"
        )
    found: list[Item] = (await _kept(request, response)).context
    ordered = found if order == "asc" else found[::-1]
    return json_answer(answers.listing(ordered, after=request.args.get("after"), limit=limit))


def _limit(request: Request) -> int:
    given = request.args.get("limit", "20")
    if not (given.isdecimal() and given.isascii() and 1 <= int(given[:9]) <= _PAGE_MAX):
        raise RequestError(
            Code.INVALID_REQUEST,
            f"limit must be from 1 to {_PAGE_MAX}, got {given[:64]!r}",
            param="limit",
        )
    return int(given)


async def _kept(request: Request, response: str) -> Kept:
    found = await deps_of(request).responses.find(response)
    if found is None:
        raise _unknown(response)
    return found


def _unknown(response: str) -> RequestError:
    return RequestError(
        Code.NOT_FOUND,
        f"there is no response {response[:64]!r}",
        hint="it was never kept, was deleted, or made room for newer ones",
        param="response_id",
    )


_RESPONSE = {
    "type": "object",
    "required": ["id", "object", "created_at", "status", "model", "output", "usage"],
    "properties": {
        "object": {"const": "response"},
        "output": {"type": "array", "items": {"type": "object"}},
    },
}
_ITEMS = {
    "type": "object",
    "required": ["object", "data", "first_id", "last_id", "has_more"],
    "properties": {"data": {"type": "array", "items": {"type": "object"}}},
}
_DELETED = {"type": "object", "required": ["id", "object", "deleted"]}
_PAGE = (
    Param("limit", "Items on a page, from 1 to 100.", {"type": "integer", "default": 20}),
    Param("order", "asc or desc, which is the default."),
    Param("after", "The id of the item behind which the page begins."),
)

ROUTES = (
    Route(
        "POST",
        "/v1/responses",
        create,
        Description(
            answer={**json(_RESPONSE), "text/event-stream": TEXT},
            body=json(Named("ResponseRequest")),
            tag="openai",
        ),
    ),
    Route(
        "GET",
        "/v1/responses/<response:str>",
        show,
        Description(answer=json(_RESPONSE), tag="openai"),
    ),
    Route(
        "DELETE",
        "/v1/responses/<response:str>",
        delete,
        Description(answer=json(_DELETED), tag="openai"),
    ),
    Route(
        "GET",
        "/v1/responses/<response:str>/input_items",
        input_items,
        Description(answer=json(_ITEMS), params=_PAGE, tag="openai"),
    ),
)
