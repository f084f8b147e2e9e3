"""Ollama's verbs: pull, create, copy, delete and stop, which are edits, and leases with `?ttl=`.

Pull and create tell how they go, line by line, unless they are asked not to. A client that hangs
up has ordered all the same. Files are neither sent nor taken here: push and blobs say so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import msgspec
from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.dialects import ollama_models, ollama_orders
from lmxd.http import errors
from lmxd.http.description import CHANGE, FLAG, OBJECT, TEXT, Description, JsonSchema, json
from lmxd.http.effects import Carried, carried
from lmxd.http.incoming import Incoming, deps_of
from lmxd.http.orders import TTL, Order, order, patient, performing
from lmxd.http.outgoing import json_answer
from lmxd.http.routing import Route
from lmxd.http.streams import NDJSON, Feed
from reconciler.catalog import Entry
from reconciler.state import DiskPhase
from schemas.errors import Code, RequestError
from schemas.verbs import Copy, Create, Delete, Download, Unload, Verb

_GLANCE_S = 0.25
"""Between two looks at a download."""
_PATIENCE = 3
"""After so many failures a pull says what is wrong; the download is tried again all the same."""

_NAMES = ("model", "name")
_RECIPE = (
    *_NAMES,
    *("from", "stream", "system", "template", "parameters", "license", "files", "adapters"),
    *("messages", "quantize", "quantization", "modelfile", "path"),
)
_SUCCESS: Mapping[str, object] = {"status": "success"}


async def pull(request: Incoming) -> HTTPResponse | None:
    """`POST /api/pull`: have the files of a model, which then is loaded when it is asked for."""
    asked = await order(request, *_NAMES, "stream", "insecure", "username", "password")
    streamed = _streamed(asked)
    verb = Download(ollama_orders.source(_name(asked)), "on-demand")
    found = await carried(request, asked.terms, performing(request, asked, verb))
    if asked.terms.dry_run:
        return _plain(found)
    return await _told(request, found, streamed=streamed)


async def create(request: Incoming) -> HTTPResponse | None:
    """`POST /api/create`: a model of another one, with parameters of its own."""
    asked = await order(request, *_RECIPE)
    streamed, fields = _streamed(asked), ollama_orders.fields(asked.given)
    base = ollama_orders.source(asked.word("from"))
    verb = Create(ollama_orders.key(_name(asked)), base, fields)
    found = await carried(request, asked.terms, performing(request, asked, verb))
    if asked.terms.dry_run:
        return _plain(found)
    return await _told(request, found, streamed=streamed)


async def copy(request: Request) -> HTTPResponse:
    """`POST /api/copy`: a further name for a model."""
    asked = await order(request, "source", "destination")
    verb = Copy(asked.word("source"), asked.word("destination"))
    return await _done(request, asked, verb)


async def delete(request: Request) -> HTTPResponse:
    """`DELETE /api/delete`: remove a name, or a model with the files that lmxd brought."""
    asked = await order(request, *_NAMES)
    return await _done(request, asked, Delete(_name(asked)))


async def stop(request: Request) -> HTTPResponse:
    """`POST /api/stop`: take a model out of memory."""
    asked = await order(request, *_NAMES)
    return await _done(request, asked, Unload(_name(asked)))


async def push(_: Request) -> HTTPResponse:
    """`POST /api/push`: refused."""
    raise RequestError(
        Code.INVALID_REQUEST,
        "push is not possible: lmxd publishes no models",
        hint="its files stand where GET /lmxd/v1/status says; publish them with the hub's own tool",
    )


async def blob(_: Request, digest: str) -> HTTPResponse:
    """`HEAD /api/blobs/{digest}`: never there, as no files are taken over HTTP."""
    raise RequestError(Code.NOT_FOUND, f"there is no blob {digest[:80]!r}", param="digest")


async def upload(_: Request, digest: str) -> HTTPResponse:
    """`POST /api/blobs/{digest}`: refused."""
    raise RequestError(
        Code.INVALID_REQUEST,
        f"the blob {digest[:80]!r} is not taken: lmxd takes no files over HTTP",
        hint="put the files into a folder of this machine, and create the model from file:/FOLDER",
        param="digest",
    )


def _name(asked: Order) -> str:
    """Older clients say `name`."""
    return asked.word("name" if "model" not in asked.given and "name" in asked.given else "model")


def _streamed(asked: Order) -> bool:
    return asked.given.get("stream") is None or asked.flag("stream")


async def _done(request: Request, asked: Order, verb: Verb) -> HTTPResponse:
    """A verb that answers nothing, when it is carried out."""
    asked = patient(request, asked)
    found = await carried(request, asked.terms, performing(request, asked, verb))
    if asked.terms.dry_run:
        return _plain(found)
    return HTTPResponse(status=200, headers=found.headers)


def _plain(found: Carried) -> HTTPResponse:
    return json_answer(found.body, status=found.status, headers=found.headers)


async def _told(request: Incoming, found: Carried, *, streamed: bool) -> HTTPResponse | None:
    """How it goes: each step as a line, or success in the end."""
    steps = _progress(request, str(found.body["model"]))
    if not streamed:
        async for _ in steps:
            pass
        return json_answer(_SUCCESS, headers=found.headers)
    await Feed(
        request,
        messages=_lines(steps),
        opening=b"",
        comment=bytes,
        interval_s=0,
        farewell=_line(_SUCCESS),
        failure=lambda error: _line(errors.ollama_body(error)),
        headers=found.headers,
        medium=NDJSON,
    ).run()
    return None


async def _lines(steps: AsyncIterator[Mapping[str, object]]) -> AsyncIterator[bytes]:
    async for step in steps:
        yield _line(step)


def _line(body: Mapping[str, object]) -> bytes:
    return msgspec.json.encode(body) + b"\n"


async def _progress(request: Request, key: str) -> AsyncIterator[Mapping[str, object]]:
    """What changes until the files are there. Raises RequestError when they cannot come."""
    told: Mapping[str, object] = {"status": "pulling manifest"}
    yield told
    while True:
        entry = await _entry(request, key)
        if entry.disk.phase is DiskPhase.VERIFIED or entry.current is not None:
            break
        _check(entry)
        step = ollama_models.progress(entry)
        if step != told:
            yield (told := step)
        await asyncio.sleep(_GLANCE_S)
    yield {"status": "verifying sha256 digest"}
    yield {"status": "writing manifest"}


async def _entry(request: Request, key: str) -> Entry:
    for entry in await deps_of(request).control.catalog():
        if entry.model.key == key:
            return entry
    raise RequestError(Code.MODEL_NOT_FOUND, f"{key} is gone from the document", param="model")


def _check(entry: Entry) -> None:
    """Raise RequestError when nobody should wait for the files any more."""
    failure, key = entry.failure, entry.model.key
    if entry.model.suspended:
        hint = f"POST /lmxd/v1/models/{key}/resume, and it goes on"
        raise RequestError(Code.SUSPENDED, f"{key} is suspended", hint=hint, retry=False)
    if failure is None:
        return
    why = f"{key} cannot be had: {failure.reason}: {failure.message}"
    if failure.retry_at is None:
        raise RequestError(Code.MODEL_FAILED, why, retry=False)
    if failure.count >= _PATIENCE:
        hint = f"it is tried again; GET /lmxd/v1/models/{key} says how it goes"
        raise RequestError(Code.MODEL_FAILED, why, hint=hint)


def _ordering(
    summary: str, needed: str, *, lines: bool = False, **members: JsonSchema
) -> Description:
    return Description(
        summary,
        answer={NDJSON.content_type: TEXT, **json(OBJECT)} if lines else json(OBJECT),
        body=json(
            {
                "type": "object",
                "properties": {needed: TEXT, **members},
                "required": [needed],
                "additionalProperties": False,
            }
        ),
        params=(TTL, *CHANGE),
        tag="ollama",
    )


_STREAMED: JsonSchema = {**FLAG, "default": True}
_BLOB = Description(answer=json(OBJECT), tag="ollama")

ROUTES = (
    Route(
        "POST",
        "/api/pull",
        pull,
        _ordering(
            "Have the files of a model, which then is loaded when it is asked for.",
            "model",
            lines=True,
            stream=_STREAMED,
            insecure=FLAG,
        ),
    ),
    Route(
        "POST",
        "/api/create",
        create,
        _ordering(
            "Make a model of another one, with parameters of its own.",
            "model",
            lines=True,
            **{"from": TEXT, "system": TEXT, "template": TEXT},
            parameters=OBJECT,
            stream=_STREAMED,
        ),
    ),
    Route(
        "POST",
        "/api/copy",
        copy,
        _ordering("Give a model a further name: an alias.", "source", destination=TEXT),
    ),
    Route(
        "DELETE",
        "/api/delete",
        delete,
        _ordering("Remove a name, or a model with the files that lmxd brought.", "model"),
    ),
    Route("POST", "/api/stop", stop, _ordering("Take a model out of memory.", "model")),
    Route("POST", "/api/push", push, _ordering("Refused: lmxd publishes no models.", "model")),
    Route("GET", "/api/blobs/<digest:str>", blob, _BLOB),
    Route(
        "POST",
        "/api/blobs/<digest:str>",
        upload,
        Description(
            "Refused: lmxd takes no files over HTTP.",
            answer=json(OBJECT),
            body={"application/octet-stream": TEXT},
            tag="ollama",
        ),
    ),
)
