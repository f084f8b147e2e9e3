"""LM Studio's REST API, version 1: its paths for models; the verbs are edits and leases.

Calls that load or unload answer when that is done, as its clients expect, and at the latest after
`limits.wait`; a `Prefer` header asks for another wait.
"""

from __future__ import annotations

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.dialects import lmstudio
from lmxd.http.description import CHANGE, FLAG, OBJECT, TEXT, Description, JsonSchema, json
from lmxd.http.effects import Carried, carried
from lmxd.http.incoming import deps_of
from lmxd.http.orders import TTL, order, patient, performing
from lmxd.http.outgoing import json_answer
from lmxd.http.query import query
from lmxd.http.routing import Route
from reconciler.catalog import Entry
from schemas.errors import Code, RequestError
from schemas.verbs import Download, Load, Unload

LLAMA_CPP = ("eval_batch_size", "flash_attention", "num_experts", "offload_kv_cache_to_gpu")
"""Members of a load that have an effect on llama.cpp alone, there as here."""


async def models(request: Request) -> HTTPResponse:
    """`GET /api/v1/models`: what is on disk, and what of it is loaded."""
    query(request)
    return json_answer(lmstudio.listing(await deps_of(request).control.catalog()))


async def load(request: Request) -> HTTPResponse:
    """`POST /api/v1/models/load`: answers when the model does."""
    asked = await order(request, "model", "context_length", "echo_load_config", *LLAMA_CPP)
    echo = asked.flag("echo_load_config")
    verb = Load(asked.word("model"), asked.tokens("context_length"), known=True)
    asked = patient(request, asked)
    found = await carried(request, asked.terms, performing(request, asked, verb))
    if asked.terms.dry_run:
        return _plain(found)
    entry = await _entry(request, found)
    if entry.current is None or found.body.get("converged") is False:
        raise _not_yet(entry, found)
    ignored = {"Lmxd-Ignored": ", ".join(n for n in LLAMA_CPP if n in asked.given)}
    headers = found.headers | {name: value for name, value in ignored.items() if value}
    return json_answer(lmstudio.loaded(entry, entry.current, echo=echo), headers=headers)


async def unload(request: Request) -> HTTPResponse:
    """`POST /api/v1/models/unload`: answers when its memory is free."""
    asked = await order(request, "instance_id")
    name = asked.word("instance_id")
    asked = patient(request, asked)
    found = await carried(request, asked.terms, performing(request, asked, Unload(name)))
    return _plain(found) if asked.terms.dry_run else _plain(found, {"instance_id": name})


async def download(request: Request) -> HTTPResponse:
    """`POST /api/v1/models/download`: answers at once, with the job to ask for."""
    asked = await order(request, "model", "quantization")
    quant = asked.word("quantization") if "quantization" in asked.given else None
    verb = Download(lmstudio.source(asked.word("model"), quant))
    found = await carried(request, asked.terms, performing(request, asked, verb))
    if asked.terms.dry_run:
        return _plain(found)
    body = lmstudio.download(await _entry(request, found))
    if body["status"] == "completed" and found.body["how"] == "nothing":
        body = {"status": "already_downloaded"}
    return json_answer(body, headers=found.headers)


async def progress(request: Request, job: str) -> HTTPResponse:
    """`GET /api/v1/models/download/status/{job_id}`: how a download goes."""
    query(request)
    entries = await deps_of(request).control.catalog()
    return json_answer(lmstudio.download(lmstudio.of_job(entries, job)))


async def _entry(request: Request, found: Carried) -> Entry:
    """The model that a verb was about."""
    for entry in await deps_of(request).control.catalog():
        if entry.model.key == found.body["model"]:
            return entry
    raise RequestError(Code.MODEL_NOT_FOUND, f"{found.body['model']} is gone again", param="model")


def _plain(found: Carried, body: object = None) -> HTTPResponse:
    return json_answer(
        found.body if body is None else body, status=found.status, headers=found.headers
    )


def _not_yet(entry: Entry, found: Carried) -> RequestError:
    """A load that did not end well, or not in time; what was asked for stays recorded."""
    key = entry.model.key
    unsettled = found.body.get("unsettled")
    gaps = list(unsettled) if isinstance(unsettled, list | tuple) else []
    why = next((f"{gap.reason}: {gap.message}" for gap in gaps if gap.model == key), None)
    if found.status == 202:
        return RequestError(
            Code.MODEL_LOADING,
            f"{key} is not loaded yet: {why or 'it is loading'}",
            hint="it goes on; ask again, or for a longer wait: Prefer: wait=600",
        )
    why = why or f"by now it is to be {entry.model.state}"
    return RequestError(Code.MODEL_FAILED, f"{key} was not loaded: {why}", retry=False)


_BASE = "/api/v1/models"
_TOKENS: JsonSchema = {"type": "integer", "minimum": 1}


def _ordering(needed: str, **members: JsonSchema) -> Description:
    return Description(
        answer=json(OBJECT),
        body=json(
            {
                "type": "object",
                "properties": {needed: TEXT, **members},
                "required": [needed],
                "additionalProperties": False,
            }
        ),
        params=(TTL, *CHANGE),
        tag="lm studio",
    )


_LOAD = _ordering(
    "model",
    context_length=_TOKENS,
    echo_load_config=FLAG,
    eval_batch_size=_TOKENS,
    flash_attention=FLAG,
    num_experts=_TOKENS,
    offload_kv_cache_to_gpu=FLAG,
)
_VIEW = Description(answer=json(OBJECT), tag="lm studio")

ROUTES = (
    Route("GET", _BASE, models, _VIEW),
    Route("POST", f"{_BASE}/load", load, _LOAD),
    Route("POST", f"{_BASE}/unload", unload, _ordering("instance_id")),
    Route("POST", f"{_BASE}/download", download, _ordering("model", quantization=TEXT)),
    Route("GET", f"{_BASE}/download/status/<job:str>", progress, _VIEW),
)
