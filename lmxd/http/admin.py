"""The admin paths that bots of older servers know: verbs on models, and what the machine does.

Verbs are edits of the document, and leases with a `ttl`; everything here can also be had of the
control API, which says more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.bodies import fields
from lmxd.http.control_writing import no_lease
from lmxd.http.effects import carry_out
from lmxd.http.incoming import deps_of
from lmxd.http.orders import Order, bare, order, performing
from lmxd.http.outgoing import json_answer, stamped
from lmxd.http.query import query
from lmxd.http.routing import Handler, Route
from lmxd.http.terms import terms
from schemas.errors import Code, RequestError
from schemas.status import DaemonStatus, ModelStatus
from schemas.verbs import Copy, Create, Delete, Download, Load, Unload, Verb
from schemas.wire.admin import (
    AdminMemory,
    AdminMetrics,
    AdminModel,
    AdminModels,
    AdminStatus,
    ModelMemory,
)

# --- verbs ------------------------------------------------------------------------------------


def verb(build: Callable[[Order], Verb], *known: str) -> Handler:
    """`POST /admin/models/VERB` with these members, and `ttl`."""

    async def run(request: Request) -> HTTPResponse:
        asked = await order(request, *known, "ttl")
        return await carry_out(request, asked.terms, performing(request, asked, build(asked)))

    return run


async def remove(request: Request, name: str) -> HTTPResponse:
    """`DELETE /admin/models/{name}`."""
    asked = bare(request)
    return await carry_out(request, asked.terms, performing(request, asked, Delete(name)))


async def reload(request: Request) -> HTTPResponse:
    """`POST /admin/config/reload`: look at the file now, without waiting for its watcher."""
    deps, asked = deps_of(request), terms(request)
    no_lease(asked)
    await fields(request, deps.edits.read_yaml)
    if asked.dry_run:
        raise RequestError(
            Code.INVALID_REQUEST, f"dry_run is not possible at {request.path}", param="dry_run"
        )
    return await carry_out(request, asked, deps.verbs.reload)


def _create(asked: Order) -> Verb:
    given = asked.given.get("fields", {})
    if not isinstance(given, Mapping):
        message = "fields must be an object, of what an entry of models may hold"
        raise RequestError(Code.INVALID_REQUEST, message, param="fields")
    return Create(asked.word("model"), asked.word("from"), given)


# --- what there is ----------------------------------------------------------------------------


async def models(request: Request) -> HTTPResponse:
    """`GET /admin/models`: one line for each model of the document."""
    found = await _status(request)
    listed = tuple(map(_model, found.models))
    body = AdminModels(listed, len(listed), sum(each.loaded for each in listed))
    return json_answer(body, headers=stamped(deps_of(request).control))


async def status(request: Request) -> HTTPResponse:
    """`GET /admin/status`: the daemon in one page."""
    found = await _status(request)
    body = AdminStatus(
        status=found.summary.lower(),
        version=found.version,
        uptime_seconds=_uptime(request),
        generation=found.generation,
        epoch=found.epoch,
        document=found.document,
        models=len(found.models),
        loaded=tuple(model.key for model in found.models if _loaded(model)),
        memory_budget_bytes=found.machine.memory_budget,
        memory_reserved_bytes=found.machine.memory_reserved,
        in_flight=sum(model.serving.in_flight for model in found.models),
        queued=sum(model.serving.queued for model in found.models),
    )
    return json_answer(body, headers=stamped(deps_of(request).control))


async def memory(request: Request) -> HTTPResponse:
    """`GET /admin/memory`: the budget, and who has what of it."""
    found = await _status(request)
    machine = found.machine
    budget, reserved = machine.memory_budget, machine.memory_reserved
    body = AdminMemory(
        total_bytes=machine.memory_total,
        budget_bytes=budget,
        reserved_bytes=reserved,
        available_bytes=None if budget is None else max(0, budget - reserved),
        models=tuple(
            ModelMemory(
                model.key, model.memory.needed, model.memory.reserved, model.memory.measured
            )
            for model in found.models
        ),
    )
    return json_answer(body, headers=stamped(deps_of(request).control))


async def metrics(request: Request) -> HTTPResponse:
    """`GET /admin/metrics`: numbers to draw over time."""
    found = await _status(request)
    machine, words = found.machine, [model.summary for model in found.models]
    body = AdminMetrics(
        uptime_seconds=_uptime(request),
        in_flight_requests=sum(model.serving.in_flight for model in found.models),
        queued_requests=sum(model.serving.queued for model in found.models),
        loaded_models=sum(map(_loaded, found.models)),
        loading_models=words.count("Loading"),
        failed_models=words.count("Failed") + words.count("Stalled"),
        memory_reserved_bytes=machine.memory_reserved,
        memory_budget_bytes=machine.memory_budget,
        disk_free_bytes=machine.disk_free,
        disk_own_bytes=machine.disk_ours,
    )
    return json_answer(body, headers=stamped(deps_of(request).control))


async def _status(request: Request) -> DaemonStatus:
    query(request)
    return await deps_of(request).control.status()


def _uptime(request: Request) -> int:
    deps = deps_of(request)
    return max(0, int(deps.now()) - deps.started)


def _loaded(model: ModelStatus) -> bool:
    return model.serving.instance is not None


def _model(model: ModelStatus) -> AdminModel:
    ready = model.condition("Ready")
    return AdminModel(
        id=model.key,
        source=model.disk.source,
        state=model.target.state,
        status=model.summary,
        loaded=_loaded(model),
        names=model.serving.names,
        size_bytes=model.disk.bytes_total,
        memory_bytes=model.memory.reserved,
        context=model.serving.context,
        in_flight=model.serving.in_flight,
        queued=model.serving.queued,
        message=ready.message if ready is not None else "",
    )


_BASE = "/admin"
_MODELS = f"{_BASE}/models"

ROUTES = (
    Route(
        "POST",
        f"{_MODELS}/load",
        verb(lambda asked: Load(asked.word("model"), asked.tokens("context")), "model", "context"),
    ),
    Route("POST", f"{_MODELS}/unload", verb(lambda asked: Unload(asked.word("model")), "model")),
    Route(
        "POST", f"{_MODELS}/download", verb(lambda asked: Download(asked.word("model")), "model")
    ),
    Route(
        "POST",
        f"{_MODELS}/copy",
        verb(
            lambda asked: Copy(asked.word("source"), asked.word("destination")),
            "source",
            "destination",
        ),
    ),
    Route("POST", f"{_MODELS}/create", verb(_create, "model", "from", "fields")),
    Route("POST", f"{_MODELS}/delete", verb(lambda asked: Delete(asked.word("model")), "model")),
    Route("DELETE", f"{_MODELS}/<name:path>", remove),
    Route("GET", _MODELS, models),
    Route("GET", f"{_BASE}/status", status),
    Route("GET", f"{_BASE}/memory", memory),
    Route("GET", f"{_BASE}/metrics", metrics),
    Route("POST", f"{_BASE}/config/reload", reload),
)
