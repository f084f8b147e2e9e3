"""The control API, read side: status, models, the document, what is effective, the plan.

Nothing is computed here: the daemon's `Control` answers, this module gives it JSON, ETags and
the generation and epoch it belongs to.
"""

from __future__ import annotations

import difflib
import hashlib
from datetime import UTC, datetime

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.incoming import deps_of
from lmxd.http.outgoing import json_answer
from lmxd.http.ports import Control
from lmxd.http.routing import Route
from schemas.errors import Code, RequestError

YAML = "application/yaml"
FIRST_YEAR, LAST_YEAR = 1970, 2200
_YAML_NAMES = (YAML, "application/x-yaml", "text/yaml", "text/x-yaml")


async def status(request: Request) -> HTTPResponse:
    """`GET /status`: conditions of the daemon and of every model."""
    control = deps_of(request).control
    return json_answer(await control.status(), headers=_stamped(control))


async def models(request: Request) -> HTTPResponse:
    """`GET /models`: the status of every model."""
    control = deps_of(request).control
    found = await control.status()
    body = {"generation": found.generation, "epoch": found.epoch, "models": found.models}
    return json_answer(body, headers=_stamped(control))


async def model(request: Request, key: str) -> HTTPResponse:
    """`GET /models/{key}`: the status of one model, by its key in the document."""
    control = deps_of(request).control
    found = await control.status()
    one = found.model(key)
    if one is None:
        keys = [item.key for item in found.models]
        near = difflib.get_close_matches(key, keys, n=1)
        raise RequestError(
            Code.MODEL_NOT_FOUND,
            f"the document has no model {key[:128]!r}; it has {', '.join(keys[:20]) or 'none'}",
            hint=f"did you mean {near[0]}?" if near else None,
        )
    return json_answer(one, headers=_stamped(control))


async def desired(request: Request) -> HTTPResponse:
    """`GET /desired`: the accepted document, as JSON or as the bytes of its YAML."""
    control = deps_of(request).control
    config = control.config()
    if config.accepted is None:
        raise RequestError(
            Code.NOT_FOUND,
            f"no document has been accepted yet: {config.message or config.reason}",
            hint=f"write a valid one to {config.path}",
        )
    headers = _stamped(control) | {"Vary": "Accept"}
    if _prefers(request, _YAML_NAMES):
        content = await control.document_bytes()
        headers["ETag"] = f'"{hashlib.sha256(content).hexdigest()}"'
        answer = HTTPResponse(content, headers=headers, content_type=YAML)
    else:
        headers["ETag"] = f'"{control.stamp().etag}"'
        answer = json_answer(config.accepted.data, headers=headers)
    if headers["ETag"] in _list(request.headers.getone("if-none-match", "")):
        return HTTPResponse(status=304, headers=headers)
    return answer


async def effective(request: Request) -> HTTPResponse:
    """`GET /effective`: what holds at this instant, or at that of `?at=`."""
    control = deps_of(request).control
    return json_answer(await control.effective(_at(request)), headers=_stamped(control))


async def plan(request: Request) -> HTTPResponse:
    """`GET /plan`: what would be done now, or at `?at=`; JSON, or text for `Accept: text/plain`."""
    control = deps_of(request).control
    found = await control.plan(_at(request))
    headers = _stamped(control) | {"Vary": "Accept"}
    if _prefers(request, ("text/plain",)):
        text = str(found.get("text", ""))
        return HTTPResponse(text, headers=headers, content_type="text/plain; charset=utf-8")
    return json_answer(found, headers=headers)


def _at(request: Request) -> datetime | None:
    """The instant that is asked about; None: now."""
    text = request.args.get("at")
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))  # a + that was not escaped
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise RequestError(
            Code.INVALID_REQUEST,
            f"at={text[:60]!r} is no instant between {FIRST_YEAR} and {LAST_YEAR}",
            hint="write it with its offset, like 2026-11-21T22:00:00Z",
            param="at",
        )
    return found.astimezone(UTC)


def _stamped(control: Control) -> dict[str, str]:
    stamp = control.stamp()
    return {"Lmxd-Generation": str(stamp.generation), "Lmxd-Epoch": str(stamp.epoch)}


def _prefers(request: Request, types: tuple[str, ...]) -> bool:
    """Whether the client would rather have one of `types` than JSON, which is the default."""
    found = request.accept.match("application/json", *types)
    return bool(found) and found.mime in types


def _list(header: str) -> list[str]:
    return [item.strip() for item in header.split(",")]


_BASE = "/lmxd/v1"

ROUTES = (
    Route("GET", f"{_BASE}/status", status),
    Route("GET", f"{_BASE}/models", models),
    Route("GET", f"{_BASE}/models/<key:str>", model),
    Route("GET", f"{_BASE}/desired", desired),
    Route("GET", f"{_BASE}/effective", effective),
    Route("GET", f"{_BASE}/plan", plan),
)
