"""The OpenAI API: models and chat completions.

Handlers only connect: the dialect translates, the gate decides, the stream writer writes.
"""

from __future__ import annotations

import uuid

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.dialects import openai, openai_answers, openai_models
from lmxd.http import anthropic, errors
from lmxd.http.description import FLAG, OBJECT, TEXT, Description, Named, Param, json
from lmxd.http.incoming import Incoming, deps_of, parse
from lmxd.http.outgoing import ignored_header, json_answer
from lmxd.http.routing import Route
from lmxd.http.streams import Stream
from lmxd.http.whole import read
from lmxd.serving.names import lookup
from schemas.errors import Code, RequestError


async def models(request: Request) -> HTTPResponse:
    """`GET /v1/models`: every name there is; `?ready=true`: those that answer now."""
    deps = deps_of(request)
    only_ready = _flag(request, "ready")
    routes, created = deps.gate.routes, deps.started
    if errors.speaks_anthropic(request):
        entries = openai_models.entries(routes, created, only_ready=only_ready)
        return anthropic.models(request, entries)
    return json_answer(openai_models.listing(routes, created, only_ready=only_ready))


def _flag(request: Request, name: str) -> bool:
    value = str(request.args.get(name, "false")).lower()
    if value not in {"true", "false", "1", "0"}:
        raise RequestError(
            Code.INVALID_REQUEST, f"{name} must be true or false, got {value[:64]!r}", param=name
        )
    return value in {"true", "1"}


async def model(request: Request, name: str) -> HTTPResponse:
    """`GET /v1/models/{name}`: one name, found by the rules that requests are."""
    if not name:  # the list, asked for with a slash at the end
        return await models(request)
    deps = deps_of(request)
    routes = deps.gate.routes
    target = openai_models.best(routes, lookup(routes, name))
    found = openai_models.entry(name, target, deps.started)
    return (
        anthropic.model(request, found) if errors.speaks_anthropic(request) else json_answer(found)
    )


async def chat(request: Incoming) -> HTTPResponse | None:
    """`POST /v1/chat/completions`."""
    deps = deps_of(request)
    request_id = f"chatcmpl-{uuid.uuid4().hex}"
    asked = await parse(request, lambda body: openai.chat(body, request_id))
    heading = openai_answers.Heading(request_id, asked.request.name, int(deps.now()))
    headers = ignored_header(asked.ignored)
    generation = deps.gate.submit(asked.request, tag=request.request_id)
    if not asked.stream:
        answer, served = await read(generation, choices=asked.request.n)
        return json_answer(openai_answers.completion(heading, answer), headers=headers | served)
    encoder = openai_answers.ChatStream(
        heading, include_usage=asked.include_usage, choices=asked.request.n
    )
    await Stream(request, generation, encoder, errors.openai_body, headers).run()
    return None


ROUTES = (
    Route(
        "GET",
        "/v1/models",
        models,
        Description(
            answer=json(OBJECT),
            params=(
                Param("ready", "Only names that answer now.", FLAG),
                anthropic.VERSION,
                *anthropic.PAGES,
            ),
            tag="openai",
        ),
    ),
    Route(
        "GET",
        "/v1/models/<name:path>",
        model,
        Description(answer=json(OBJECT), params=(anthropic.VERSION,), tag="openai"),
    ),
    Route(
        "POST",
        "/v1/chat/completions",
        chat,
        Description(
            "A chat completion, whole or streamed.",
            answer={**json(OBJECT), "text/event-stream": TEXT},
            body=json(Named("ChatRequest")),
            tag="openai",
        ),
    ),
)
