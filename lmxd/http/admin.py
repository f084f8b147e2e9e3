"""The verbs that bots of older servers know, under `/admin`: load, unload, download, copy, create,
delete, and a reload of the file.

Verbs are edits of the document, and leases with a `ttl`; the control API can do all of it too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.bodies import fields
from lmxd.http.control_writing import no_lease
from lmxd.http.description import CALL, CHANGE, OBJECT, TEXT, Description, JsonSchema, json
from lmxd.http.effects import carry_out
from lmxd.http.incoming import deps_of
from lmxd.http.orders import TTL, Order, bare, order, performing
from lmxd.http.routing import Handler, Route
from lmxd.http.terms import terms
from schemas.errors import Code, RequestError
from schemas.verbs import Copy, Create, Delete, Download, Load, Unload, Verb
from schemas.wire.admin import Done, Reloaded


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


_COPY = ("source", "destination")


def _create(asked: Order) -> Verb:
    given = asked.given.get("fields", {})
    if not isinstance(given, Mapping):
        message = "fields must be an object, of what an entry of models may hold"
        raise RequestError(Code.INVALID_REQUEST, message, param="fields")
    return Create(asked.word("model"), asked.word("from"), given)


_MODELS = "/admin/models"
_NAME: JsonSchema = {"type": "string", "description": "An alias, a key, or the id of a repository."}
_SOURCE: JsonSchema = {"type": "string", "description": "The same, or a source, as hf:org/name."}
_TOKENS: JsonSchema = {"type": "integer", "minimum": 1}


def _ordering(summary: str, **members: JsonSchema) -> Description:
    optional = {"ttl": TEXT, "context": _TOKENS, "fields": OBJECT}
    return Description(
        summary,
        answer=json(Done),
        body=json(
            {
                "type": "object",
                "properties": {**members, "ttl": TEXT},
                "required": [name for name in members if name not in optional],
                "additionalProperties": False,
            }
        ),
        params=(TTL, *CHANGE),
        waits=True,
        tag="admin",
    )


ROUTES = (
    Route(
        "POST",
        f"{_MODELS}/load",
        verb(lambda asked: Load(asked.word("model"), asked.tokens("context")), "model", "context"),
        _ordering(
            "Have a model loaded: state loaded in the document.", model=_SOURCE, context=_TOKENS
        ),
    ),
    Route(
        "POST",
        f"{_MODELS}/unload",
        verb(lambda asked: Unload(asked.word("model")), "model"),
        _ordering("Take a model out of memory; its files stay.", model=_NAME),
    ),
    Route(
        "POST",
        f"{_MODELS}/download",
        verb(lambda asked: Download(asked.word("model")), "model"),
        _ordering("Have the files of a model on disk.", model=_SOURCE),
    ),
    Route(
        "POST",
        f"{_MODELS}/copy",
        verb(lambda asked: Copy(asked.word("source"), asked.word("destination")), *_COPY),
        _ordering("Give a model a further name: an alias.", source=_NAME, destination=TEXT),
    ),
    Route(
        "POST",
        f"{_MODELS}/create",
        verb(_create, "model", "from", "fields"),
        _ordering(
            "Make a model of a source, or of another model with fields of its own.",
            **{"model": TEXT, "from": _SOURCE, "fields": OBJECT},
        ),
    ),
    Route(
        "POST",
        f"{_MODELS}/delete",
        verb(lambda asked: Delete(asked.word("model")), "model"),
        _ordering("Remove an alias, or a model with the files lmxd brought.", model=_NAME),
    ),
    Route(
        "DELETE",
        f"{_MODELS}/<name:path>",
        remove,
        Description(
            "Remove an alias, or a model with the files lmxd brought.",
            answer=json(Done),
            params=(TTL, *CHANGE),
            waits=True,
            tag="admin",
        ),
    ),
    Route(
        "POST",
        "/admin/config/reload",
        reload,
        Description(
            "Look at the file now, without waiting for its watcher.",
            answer=json(Reloaded),
            body=json(OBJECT),
            optional=True,
            params=CALL,
            waits=True,
            tag="admin",
        ),
    ),
)
