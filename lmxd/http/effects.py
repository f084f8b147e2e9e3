"""A change, from the terms it is asked for on to the answer: carried out once, then waited for.

What is remembered under an `Idempotency-Key` is what the change came to. Waiting for the models it
moves belongs to each call: who asks again waits again, and hears how they stand by then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec
from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.etags import quoted
from lmxd.http.incoming import deps_of
from lmxd.http.outgoing import json_answer
from lmxd.http.ports import Control, Effect
from lmxd.http.terms import Terms
from lmxd.idempotency import Answer

STATUS_PATH = "/lmxd/v1/status"

_ASKED_IN = ("content-type", "lmxd-lease", "lmxd-note")


class Carried(NamedTuple):
    """The answer to a changing call, before it has the shape of an API."""

    body: dict[str, object]
    status: int
    headers: dict[str, str]


async def carry_out(
    request: Request, terms: Terms, execute: Callable[[], Awaitable[Effect]]
) -> HTTPResponse:
    """The answer to a changing call: 200, or 202 when the wait it preferred was too short."""
    found = await carried(request, terms, execute)
    return json_answer(found.body, status=found.status, headers=found.headers)


async def carried(
    request: Request, terms: Terms, execute: Callable[[], Awaitable[Effect]]
) -> Carried:
    """The same, for those who answer in another shape."""
    deps = deps_of(request)
    asked = _asked(request)

    async def run() -> Answer:
        return _answer(await execute(), asked, deps.control)

    key = None if terms.key is None or terms.dry_run else f"{terms.manager} {terms.key}"
    found, replayed = await deps.calls.once(key, asked, run)
    headers, status, body = dict(found.headers), 200, dict(found.body)
    if replayed:
        headers["Idempotency-Replayed"] = "true"
    wait_s = terms.prefer.wait_s
    if wait_s is not None and not terms.dry_run:
        settled = await deps.edits.settle(found.touched, wait_s)
        body["converged"] = settled.done and not settled.unsettled
        body["unsettled"] = settled.unsettled
        headers["Preference-Applied"] = terms.prefer.applied
        if not settled.done:
            status, headers["Location"] = 202, STATUS_PATH
    return Carried(body, status, headers)


def _answer(effect: Effect, asked: str, control: Control) -> Answer:
    body: dict[str, object] = msgspec.to_builtins(effect.answer)
    generation = body.get("generation", control.stamp().generation)
    headers = {"Lmxd-Generation": str(generation), "Lmxd-Epoch": str(body["epoch"])}
    if "etag" in body:
        headers["ETag"] = quoted(str(body["etag"]))
    return Answer(asked, body, headers, tuple(sorted(effect.touched)))


def _asked(request: Request) -> str:
    """A digest of what is asked for. Conditions and preferences are no part of it: who asks again
    may have looked again, or may want to wait longer.
    """
    said = [request.method, request.path, request.query_string]
    said += [request.headers.getone(name, "") for name in _ASKED_IN]
    head = "\0".join(said).encode("utf-8", "surrogateescape")
    return hashlib.sha256(head + b"\0\0" + request.body).hexdigest()
