"""The control API, read side: status, models, the document and its schema, what is effective.

Nothing is computed here: the daemon's `Control` answers, this module gives it JSON, ETags and
the generation and epoch it belongs to.
"""

from __future__ import annotations

import difflib
import hashlib

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.bodies import ACCEPT_PATCH, YAML, YAML_TYPES
from lmxd.http.description import AT, OBJECT, TEXT, Description, Named, json
from lmxd.http.etags import is_known, quoted
from lmxd.http.incoming import deps_of
from lmxd.http.outgoing import json_answer, prefers, stamped
from lmxd.http.query import instant, query
from lmxd.http.routing import Route
from schemas.errors import Code, RequestError
from schemas.status import DaemonStatus, ModelStatus


async def status(request: Request) -> HTTPResponse:
    """`GET /status`: conditions of the daemon and of every model."""
    query(request)
    control = deps_of(request).control
    return json_answer(await control.status(), headers=stamped(control))


async def models(request: Request) -> HTTPResponse:
    """`GET /models`: the status of every model."""
    query(request)
    control = deps_of(request).control
    found = await control.status()
    body = {"generation": found.generation, "epoch": found.epoch, "models": found.models}
    return json_answer(body, headers=stamped(control))


async def model(request: Request, key: str) -> HTTPResponse:
    """`GET /models/{key}`: the status of one model, by its key in the document."""
    query(request)
    control = deps_of(request).control
    return json_answer(find(await control.status(), key), headers=stamped(control))


def find(status: DaemonStatus, key: str) -> ModelStatus:
    """One model; raises RequestError (model_not_found)."""
    one = status.model(key)
    if one is not None:
        return one
    keys = [item.key for item in status.models]
    near = difflib.get_close_matches(key, keys, n=1)
    raise RequestError(
        Code.MODEL_NOT_FOUND,
        f"the document has no model {key[:128]!r}; it has {', '.join(keys[:20]) or 'none'}",
        hint=f"did you mean {near[0]}?" if near else None,
    )


async def desired(request: Request) -> HTTPResponse:
    """`GET /desired`: the accepted document, as JSON or as the bytes of its YAML."""
    query(request)
    control = deps_of(request).control
    config = control.config()
    if config.accepted is None:
        raise RequestError(
            Code.NOT_FOUND,
            f"no document has been accepted yet: {config.message or config.reason}",
            hint=f"write a valid one to {config.path}",
        )
    headers = stamped(control) | {"Vary": "Accept", "Accept-Patch": ACCEPT_PATCH}
    if prefers(request, YAML_TYPES):
        content = await control.document_bytes()
        tag = hashlib.sha256(content).hexdigest()
        answer = HTTPResponse(content, content_type=YAML)
    else:
        tag = control.stamp().etag
        answer = json_answer(config.accepted.data)
    headers["ETag"] = quoted(tag)
    if is_known(request.headers.getall("if-none-match", ()), tag):
        return HTTPResponse(status=304, headers=headers)
    answer.headers.update(headers)
    return answer


async def effective(request: Request) -> HTTPResponse:
    """`GET /effective`: what holds at this instant, or at that of `?at=`."""
    at = instant(query(request, "at"))
    control = deps_of(request).control
    return json_answer(await control.effective(at), headers=stamped(control))


async def schema(request: Request) -> HTTPResponse:
    """`GET /schema`: the JSON Schema of the document."""
    query(request)
    return json_answer(await deps_of(request).control.schema())


_BASE = "/lmxd/v1"

ROUTES = (
    Route("GET", f"{_BASE}/status", status, Description(answer=json(DaemonStatus))),
    Route("GET", f"{_BASE}/models", models, Description(answer=json(OBJECT))),
    Route("GET", f"{_BASE}/models/<key:str>", model, Description(answer=json(ModelStatus))),
    Route(
        "GET",
        f"{_BASE}/desired",
        desired,
        Description(answer={**json(Named("DesiredState")), YAML: TEXT}),
    ),
    Route("GET", f"{_BASE}/effective", effective, Description(answer=json(OBJECT), params=(AT,))),
    Route("GET", f"{_BASE}/schema", schema, Description(answer=json(OBJECT))),
)
