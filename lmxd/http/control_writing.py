"""The control API: PATCH and PUT of the document, and the release of an edit that is held.

Terms and body become one `Edit`; the daemon's `Edits` carries it out, or `Leasing` when it is only
to hold for a time.
"""

from __future__ import annotations

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.bodies import JSON_PATCH, MERGE_PATCH, YAML, fields, patch, whole
from lmxd.http.description import (
    CALL,
    CHANGE,
    IF_NONE_MATCH,
    LEASE,
    OBJECT,
    PLAN,
    TEXT,
    Description,
    Named,
    json,
)
from lmxd.http.effects import carry_out
from lmxd.http.incoming import deps_of
from lmxd.http.ports import Effect
from lmxd.http.routing import Route
from lmxd.http.terms import Terms, terms
from schemas.edit import Edit, MergePatch
from schemas.errors import Code, RequestError
from schemas.wire.control import Changed


async def patch_desired(request: Request) -> HTTPResponse:
    """`PATCH /desired`: a merge patch or a JSON Patch; with `Lmxd-Lease` a lease."""
    deps, asked = deps_of(request), terms(request)
    _check_none_match(asked, "a PATCH")
    edit = asked.edit(await patch(request, deps.edits.read_yaml))
    if asked.lease_s is None:
        return await carry_out(request, asked, lambda: _change(request, asked, edit))
    if not isinstance(edit.body, MergePatch):
        raise RequestError(
            Code.UNSUPPORTED_MEDIA_TYPE,
            "a lease is a merge patch, and this is a JSON Patch",
            hint="send Content-Type: application/merge-patch+json",
        )
    if asked.plan_id is not None:
        raise RequestError(
            Code.INVALID_REQUEST,
            "Lmxd-Plan does not go with Lmxd-Lease: plans are made of edits",
            param="Lmxd-Plan",
        )
    seconds = asked.lease_s
    return await carry_out(
        request,
        asked,
        lambda: deps.leasing.lend(edit, seconds, dry_run=asked.dry_run),
    )


async def put_desired(request: Request) -> HTTPResponse:
    """`PUT /desired`: the whole document; only over the one that the client has seen."""
    asked = terms(request)
    no_lease(asked)
    creates = asked.if_none_match == ("*",)
    if not creates:
        _check_none_match(asked, "a PUT, but for *")
    if not asked.if_match and not creates:
        raise RequestError(
            Code.PRECONDITION_REQUIRED,
            "a PUT replaces the whole document, so it must say which one",
            hint="send If-Match with the ETag of GET /lmxd/v1/desired, "
            "or If-None-Match: * to write the first one",
        )
    edit = asked.edit(await whole(request))
    if not creates:
        return await carry_out(request, asked, lambda: _change(request, asked, edit))
    edits = deps_of(request).edits
    return await carry_out(request, asked, lambda: edits.create(edit, dry_run=asked.dry_run))


async def confirm(request: Request) -> HTTPResponse:
    """`POST /desired/confirm`: accept the file although much of it has vanished."""
    deps, asked = deps_of(request), terms(request)
    given = (await fields(request, deps.edits.read_yaml, "sha256", needed=True)).get("sha256")
    if not isinstance(given, str) or not given:
        raise RequestError(
            Code.INVALID_REQUEST,
            "sha256 must be the digest of the file that is held",
            hint="the condition ConfigCurrent names it",
            param="sha256",
        )
    return await carry_out(request, asked, lambda: deps.edits.confirm(given))


def no_lease(asked: Terms) -> None:
    """Raises RequestError (invalid_request) for `Lmxd-Lease` where nothing can be lent."""
    if asked.lease_s is not None:
        raise RequestError(
            Code.INVALID_REQUEST,
            "Lmxd-Lease goes with PATCH /lmxd/v1/desired only",
            param="Lmxd-Lease",
        )


def _check_none_match(asked: Terms, where: str) -> None:
    """Raises RequestError (invalid_request) for a condition that nobody would look at."""
    if asked.if_none_match:
        raise RequestError(
            Code.INVALID_REQUEST,
            f"If-None-Match is no condition of {where}",
            hint="send the ETag that you have seen as If-Match",
            param="If-None-Match",
        )


async def _change(request: Request, asked: Terms, edit: Edit) -> Effect:
    edits = deps_of(request).edits
    return await edits.change(edit, dry_run=asked.dry_run, plan_id=asked.plan_id)


_BASE = "/lmxd/v1"
_OPERATIONS = {"type": "array", "items": {"type": "object"}}
_CONFIRM = {"type": "object", "required": ["sha256"], "properties": {"sha256": {"type": "string"}}}

ROUTES = (
    Route(
        "PATCH",
        f"{_BASE}/desired",
        patch_desired,
        Description(
            answer=json(Changed),
            body={MERGE_PATCH: OBJECT, JSON_PATCH: _OPERATIONS, **json(OBJECT), YAML: TEXT},
            params=(*CHANGE, PLAN, LEASE),
            waits=True,
        ),
    ),
    Route(
        "PUT",
        f"{_BASE}/desired",
        put_desired,
        Description(
            answer=json(Changed),
            body={**json(Named("DesiredState")), YAML: TEXT},
            params=(*CHANGE, PLAN, IF_NONE_MATCH),
            waits=True,
        ),
    ),
    Route(
        "POST",
        f"{_BASE}/desired/confirm",
        confirm,
        Description(answer=json(Changed), body=json(_CONFIRM), params=CALL, waits=True),
    ),
)
