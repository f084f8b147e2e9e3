"""Health and readiness under the names that probes know; exempt from the Host check."""

from __future__ import annotations

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.description import OBJECT, Description, json
from lmxd.http.incoming import deps_of
from lmxd.http.outgoing import json_answer
from lmxd.http.routing import Route

_RETRY_AFTER_S = "5"


async def live(request: Request) -> HTTPResponse:
    """200 while the daemon makes progress, whatever it serves."""
    if deps_of(request).health.live():
        return json_answer({"status": "ok"})
    return _not_now({"status": "stuck", "reason": "the daemon made no progress for 30 s"})


async def ready(request: Request) -> HTTPResponse:
    """200 when everything that should be served is served."""
    is_ready, reason = deps_of(request).health.ready()
    if is_ready:
        return json_answer({"status": "ready"})
    return _not_now({"status": "not ready", "reason": reason})


def _not_now(body: dict[str, str]) -> HTTPResponse:
    return json_answer(body, status=503, headers={"Retry-After": _RETRY_AFTER_S})


LIVE_PATHS = ("/health", "/livez", "/api/health", "/admin/health")
READY_PATHS = ("/ready", "/readyz")

_LIVE = Description(
    "Whether the daemon makes progress, whatever it serves.", answer=json(OBJECT), tag="health"
)
_READY = Description(
    "Whether everything that should be served is served.", answer=json(OBJECT), tag="health"
)

ROUTES = (
    *(Route("GET", path, live, _LIVE) for path in LIVE_PATHS),
    *(Route("GET", path, ready, _READY) for path in READY_PATHS),
)
