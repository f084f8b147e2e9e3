"""Ollama's API for inference: generate, chat and embeddings, whole and as lines of JSON.

Handlers only connect: the dialect translates, the gate decides, the stream writer writes. Nothing
is sent before a request is accepted, as its clients would take any line for an answer.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from functools import partial

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.dialects import ollama, ollama_answers
from lmxd.dialects.answer import Answer
from lmxd.http import errors
from lmxd.http.description import OBJECT, TEXT, Description, Named, json
from lmxd.http.incoming import Incoming, deps_of, parse
from lmxd.http.ollama_keeping import keep, let_go
from lmxd.http.outgoing import ignored_header, json_answer
from lmxd.http.ports import Generation
from lmxd.http.routing import Route
from lmxd.http.streams import NDJSON, Stream
from lmxd.http.whole import read

Translate = Callable[[Mapping[str, object], str], ollama.Asked]
Body = dict[str, object]


async def chat(request: Incoming) -> HTTPResponse | None:
    """`POST /api/chat`: the next message."""
    return await _generate(request, ollama.chat, chat=True)


async def generate(request: Incoming) -> HTTPResponse | None:
    """`POST /api/generate`: what follows a prompt."""
    return await _generate(request, ollama.generate, chat=False)


async def embed(request: Incoming) -> HTTPResponse:
    """`POST /api/embed`: vectors of texts."""
    heading, asked = await _asked(request, ollama.embed, chat=False)
    answer, headers = await _embed(request, asked)
    body = ollama_answers.embedded(heading, answer, deps_of(request).now())
    return json_answer(body, headers=headers)


async def embeddings(request: Incoming) -> HTTPResponse:
    """`POST /api/embeddings`: the vector of one text."""
    _, asked = await _asked(request, ollama.embeddings, chat=False)
    answer, headers = await _embed(request, asked)
    return json_answer(ollama_answers.old_embedding(answer), headers=headers)


async def running(_: Request) -> HTTPResponse:
    """`GET /`: what clients look for before they connect."""
    return HTTPResponse("Ollama is running", content_type="text/plain; charset=utf-8")


async def _asked(
    request: Request, translate: Translate, *, chat: bool
) -> tuple[ollama_answers.Heading, ollama.Asked]:
    asked_s, request_id = deps_of(request).now(), uuid.uuid4().hex
    asked = await parse(request, lambda body: translate(body, request_id))
    return ollama_answers.Heading(request_id, asked.request.name, asked_s, chat), asked


async def _generate(request: Incoming, translate: Translate, *, chat: bool) -> HTTPResponse | None:
    heading, asked = await _asked(request, translate, chat=chat)
    if asked.nothing:
        _, headers = await _loaded(request, asked)
        reason = "unload" if asked.unload else "load"
        return json_answer(ollama_answers.loaded(heading, reason), headers=headers)
    deps = deps_of(request)
    generation = deps.gate.submit(asked.request, tag=request.request_id)
    headers = ignored_header(asked.ignored)
    if not asked.stream:
        answer, served = await _read(request, asked, generation)
        body = ollama_answers.whole(heading, answer, deps.now())
        return json_answer(body, headers=headers | served)
    encoder = ollama_answers.LineStream(heading, deps.now)
    shape = errors.ollama_body
    await Stream(request, generation, encoder, shape, headers, NDJSON).run()
    await keep(deps, generation.served, asked.keep_s)
    return None


async def _embed(request: Incoming, asked: ollama.Asked) -> tuple[Answer | None, dict[str, str]]:
    if asked.nothing:
        return await _loaded(request, asked)
    generation = deps_of(request).gate.submit(asked.request, tag=request.request_id)
    answer, served = await _read(request, asked, generation, choices=0)
    return answer, ignored_header(asked.ignored) | served


async def _loaded(request: Incoming, asked: ollama.Asked) -> tuple[None, dict[str, str]]:
    """The model is there, or let go, when this returns."""
    if asked.unload:
        await let_go(request, asked.request.name)
        return None, ignored_header(asked.ignored)
    generation = deps_of(request).gate.submit(asked.request, tag=request.request_id)
    _, served = await _read(request, asked, generation, choices=0)
    return None, ignored_header(asked.ignored) | served


async def _read(
    request: Request, asked: ollama.Asked, generation: Generation, *, choices: int = 1
) -> tuple[Answer, dict[str, str]]:
    found = await read(generation, choices=choices)
    await keep(deps_of(request), generation.served, asked.keep_s)
    return found


_description = partial(Description, tag="ollama")


def _generating(summary: str, body: str) -> Description:
    answer = {**json(OBJECT), NDJSON.content_type: TEXT}
    return _description(summary, answer=answer, body=json(Named(body)))


ROUTES = (
    Route(
        "GET",
        "/",
        running,
        _description("What clients look for before they connect.", answer={"text/plain": TEXT}),
    ),
    Route(
        "POST",
        "/api/chat",
        chat,
        _generating(
            "The next message of a conversation; without messages, load or unload a model.",
            "OllamaChatRequest",
        ),
    ),
    Route(
        "POST",
        "/api/generate",
        generate,
        _generating(
            "What follows a prompt; without one, load or unload a model.", "OllamaGenerateRequest"
        ),
    ),
    Route(
        "POST",
        "/api/embed",
        embed,
        _description(answer=json(OBJECT), body=json(Named("OllamaEmbedRequest"))),
    ),
    Route(
        "POST",
        "/api/embeddings",
        embeddings,
        _description(answer=json(OBJECT), body=json(Named("OllamaEmbeddingsRequest"))),
    ),
)
