"""Ollama's API for looking: which models there are, which are in memory, what one is."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version as installed

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.dialects import ollama_models
from lmxd.http.description import OBJECT, TEXT, Description, json
from lmxd.http.incoming import deps_of, parse
from lmxd.http.outgoing import json_answer
from lmxd.http.ports import Deps
from lmxd.http.routing import Route
from lmxd.serving.names import lookup
from schemas.errors import Code, RequestError

SPOKEN = "0.12.6"
"""The version of Ollama whose API this is: clients look at it to know what they may ask for."""


async def version(_: Request) -> HTTPResponse:
    """`GET /api/version`: of the API, and of lmxd."""
    return json_answer({"version": SPOKEN, "server": f"lmxd/{installed('lmxd')}"})


async def tags(request: Request) -> HTTPResponse:
    """`GET /api/tags`: all names of models that are on disk."""
    deps = deps_of(request)
    entries = await deps.control.catalog()
    return json_answer(ollama_models.tags(entries, deps.gate.routes, _modified(deps)))


async def running(request: Request) -> HTTPResponse:
    """`GET /api/ps`: models in memory."""
    deps = deps_of(request)
    now = datetime.fromtimestamp(deps.now(), UTC)
    return json_answer(ollama_models.running(await deps.control.catalog(), now))


async def show(request: Request) -> HTTPResponse:
    """`POST /api/show`: what one model is."""
    name = await parse(request, _name)
    deps = deps_of(request)
    key = lookup(deps.gate.routes, name)[0]
    for entry in await deps.control.catalog():
        if entry.model.key == key:
            return json_answer(ollama_models.shown(entry, _modified(deps)))
    raise RequestError(Code.MODEL_NOT_FOUND, f"{name[:100]!r} is gone", param="model")


def _name(body: dict[str, object]) -> str:
    name = body.get("model", body.get("name"))
    if isinstance(name, str) and name:
        return name
    raise RequestError(Code.INVALID_REQUEST, "model is required, as text", param="model")


def _modified(deps: Deps) -> datetime:
    """When the document was accepted: nothing else is known of how old an entry is."""
    accepted = deps.control.config().accepted
    if accepted is not None:
        return accepted.accepted_at
    return datetime.fromtimestamp(deps.started, UTC)


_view = partial(Description, answer=json(OBJECT), tag="ollama")

ROUTES = (
    Route("GET", "/api/version", version, _view()),
    Route("GET", "/api/tags", tags, _view()),
    Route("GET", "/api/ps", running, _view()),
    Route(
        "POST",
        "/api/show",
        show,
        _view(
            body=json(
                {
                    "type": "object",
                    "properties": {"model": TEXT},
                    "required": ["model"],
                    "additionalProperties": True,
                }
            )
        ),
    ),
)
