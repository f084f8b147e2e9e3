"""The body of a control call: media type and bytes in, what is asked for out.

A call that changes something needs a JSON or YAML type, an empty body included: a page on the web
can make a browser send every other type to loopback without asking first. YAML is read by whoever
owns the document, through the port; this module only knows JSON.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import TypeVar

import msgspec
from sanic.request import Request

from lmxd.http.incoming import THREAD_ABOVE
from schemas.edit import EditBody, JsonPatch, MergePatch, WholeData, WholeText
from schemas.errors import Code, DocumentError, RequestError

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
JSON = "application/json"
YAML = "application/yaml"
YAML_TYPES = (YAML, "application/x-yaml", "text/yaml", "text/x-yaml")
PATCH_TYPES = (MERGE_PATCH, JSON_PATCH, JSON, *YAML_TYPES)
WHOLE_TYPES = (JSON, *YAML_TYPES)
ACCEPT_PATCH = ", ".join((MERGE_PATCH, JSON_PATCH, JSON, YAML))
"""What `Accept-Patch` says: one spelling of each."""

MAX_DEPTH = 64
"""As deep as a document may be; deeper values would only exhaust whoever walks them."""

ReadYaml = Callable[[bytes], object]
"""YAML to plain values; raises DocumentError. Blocks."""

T = TypeVar("T")


def media_type(request: Request, allowed: tuple[str, ...]) -> str:
    """The type of the body, lower case and without parameters.

    Raises RequestError (unsupported_media_type) for one that is not in `allowed`.
    """
    coding = request.headers.getone("content-encoding", "identity").strip().lower()
    if coding != "identity":
        raise _unsupported(f"the body is encoded as {coding[:40]!r}; send it as it is", allowed)
    essence, _, parameters = request.headers.getone("content-type", "").lower().partition(";")
    charset = parameters.partition("charset=")[2].partition(";")[0].strip().strip('"')
    if charset not in {"", "utf-8", "utf8", "us-ascii"}:
        raise _unsupported(f"the body is in {charset[:40]!r}, and must be UTF-8", allowed)
    if essence.strip() not in allowed:
        name = repr(essence.strip()[:80]) if essence.strip() else "missing"
        raise _unsupported(f"the content type of the body is {name}", allowed)
    return essence.strip()


def _unsupported(message: str, allowed: tuple[str, ...]) -> RequestError:
    hint = f"send Content-Type: {' or '.join(t for t in allowed if t not in YAML_TYPES[1:])}"
    return RequestError(Code.UNSUPPORTED_MEDIA_TYPE, message, hint=hint)


async def patch(request: Request, read_yaml: ReadYaml) -> EditBody:
    """The body of a PATCH: a merge patch or a JSON Patch, by its type and its outer shape."""
    kind = media_type(request, PATCH_TYPES)
    body = request.body
    if kind in YAML_TYPES:
        return MergePatch(await _yaml_object(body, read_yaml))
    value = await _within(body, lambda: json_value(body))
    if isinstance(value, dict) and kind != JSON_PATCH:
        return MergePatch(value)
    if isinstance(value, list) and kind != MERGE_PATCH:
        return JsonPatch(value)
    wanted = {MERGE_PATCH: "an object", JSON_PATCH: "an array"}.get(kind, "an object or an array")
    raise RequestError(Code.INVALID_REQUEST, f"a body of type {kind} must be {wanted}")


async def whole(request: Request) -> EditBody:
    """The body of a PUT: the whole document, as JSON values or as YAML text."""
    kind, body = media_type(request, WHOLE_TYPES), request.body
    if not body.strip():
        raise _empty("the whole document is needed")
    if kind in YAML_TYPES:
        return WholeText(body)
    return WholeData(an_object(await _within(body, lambda: json_value(body))))


async def fields(
    request: Request, read_yaml: ReadYaml, *known: str, needed: bool = False
) -> dict[str, object]:
    """The members of a small body, all of them in `known`; an empty body is an empty object
    unless something is `needed`.
    """
    kind, body = media_type(request, WHOLE_TYPES), request.body
    if not body.strip() and not needed:
        return {}
    if kind in YAML_TYPES:
        found = await _yaml_object(body, read_yaml)
    else:
        found = an_object(await _within(body, lambda: json_value(body)))
    unknown = [name for name in found if name not in known]
    if unknown:
        raise RequestError(
            Code.INVALID_REQUEST,
            f"the body has members nobody knows: {', '.join(name[:40] for name in unknown[:5])}",
            hint=f"it may have {', '.join(known)}" if known else "leave it empty",
            param=unknown[0][:40],
        )
    return found


def json_value(body: bytes) -> object:
    """The JSON value in a body. Raises RequestError (invalid_json)."""
    if not body.strip():
        raise _empty("a JSON value is needed")
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        why = _not_utf8(body) or str(error)
        raise RequestError(Code.INVALID_JSON, f"the body is not valid JSON: {why}") from error
    _check_depth(value)
    json.loads(body, object_pairs_hook=_once)
    return value


def _not_utf8(body: bytes) -> str | None:
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return f"byte 0x{body[error.start]:02x} at {error.start} is not UTF-8"
    return None


def _once(pairs: list[tuple[str, object]]) -> None:
    """Of two members with one name all but the last would be dropped, and nobody would know."""
    names: set[str] = set()
    for name, _ in pairs:
        if name in names:
            message = (
                f"the body is not valid JSON: {json.dumps(name[:60])} is there twice in one map"
            )
            raise RequestError(Code.INVALID_JSON, message, hint="remove one of them")
        names.add(name)


def an_object(value: object) -> dict[str, object]:
    """The value as an object. Raises RequestError (invalid_request)."""
    if not isinstance(value, dict):
        raise RequestError(Code.INVALID_REQUEST, "the body must be an object")
    return value


async def _yaml_object(body: bytes, read_yaml: ReadYaml) -> dict[str, object]:
    try:
        value = await asyncio.to_thread(read_yaml, body)
    except DocumentError as error:
        message = f"the body is not valid YAML: {error.message}"
        raise RequestError(Code.INVALID_REQUEST, message, hint=error.problems[0].hint) from error
    return an_object(value)


async def _within(body: bytes, work: Callable[[], T]) -> T:
    return work() if len(body) <= THREAD_ABOVE else await asyncio.to_thread(work)


def _empty(what: str) -> RequestError:
    return RequestError(Code.INVALID_JSON, f"the body is empty, {what}")


def _check_depth(value: object) -> None:
    """Level by level, as this must not run out of stack itself."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return
    raise RequestError(Code.INVALID_JSON, f"the body nests more than {MAX_DEPTH} levels deep")
