"""The Anthropic API: messages, their tokens counted, and its shape of the list of models.

Handlers only connect: the dialect translates, the gate decides, the stream writer writes. Paths
that are OpenAI's too answer in this shape for who sends `anthropic-version`.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import partial

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.dialects import anthropic, anthropic_answers, anthropic_models
from lmxd.http import errors
from lmxd.http.description import OBJECT, TEXT, Description, Named, Param, header, json
from lmxd.http.incoming import Incoming, deps_of, parse
from lmxd.http.outgoing import ignored_header, json_answer
from lmxd.http.routing import Route
from lmxd.http.streams import Stream
from lmxd.http.whole import read


async def messages(request: Incoming) -> HTTPResponse | None:
    """`POST /v1/messages`: one answer."""
    message_id = f"msg_{uuid.uuid4().hex}"
    asked = await parse(request, lambda body: anthropic.messages(body, message_id))
    heading = anthropic_answers.Heading(
        message_id, asked.request.name, asked.request.stop, asked.shown
    )
    headers = ignored_header(asked.ignored)
    generation = deps_of(request).gate.submit(asked.request, tag=request.request_id)
    if not asked.stream:
        answer, served = await read(generation, choices=1)
        return json_answer(anthropic_answers.message(heading, answer), headers=headers | served)
    shape = partial(errors.anthropic_body, request_id=request.request_id)
    encoder = anthropic_answers.MessageStream(heading)
    await Stream(request, generation, encoder, shape, headers).run()
    return None


async def count(request: Incoming) -> HTTPResponse:
    """`POST /v1/messages/count_tokens`: how many tokens a request would have."""
    asked = await parse(request, lambda body: anthropic.count(body, f"cnt_{uuid.uuid4().hex}"))
    generation = deps_of(request).gate.submit(asked.request, tag=request.request_id)
    answer, served = await read(generation, choices=0)
    return json_answer(
        anthropic_answers.counted(answer), headers=ignored_header(asked.ignored) | served
    )


def models(request: Request, entries: Sequence[dict[str, object]]) -> HTTPResponse:
    """`GET /v1/models` of these entries, which are OpenAI's."""
    created = deps_of(request).started
    asked = {name: request.args.get(name) for name in ("limit", "after_id", "before_id")}
    known = {name: str(value) for name, value in asked.items() if value is not None}
    return json_answer(
        anthropic_models.page([anthropic_models.entry(each, created) for each in entries], known)
    )


def model(request: Request, entry: dict[str, object]) -> HTTPResponse:
    """`GET /v1/models/{name}` of an entry, which is OpenAI's."""
    return json_answer(anthropic_models.entry(entry, deps_of(request).started))


PAGES = (
    Param("limit", "Most models on a page; with anthropic-version.", {"type": "integer"}),
    Param("after_id", "Models after this one; with anthropic-version.", TEXT),
    Param("before_id", "Models before this one; with anthropic-version.", TEXT),
)
"""What the list of models takes of clients of this API."""

VERSION = header("anthropic-version", "Any: answers and errors have Anthropic's shape.")

ROUTES = (
    Route(
        "POST",
        "/v1/messages",
        messages,
        Description(
            "A message of Anthropic's API, whole or streamed.",
            answer={**json(OBJECT), "text/event-stream": TEXT},
            body=json(Named("MessagesRequest")),
            tag="anthropic",
        ),
    ),
    Route(
        "POST",
        "/v1/messages/count_tokens",
        count,
        Description(
            "How many tokens a message of Anthropic's API would have.",
            answer=json(OBJECT),
            body=json(Named("CountRequest")),
            tag="anthropic",
        ),
    ),
)
