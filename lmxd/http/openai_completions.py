"""The OpenAI API: completions of plain text, and vLLM's calls about tokens."""

from __future__ import annotations

import uuid

from sanic.response import HTTPResponse

from lmxd.dialects import openai_completions as dialect
from lmxd.dialects import openai_completions_answers as answers
from lmxd.dialects.openai_answers import Heading
from lmxd.http import errors
from lmxd.http.description import TEXT, Description, Named, json
from lmxd.http.incoming import Incoming, deps_of, parse
from lmxd.http.outgoing import ignored_header, json_answer
from lmxd.http.ports import Served
from lmxd.http.routing import Route
from lmxd.http.streams import Stream
from lmxd.http.whole import read
from reconciler.state import ModelKey, Routes


async def completions(request: Incoming) -> HTTPResponse | None:
    """`POST /v1/completions`: text that goes on where a prompt ends."""
    deps = deps_of(request)
    request_id = f"cmpl-{uuid.uuid4().hex}"
    asked = await parse(request, lambda body: dialect.completion(body, request_id))
    heading = Heading(request_id, asked.request.name, int(deps.now()))
    headers = ignored_header(asked.ignored)
    generation = deps.gate.submit(asked.request, tag=request.request_id)
    if not asked.stream:
        answer, served = await read(generation, choices=asked.choices)
        return json_answer(answers.completion(heading, answer), headers=headers | served)
    encoder = answers.CompletionStream(heading, include_usage=asked.include_usage)
    await Stream(request, generation, encoder, errors.openai_body, headers).run()
    return None


async def tokenize(request: Incoming) -> HTTPResponse:
    """`POST /v1/tokenize`: the tokens of a text, or of the messages of a chat."""
    deps = deps_of(request)
    request_id = f"tok-{uuid.uuid4().hex}"
    asked = await parse(request, lambda body: dialect.tokenize(body, request_id))
    generation = deps.gate.submit(asked.request, tag=request.request_id)
    answer, served = await read(generation, choices=0)
    body = answers.tokens(answer, _context(deps.gate.routes, generation.served))
    return json_answer(body, headers=ignored_header(asked.ignored) | served)


def _context(routes: Routes, served: Served | None) -> int | None:
    target = routes.targets.get(ModelKey(served.key)) if served is not None else None
    return None if target is None else target.context


async def detokenize(request: Incoming) -> HTTPResponse:
    """`POST /v1/detokenize`: the text of tokens."""
    request_id = f"tok-{uuid.uuid4().hex}"
    asked = await parse(request, lambda body: dialect.detokenize(body, request_id))
    answer, served = await read(
        deps_of(request).gate.submit(asked.request, tag=request.request_id), choices=0
    )
    headers = ignored_header(asked.ignored) | served
    return json_answer(answers.text(answer), headers=headers)


_TOKENS = {
    "type": "object",
    "required": ["count", "max_model_len", "tokens"],
    "properties": {
        "count": {"type": "integer"},
        "max_model_len": {"type": ["integer", "null"], "description": "Of prompt and answer."},
        "tokens": {"type": "array", "items": {"type": "integer"}},
        "token_strs": {"type": "null"},
    },
}
_TEXT = {"type": "object", "required": ["prompt"], "properties": {"prompt": TEXT}}
_COMPLETION = {
    "type": "object",
    "required": ["id", "object", "created", "model", "choices", "usage"],
    "properties": {"choices": {"type": "array", "items": {"type": "object"}}},
}

ROUTES = (
    Route(
        "POST",
        "/v1/completions",
        completions,
        Description(
            answer={**json(_COMPLETION), "text/event-stream": TEXT},
            body=json(Named("CompletionRequest")),
            tag="openai",
        ),
    ),
    Route(
        "POST",
        "/v1/tokenize",
        tokenize,
        Description(answer=json(_TOKENS), body=json(Named("TokenizeRequest")), tag="openai"),
    ),
    Route(
        "POST",
        "/v1/detokenize",
        detokenize,
        Description(answer=json(_TEXT), body=json(Named("DetokenizeRequest")), tag="openai"),
    ),
)
