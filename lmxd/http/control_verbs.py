"""The control API: suspend and resume, which are edits, and retry, which forgets failures."""

from __future__ import annotations

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.bodies import fields
from lmxd.http.control import find
from lmxd.http.control_writing import no_lease
from lmxd.http.description import CALL, CHANGE, OBJECT, PLAN, Description, json
from lmxd.http.effects import carry_out
from lmxd.http.incoming import deps_of
from lmxd.http.ports import Effect
from lmxd.http.routing import Handler, Route
from lmxd.http.terms import Terms, terms
from schemas.edit import MergePatch
from schemas.errors import Code, RequestError
from schemas.wire.control import Changed, Retried


def suspension(*, wanted: bool) -> Handler:
    """`POST /suspend` and `POST /resume`: the whole document."""

    async def run(request: Request) -> HTTPResponse:
        asked = await _asked(request)
        accepted = deps_of(request).control.config().accepted
        stands = accepted is not None and accepted.document.suspend == wanted
        patch: dict[str, object] = {} if stands else {"suspend": wanted}
        return await carry_out(request, asked, lambda: _edited(request, asked, patch))

    return run


def model_suspension(*, wanted: bool) -> Handler:
    """`POST /models/{key}/suspend` and `/resume`: one model."""

    async def run(request: Request, key: str) -> HTTPResponse:
        asked = await _asked(request)
        control = deps_of(request).control
        find(await control.status(), key)
        accepted = control.config().accepted
        known = accepted is not None and key in accepted.document.models
        stands = (
            accepted is not None and known and accepted.document.resolved(key).suspend == wanted
        )
        patch: dict[str, object] = {} if stands else {"models": {key: {"suspend": wanted}}}
        return await carry_out(request, asked, lambda: _edited(request, asked, patch))

    return run


async def retry(request: Request, key: str) -> HTTPResponse:
    """`POST /models/{key}/retry`: what failed is tried again at once."""
    asked = await _asked(request)
    if asked.dry_run:
        raise RequestError(
            Code.INVALID_REQUEST, f"dry_run is not possible at {request.path}", param="dry_run"
        )
    deps = deps_of(request)
    find(await deps.control.status(), key)
    return await carry_out(request, asked, lambda: deps.edits.retry(key))


async def _asked(request: Request) -> Terms:
    asked = terms(request)
    no_lease(asked)
    await fields(request, deps_of(request).edits.read_yaml)
    return asked


async def _edited(request: Request, asked: Terms, patch: dict[str, object]) -> Effect:
    """Nothing is written where the document says so already."""
    edit = asked.edit(MergePatch(patch))
    edits = deps_of(request).edits
    return await edits.change(edit, dry_run=asked.dry_run, plan_id=asked.plan_id)


_BASE = "/lmxd/v1"


def _suspending(summary: str) -> Description:
    return Description(
        summary,
        answer=json(Changed),
        body=json(OBJECT),
        optional=True,
        params=(*CHANGE, PLAN),
        waits=True,
    )


_OF_MODEL = f"{_BASE}/models/<key:str>"
_RETRY = Description(
    answer=json(Retried), body=json(OBJECT), optional=True, params=CALL, waits=True
)

ROUTES = (
    Route(
        "POST",
        f"{_BASE}/suspend",
        suspension(wanted=True),
        _suspending("Observe only: act on nothing. An edit, so it outlives a restart."),
    ),
    Route(
        "POST",
        f"{_BASE}/resume",
        suspension(wanted=False),
        _suspending("Act again on what the document says."),
    ),
    Route(
        "POST",
        f"{_OF_MODEL}/suspend",
        model_suspension(wanted=True),
        _suspending("Leave this model as it is. An edit, so it outlives a restart."),
    ),
    Route(
        "POST",
        f"{_OF_MODEL}/resume",
        model_suspension(wanted=False),
        _suspending("Act again on what the document says of this model."),
    ),
    Route("POST", f"{_OF_MODEL}/retry", retry, _RETRY),
)
