"""The Anthropic API over HTTP: headers, statuses, the shape of errors, and of shared paths."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from lmxd.http.ports import Timing
from reconciler.state import Live
from schemas.errors import Code, RequestError
from schemas.inference import Failed, Usage
from tests.kit.fake_gate import TIMINGS, FakeGate, FakeGeneration, answer, routes
from tests.kit.http_stage import Raw, Stage, stage

VERSION = {"anthropic-version": "2023-06-01"}


async def send(on: Stage, path: str = "/v1/messages?beta=true", **fields: Any) -> httpx2.Response:
    body = {
        "model": "auto",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "hello"}],
        **fields,
    }
    betas = {"anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14"}
    return await on.client.post(path, json=body, headers=VERSION | betas)


async def test_an_answer_says_what_served_it_and_what_had_no_effect() -> None:
    async with stage(FakeGate(script=answer("Hel", "lo"))) as on:
        found = await send(on, mood="good")
    assert found.status_code == 200
    assert found.json()["content"] == [{"type": "text", "text": "Hello"}]
    assert found.json()["id"].startswith("msg_")
    assert found.headers["request-id"] == found.headers["x-request-id"]
    assert found.headers["lmxd-model"] == "day-coder@4f0c8e1"
    assert found.headers["lmxd-ignored"] == "mood"


async def test_a_count_is_no_generation() -> None:
    def script(one: FakeGeneration) -> None:
        one.accept().put(Usage(one.request.id, 0, 7, 0, 2, TIMINGS))
        one.put(None)

    async with stage(FakeGate(script=script)) as on:
        found = await send(on, "/v1/messages/count_tokens?beta=true")
        assert on.gate.last.kind == "count"
    assert found.json() == {"input_tokens": 7}


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        (Code.INVALID_REQUEST, 400, "invalid_request_error"),
        (Code.CONTEXT_LENGTH_EXCEEDED, 400, "invalid_request_error"),
        (Code.FORBIDDEN, 403, "permission_error"),
        (Code.MODEL_NOT_FOUND, 404, "not_found_error"),
        (Code.TOO_LARGE, 413, "request_too_large"),
        (Code.INTERNAL, 500, "api_error"),
        (Code.WORKER_DIED, 502, "api_error"),
        (Code.QUEUE_FULL, 529, "overloaded_error"),
        (Code.MODEL_LOADING, 529, "overloaded_error"),
        (Code.DEADLINE_EXCEEDED, 504, "timeout_error"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_errors_have_its_statuses_and_shape(
    code: Code, status: int, kind: str, stream: bool
) -> None:
    gate = FakeGate(script=lambda one: one.refuse(RequestError(code, "no luck", hint="wait")))
    async with stage(gate) as on:
        found = await send(on, stream=stream)
    assert found.status_code == status
    assert found.json() == {
        "type": "error",
        "error": {
            "type": kind,
            "message": "no luck",
            "details": {"error_code": code},
            "hint": "wait",
        },
        "request_id": found.headers["request-id"],
    }
    assert ("retry-after" in found.headers) == (status == 529)


async def test_what_never_reaches_a_handler_has_its_shape_too() -> None:
    async with stage(body=100) as on:
        large = await send(on, system="x" * 200)
        wrong = await on.client.get("/v1/messages")
        broken = await on.client.post("/v1/messages", content=b"{")
        unknown = await on.client.get("/v1/batches", headers=VERSION)
    assert [each.status_code for each in (large, wrong, broken, unknown)] == [413, 405, 400, 404]
    assert wrong.headers["allow"] == "OPTIONS, POST"
    kinds = [each.json()["error"]["type"] for each in (large, wrong, broken, unknown)]
    assert kinds == [
        "request_too_large",
        "invalid_request_error",
        "invalid_request_error",
        "not_found_error",
    ]


async def test_the_list_of_models_has_the_shape_of_who_asks() -> None:
    gate = FakeGate(routes({"auto": ["day-coder"]}, day_coder=Live.READY, night=Live.ON_DEMAND))
    async with stage(gate) as on:
        listed = (await on.client.get("/v1/models?limit=2", headers=VERSION)).json()
        rest = (await on.client.get("/v1/models?after_id=night", headers=VERSION)).json()
        ready = (await on.client.get("/v1/models?ready=true", headers=VERSION)).json()
        one = (await on.client.get("/v1/models/auto", headers=VERSION)).json()
        none = await on.client.get("/v1/models/other", headers=VERSION)
        plain = (await on.client.get("/v1/models")).json()
    assert [each["id"] for each in listed["data"]] == ["day-coder", "night"]
    assert (listed["has_more"], listed["last_id"]) == (True, "night")
    assert [each["id"] for each in rest["data"]] == ["auto"]
    assert [each["id"] for each in ready["data"]] == ["day-coder", "auto"]
    assert (one["type"], one["display_name"]) == ("model", "auto")
    assert (none.status_code, none.json()["error"]["type"]) == (404, "not_found_error")
    assert plain["object"] == "list"


async def begin(on: Stage) -> Raw:
    """A stream that is asked for on a connection of its own."""
    raw = await on.raw()
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    sent = json.dumps(body | {"stream": True}).encode()
    head = f"POST /v1/messages HTTP/1.1\nHost: localhost\nContent-Length: {len(sent)}"
    await raw.send(head, sent)
    return raw


async def test_pings_keep_a_stream_alive_before_it_begins() -> None:
    async with stage(timing=Timing(hold_s=0.01, keep_alive_s=0.01)) as on:
        raw = await begin(on)
        await raw.until(b"event: ping")
        (await on.gate.nth(0)).accept().say("late").finish()
        found = (await raw.until(b"event: message_stop")).decode()
        await raw.close()
    events = [line.removeprefix("event: ") for line in found.split("\n") if line[:6] == "event:"]
    assert [each for each in events if each != "ping"] == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]


async def test_a_failure_midway_is_its_error_event_and_no_end() -> None:
    async with stage() as on:
        raw = await begin(on)
        generation = await on.gate.nth(0)
        generation.accept().say("once upon")
        await raw.until(b"once upon")
        generation.fail(Failed("x", 0, "worker_died", "signal 9"))
        rest = (await raw.rest()).decode()
        await raw.close()
    (data,) = [line for line in rest.split("\n") if line.startswith('data: {"type":"error"')]
    error = json.loads(data.removeprefix("data: "))
    assert error["error"]["message"] == "signal 9"
    assert error["request_id"].startswith("req_")
    assert "message_stop" not in rest
    assert not rest.endswith("0\r\n\r\n")
