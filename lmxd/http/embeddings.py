"""The OpenAI API: vectors of texts."""

from __future__ import annotations

import asyncio
import uuid

from sanic.response import HTTPResponse

from lmxd.dialects import embeddings as dialect
from lmxd.http.description import TEXT, Description, Named, json
from lmxd.http.incoming import THREAD_ABOVE, Incoming, deps_of, parse
from lmxd.http.outgoing import ignored_header, json_answer
from lmxd.http.routing import Route
from lmxd.http.whole import read


async def embeddings(request: Incoming) -> HTTPResponse:
    """`POST /v1/embeddings`: one vector for each text."""
    request_id = f"embd-{uuid.uuid4().hex}"
    asked = await parse(request, lambda body: dialect.embeddings(body, request_id))
    generation = deps_of(request).gate.submit(asked.request, tag=request.request_id)
    found, served = await read(generation, choices=0)
    written = asked.request.name, asked.encoding, found
    long = sum(map(len, found.vectors)) > THREAD_ABOVE
    body = await asyncio.to_thread(dialect.answer, *written) if long else dialect.answer(*written)
    return json_answer(body, headers=ignored_header(asked.ignored) | served)


_USAGE = {
    "type": "object",
    "required": ["prompt_tokens", "total_tokens"],
    "properties": {"prompt_tokens": {"type": "integer"}, "total_tokens": {"type": "integer"}},
}
_VECTOR = {
    "type": "object",
    "required": ["object", "index", "embedding"],
    "properties": {
        "object": TEXT,
        "index": {"type": "integer"},
        "embedding": {
            "anyOf": [{"type": "array", "items": {"type": "number"}}, TEXT],
            "description": "Of length 1; as base64: float32, little-endian.",
        },
    },
}
_ANSWER = {
    "type": "object",
    "required": ["object", "data", "model", "usage"],
    "properties": {
        "object": TEXT,
        "data": {"type": "array", "items": _VECTOR},
        "model": TEXT,
        "usage": _USAGE,
    },
}

ROUTES = (
    Route(
        "POST",
        "/v1/embeddings",
        embeddings,
        Description(answer=json(_ANSWER), body=json(Named("EmbeddingRequest")), tag="openai"),
    ),
)
