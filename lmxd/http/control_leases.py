"""The control API: leases, seen, extended and ended. They are made by PATCH with `Lmxd-Lease`."""

from __future__ import annotations

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.bodies import fields
from lmxd.http.control_writing import no_lease
from lmxd.http.description import CALL, Description, json
from lmxd.http.effects import carry_out
from lmxd.http.incoming import deps_of
from lmxd.http.outgoing import json_answer, stamped
from lmxd.http.query import query
from lmxd.http.routing import Route
from lmxd.http.terms import Terms, terms, ttl
from schemas.errors import Code, RequestError
from schemas.wire.control import LeaseEnded, LeaseMade, Leases


async def leases(request: Request) -> HTTPResponse:
    """`GET /leases`: all of them, the one that wins last."""
    query(request)
    deps = deps_of(request)
    return json_answer(deps.leasing.leases(), headers=stamped(deps.control))


async def extend(request: Request, lease: str) -> HTTPResponse:
    """`PATCH /leases/{id}`: let it end `ttl` from now."""
    deps, asked = deps_of(request), _plain(request)
    given = await fields(request, deps.edits.read_yaml, "ttl", needed=True)
    seconds = ttl(given.get("ttl"), "ttl")
    return await carry_out(request, asked, lambda: deps.leasing.extend(lease, seconds))


async def end(request: Request, lease: str) -> HTTPResponse:
    """`DELETE /leases/{id}`: what lies below it holds again."""
    asked = _plain(request)
    return await carry_out(request, asked, lambda: deps_of(request).leasing.end(lease))


def _plain(request: Request) -> Terms:
    """Terms of a call that has no rehearsal."""
    asked = terms(request)
    no_lease(asked)
    if asked.dry_run:
        raise RequestError(
            Code.INVALID_REQUEST, f"dry_run is not possible at {request.path}", param="dry_run"
        )
    return asked


_BASE = "/lmxd/v1"
_TTL = {"type": "object", "required": ["ttl"], "properties": {"ttl": {"type": "string"}}}

ROUTES = (
    Route(
        "GET",
        f"{_BASE}/leases",
        leases,
        Description("All leases, the one that wins last.", answer=json(Leases)),
    ),
    Route(
        "PATCH",
        f"{_BASE}/leases/<lease:str>",
        extend,
        Description(
            "Let a lease end so long from now.",
            answer=json(LeaseMade),
            body=json(_TTL),
            params=CALL,
            waits=True,
        ),
    ),
    Route(
        "DELETE",
        f"{_BASE}/leases/<lease:str>",
        end,
        Description(
            "End a lease: what lies below it holds again.",
            answer=json(LeaseEnded),
            params=CALL,
            waits=True,
        ),
    ),
)
