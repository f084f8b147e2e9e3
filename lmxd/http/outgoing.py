"""Small answers: JSON bodies and header values that are safe to send."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

import msgspec
from sanic.response import HTTPResponse

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
