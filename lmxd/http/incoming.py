"""A request as it comes in: its id, its bounded body, and the body as a JSON object.

The bound is `limits.body` of the document at this instant, so it is not Sanic's: Sanic's own
limit is far above it and only says how much of a refused body is still read and thrown away, so
that the client gets to read the 413 instead of a reset connection.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
from sanic import Sanic
from sanic.config import Config
from sanic.exceptions import SanicException
from sanic.request import Request

from lmxd.http.ports import Deps
from schemas.errors import Code, RequestError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

App = Sanic[Config, Deps]

THREAD_ABOVE = 256 * 1024
"""Bodies longer than this are parsed in a thread: 1 MiB of JSON would hold up every stream."""

DISCARD_MAX = 1024 * 1024 * 1024
"""Bytes of a refused body that are read and thrown away before the connection is cut."""

_TAKEN = frozenset(
    {
        "",
        "application/json",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "text/json",
        "text/plain",
    }
)
"""Content types under which clients are known to send JSON."""

_SANE_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")

Parsed = TypeVar("Parsed")


class Incoming(Request):
    """Sanic's request, with a body that ends at `limits.body` and an id that is safe to log."""

    __slots__ = ("_request_id",)

    def __init__(self, url_bytes: bytes, *, method: str, **named: Any) -> None:
        try:
            super().__init__(url_bytes, method=method, **named)
        except SanicException:
            if method != "NONE":
                raise
            # Sanic's stand-in for a request whose target is no URL: it would fail over it again,
            # and nobody would be answered.
            super().__init__(b"*", method=method, **named)

    @property
    def request_id(self) -> str:
        """The client's `x-request-id` where it is a plain word, else one of ours."""
        known: str | None = getattr(self, "_request_id", None)
        if known is None:
            given = self.headers.getone("x-request-id", "")
            known = given if _SANE_ID.fullmatch(given) else f"req_{uuid.uuid4().hex}"
            self._request_id = known
        return known

    async def receive_body(self) -> None:
        """Read the body; raises RequestError (too_large) as soon as it must be too long."""
        if self.body or self.stream is None:
            return
        limit = deps_of(self).gate.routes.flow.body
        declared = self.headers.getone("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise _too_large(int(declared), limit)
        have = bytearray()
        async for data in cast("AsyncIterator[bytes]", self.stream):
            have += data
            if len(have) > limit:
                raise _too_large(len(have), limit)
        self.body = bytes(have)


def deps_of(request: Request) -> Deps:
    """What the handlers of this server use."""
    return cast("App", request.app).ctx


def _too_large(have: int, limit: int) -> RequestError:
    return RequestError(
        Code.TOO_LARGE,
        f"the body has {have} bytes or more, at most {limit} are taken",
        hint="limits.body in desired-state.yaml sets the bound",
    )


async def parse(request: Request, translate: Callable[[dict[str, object]], Parsed]) -> Parsed:
    """The body as `translate` makes it out of a JSON object; long bodies in a thread.

    Raises RequestError (unsupported_media_type) for what says that it is something else.
    """
    _check_type(request)
    body = request.body
    if len(body) <= THREAD_ABOVE:
        return translate(json_object(body))
    return await asyncio.to_thread(lambda: translate(json_object(body)))


def _check_type(request: Request) -> None:
    """Clients without a type, and curl, which calls everything a form, are taken at their body."""
    coding = request.headers.getone("content-encoding", "identity").strip().lower()
    if coding != "identity":
        message = f"the body is encoded as {coding[:40]!r}; send it as it is"
        raise RequestError(Code.UNSUPPORTED_MEDIA_TYPE, message)
    essence = request.headers.getone("content-type", "").partition(";")[0].strip().lower()
    if essence not in _TAKEN and not essence.endswith("+json"):
        raise RequestError(
            Code.UNSUPPORTED_MEDIA_TYPE,
            f"the content type of the body is {essence[:80]!r}",
            hint="send Content-Type: application/json",
        )


def json_object(body: bytes) -> dict[str, object]:
    """The JSON object in a body. Raises RequestError (invalid_json, invalid_request)."""
    if not body.strip():
        raise RequestError(Code.INVALID_JSON, "the body is empty, a JSON object is needed")
    try:
        value: object = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(Code.INVALID_JSON, f"the body is not valid JSON: {error}") from error
    if not isinstance(value, dict):
        raise RequestError(
            Code.INVALID_REQUEST, f"the body must be a JSON object, got {_kind(value)}"
        )
    return value


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
