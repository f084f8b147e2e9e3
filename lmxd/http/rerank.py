"""Documents in the order in which they fit a query, as Jina's and Cohere's clients ask for it."""

from __future__ import annotations

import uuid

from sanic.response import HTTPResponse

from lmxd.dialects import rerank as dialect
from lmxd.http.description import OBJECT, TEXT, Description, Named, json
from lmxd.http.incoming import Incoming, deps_of, parse
from lmxd.http.outgoing import ignored_header, json_answer
from lmxd.http.routing import Route
from lmxd.http.whole import read


async def rerank(request: Incoming) -> HTTPResponse:
    """`POST /v1/rerank`: how well each document fits the query, best first."""
    request_id = f"rerank-{uuid.uuid4().hex}"
    asked = await parse(request, lambda body: dialect.rerank(body, request_id))
    generation = deps_of(request).gate.submit(asked.request, tag=request.request_id)
    found, served = await read(generation, choices=0)
    return json_answer(dialect.answer(asked, found), headers=ignored_header(asked.ignored) | served)


_RESULT = {
    "type": "object",
    "required": ["index", "relevance_score"],
    "properties": {
        "index": {"type": "integer"},
        "relevance_score": {"type": "number", "minimum": 0, "maximum": 1},
        "document": {"type": "object", "properties": {"text": TEXT}},
    },
}
_ANSWER = {
    "type": "object",
    "required": ["id", "object", "model", "results", "usage", "meta"],
    "properties": {
        "id": TEXT,
        "object": TEXT,
        "model": TEXT,
        "results": {"type": "array", "items": _RESULT},
        "usage": OBJECT,
        "meta": OBJECT,
    },
}

ROUTES = tuple(
    Route(
        "POST",
        path,
        rerank,
        Description(answer=json(_ANSWER), body=json(Named("RerankRequest")), tag="openai"),
    )
    for path in ("/v1/rerank", "/v1/reranking", "/v2/rerank")
)
