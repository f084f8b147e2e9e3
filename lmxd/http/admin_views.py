"""What bots of older servers ask for under `/admin`: models, memory, numbers.

Everything is taken from the status of the control API, which says more.
"""

from __future__ import annotations

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.description import Description, json
from lmxd.http.incoming import deps_of
from lmxd.http.outgoing import json_answer, stamped
from lmxd.http.query import query
from lmxd.http.routing import Route
from schemas.status import DaemonStatus, ModelStatus
from schemas.wire.admin import (
    AdminMemory,
    AdminMetrics,
    AdminModel,
    AdminModels,
    AdminStatus,
    ModelMemory,
)


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


ROUTES = (
    Route("GET", "/admin/models", models, Description(answer=json(AdminModels), tag="admin")),
    Route("GET", "/admin/status", status, Description(answer=json(AdminStatus), tag="admin")),
    Route("GET", "/admin/memory", memory, Description(answer=json(AdminMemory), tag="admin")),
    Route("GET", "/admin/metrics", metrics, Description(answer=json(AdminMetrics), tag="admin")),
)
