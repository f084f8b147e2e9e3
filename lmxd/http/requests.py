"""`POST /v1/requests/{id}/cancel`: end a request that runs or waits, from another connection."""

from __future__ import annotations

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.description import OBJECT, Description, json
from lmxd.http.incoming import deps_of
from lmxd.http.outgoing import json_answer
from lmxd.http.routing import Route
from schemas.errors import Code, RequestError


async def cancel(request: Request, name: str) -> HTTPResponse:
    """End a request at its next token, by the id of its answer or by its `x-request-id`."""
    count = deps_of(request).gate.cancel(name)
    if not count:
        raise RequestError(
            Code.NOT_FOUND,
            f"no request {name[:128]!r} runs or waits; it may have ended",
            hint="the id is that of the answer, or the x-request-id that it was sent with",
        )
    return json_answer({"id": name, "cancelled": count})


ROUTES = (
    Route(
        "POST",
        "/v1/requests/<name:str>/cancel",
        cancel,
        Description(answer=json(OBJECT), tag="openai"),
    ),
)
