"""The messages of `/v1/ws`: JSON objects, each in one text frame; pure.

    up    start{id, method, body} · cancel{id} · ping{}
    down  accepted{id, request, headers} · data{id, data} · done{id}
          error{id?, status, error} · pong{}

`id` is the client's own name for a request, new among those that run. `method` names an HTTP call
and `body` is what that takes; `data` is what a streamed answer of that call has in its events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from schemas.errors import Code, RequestError

__all__ = [
    "Cancel",
    "Method",
    "Ping",
    "Start",
    "accepted",
    "data",
    "done",
    "failed",
    "pong",
    "read",
]

Method = Literal["chat.completions", "completions"]


class Start(msgspec.Struct, frozen=True, tag="start", forbid_unknown_fields=True):
    """Begin a request."""

    id: str
    method: Method
    body: dict[str, object]


class Cancel(msgspec.Struct, frozen=True, tag="cancel", forbid_unknown_fields=True):
    """End it at the next token; its answer ends as it would otherwise."""

    id: str


class Ping(msgspec.Struct, frozen=True, tag="ping", forbid_unknown_fields=True):
    """Ask for a `pong`."""


_ID_MAX = 128
_decoder: msgspec.json.Decoder[Start | Cancel | Ping] = msgspec.json.Decoder(Start | Cancel | Ping)
_encode = msgspec.json.Encoder().encode


def read(message: str | bytes) -> Start | Cancel | Ping:
    """Raises RequestError (invalid_json, invalid_request)."""
    try:
        found = _decoder.decode(message)
    except msgspec.ValidationError as error:
        raise RequestError(
            Code.INVALID_REQUEST,
            f"the message is not understood: {error}",
            hint='send {"type": "start", "id": "1", "method": "chat.completions", "body": {…}},'
            ' {"type": "cancel", "id": "1"} or {"type": "ping"}',
        ) from error
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RequestError(Code.INVALID_JSON, f"the message is not JSON: {error}") from error
    if not isinstance(found, Ping) and not 0 < len(found.id) <= _ID_MAX:
        message = f"id has {len(found.id)} characters, it must have 1 to {_ID_MAX}"
        raise RequestError(Code.INVALID_REQUEST, message, param="id")
    return found


def accepted(name: str, request_id: str, headers: Mapping[str, str]) -> str:
    """A worker took the request; `headers` are those that an answer over HTTP would have."""
    return _message("accepted", name, request=request_id, headers=headers)


def data(name: str, events: bytes) -> Iterator[str]:
    """A message for each of the server-sent `events`, without the mark of the end."""
    head = f'{{"type":"data","id":{_encode(name).decode()},"data":'
    for event in events.split(b"\n\n"):
        _, found, payload = event.partition(b"data: ")
        if found and payload != b"[DONE]":
            yield f"{head}{payload.decode()}}}"


def done(name: str) -> str:
    """The answer is complete."""
    return _message("done", name)


def failed(name: str | None, status: int, body: Mapping[str, object]) -> str:
    """The request, or a message that was none, ends in an error; no `done` follows."""
    named = {} if name is None else {"id": name}
    return _encode({"type": "error", **named, "status": status, **body}).decode()


def pong() -> str:
    """The answer to a ping."""
    return '{"type":"pong"}'


def _message(kind: str, name: str, **more: object) -> str:
    return _encode({"type": kind, "id": name, **more}).decode()
