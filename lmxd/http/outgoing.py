"""Small answers: JSON bodies and header values that are safe to send, and what they belong to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import quote

import msgspec
from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.dialects import fields
from lmxd.http.ports import Control

_encode = msgspec.json.Encoder().encode


def json_answer(
    body: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> HTTPResponse:
    """A JSON answer; msgspec structs and plain values both become JSON."""
    return HTTPResponse(
        _encode(body), status=status, headers=dict(headers or {}), content_type="application/json"
    )


def ascii_header(text: str) -> str:
    """A header value without line breaks or other characters that headers cannot hold."""
    return quote(text, errors="replace", safe="!#$%&'()*+,-./:;<=>?@[]^_`{|}~ ")


def ignored_header(names: Iterable[str]) -> dict[str, str]:
    """The header that names the fields of a body which had no effect."""
    found = fields.header(names)
    return {"Lmxd-Ignored": ascii_header(found)} if found else {}


def stamped(control: Control) -> dict[str, str]:
    """The headers that say of which generation and epoch an answer is."""
    stamp = control.stamp()
    return {"Lmxd-Generation": str(stamp.generation), "Lmxd-Epoch": str(stamp.epoch)}


def prefers(request: Request, types: tuple[str, ...]) -> bool:
    """Whether the client would rather have one of `types` than JSON, which is the default."""
    found = request.accept.match("application/json", *types)
    return bool(found) and found.mime in types
