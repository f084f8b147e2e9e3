"""The control API: the plan of what stands, and of what somebody thinks of. Changes nothing."""

from __future__ import annotations

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.bodies import fields
from lmxd.http.description import AT, OBJECT, TEXT, Description, Param, json
from lmxd.http.incoming import deps_of
from lmxd.http.outgoing import json_answer, prefers, stamped
from lmxd.http.query import instant, number, query
from lmxd.http.routing import Route
from schemas.edit import Edit, EditBody, JsonPatch, MergePatch, WholeData, WholeText
from schemas.errors import Code, RequestError
from schemas.wire.control import Planned, Timeline

HOURS, HOURS_MAX = 48, 14 * 24
_MEMBERS = ("document", "patch", "text")
"""A candidate: the whole document as values or as YAML text, or a patch."""


async def plan(request: Request) -> HTTPResponse:
    """`GET /plan`: what would be done now, or at `?at=`; JSON, or text for `Accept: text/plain`."""
    control, at = deps_of(request).control, instant(query(request, "at"))
    found = await control.plan(at)
    headers = stamped(control) | {"Vary": "Accept"}
    if prefers(request, ("text/plain",)):
        text = str(found.get("text", ""))
        return HTTPResponse(text, headers=headers, content_type="text/plain; charset=utf-8")
    return json_answer(found, headers=headers)


async def timeline(request: Request) -> HTTPResponse:
    """`GET /timeline`: windows, models and memory of the coming `?hours=`."""
    hours = number(query(request, "hours"), "hours", HOURS, HOURS_MAX)
    control = deps_of(request).control
    return json_answer(await control.timeline(hours), headers=stamped(control))


async def planned(request: Request) -> HTTPResponse:
    """`POST /plan`: what would change and be done with another document, or after a patch."""
    deps, at = deps_of(request), instant(query(request, "at"))
    given = await fields(request, deps.edits.read_yaml, *_MEMBERS, needed=True)
    if len(given) != 1:
        raise RequestError(
            Code.INVALID_REQUEST,
            "the body must have one of document, patch and text",
            hint='write {"patch": {"models": …}}',
        )
    found = await deps.edits.planned(Edit(_candidate(given)), at)
    return json_answer(found, headers=stamped(deps.control))


def _candidate(given: dict[str, object]) -> EditBody:
    ((name, value),) = given.items()
    if name == "text":
        if not isinstance(value, str):
            raise RequestError(Code.INVALID_REQUEST, "text must be a string", param=name)
        return WholeText(value.encode())
    if isinstance(value, dict):
        return MergePatch(value) if name == "patch" else WholeData(value)
    if isinstance(value, list) and name == "patch":
        return JsonPatch(value)
    kinds = "an object or an array" if name == "patch" else "an object"
    raise RequestError(Code.INVALID_REQUEST, f"{name} must be {kinds}", param=name)


_BASE = "/lmxd/v1"
_CANDIDATE = {
    "type": "object",
    "properties": {
        "document": {"type": "object"},
        "patch": {"type": ["object", "array"]},
        "text": {"type": "string"},
    },
    "minProperties": 1,
    "maxProperties": 1,
}
_HOURS = Param("hours", "How far to look ahead.", {"type": "integer", "default": HOURS})

ROUTES = (
    Route(
        "GET",
        f"{_BASE}/plan",
        plan,
        Description(answer={**json(OBJECT), "text/plain": TEXT}, params=(AT,)),
    ),
    Route(
        "POST",
        f"{_BASE}/plan",
        planned,
        Description(answer=json(Planned), body=json(_CANDIDATE), params=(AT,)),
    ),
    Route(
        "GET",
        f"{_BASE}/timeline",
        timeline,
        Description(answer=json(Timeline), params=(_HOURS,)),
    ),
)
