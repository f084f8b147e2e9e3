"""The control API: the history of the document, and the way back to one of its generations."""

from __future__ import annotations

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.bodies import fields
from lmxd.http.control_writing import no_lease
from lmxd.http.description import CHANGE, OBJECT, Description, Param, json
from lmxd.http.effects import carry_out
from lmxd.http.incoming import deps_of
from lmxd.http.outgoing import json_answer, stamped
from lmxd.http.query import number, query
from lmxd.http.routing import Route
from lmxd.http.terms import terms
from schemas.edit import MergePatch
from schemas.errors import Code, RequestError
from schemas.wire.control import Changed, GenerationInfo, Generations

SHOWN, MOST = 20, 1000


async def generations(request: Request) -> HTTPResponse:
    """`GET /generations`: the newest first, `?limit=` of them."""
    limit = number(query(request, "limit"), "limit", SHOWN, MOST)
    deps = deps_of(request)
    return json_answer(await deps.history.generations(limit), headers=stamped(deps.control))


async def generation(request: Request, generation: str) -> HTTPResponse:
    """`GET /generations/{n}`: one of them, with its text and what it changed."""
    query(request)
    deps, wanted = deps_of(request), _number(generation)
    return json_answer(await deps.history.generation(wanted), headers=stamped(deps.control))


async def rollback(request: Request, generation: str) -> HTTPResponse:
    """`POST /generations/{n}/rollback`: a new generation with what that one held."""
    deps, wanted, asked = deps_of(request), _number(generation), terms(request)
    no_lease(asked)
    await fields(request, deps.edits.read_yaml)
    edit = asked.edit(MergePatch({}))
    return await carry_out(
        request, asked, lambda: deps.edits.rollback(wanted, edit, dry_run=asked.dry_run)
    )


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise RequestError(Code.NOT_FOUND, f"there is no generation {text[:40]!r}: they are numbers")


_BASE = "/lmxd/v1"
_LIMIT = Param("limit", "How many at most.", {"type": "integer", "default": SHOWN})

ROUTES = (
    Route(
        "GET",
        f"{_BASE}/generations",
        generations,
        Description(
            "The history of the document, newest first.", answer=json(Generations), params=(_LIMIT,)
        ),
    ),
    Route(
        "GET",
        f"{_BASE}/generations/<generation:str>",
        generation,
        Description(
            "One generation, with its text and what it changed.", answer=json(GenerationInfo)
        ),
    ),
    Route(
        "POST",
        f"{_BASE}/generations/<generation:str>/rollback",
        rollback,
        Description(
            "Make a new generation of what an earlier one held.",
            answer=json(Changed),
            body=json(OBJECT),
            optional=True,
            params=CHANGE,
            waits=True,
        ),
    ),
)
