"""The Responses API over a socket: made, kept, continued, shown, deleted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.inference import Failed, Finish, Message, TextPart, ToolArgs, ToolEnd, ToolStart, Usage
from tests.kit.fake_gate import TIMINGS, FakeGate, FakeGeneration, answer
from tests.kit.http_stage import Stage, stage

PATH = "/v1/responses"
NONE = "resp_" + "f" * 32


async def create(on: Stage, **fields: Any) -> Any:
    got = await on.client.post(PATH, json={"model": "m", "input": "hello", **fields})
    assert got.status_code == 200, got.text
    return got.json()


async def streamed(on: Stage, **fields: Any) -> list[Any]:
    body = {"model": "m", "input": "hello", "stream": True, **fields}
    got = await on.client.post(PATH, json=body)
    assert got.status_code == 200
    assert got.headers["content-type"].startswith("text/event-stream")
    messages = got.text.split("\n\n")[:-1]
    return [json.loads(message.partition("data: ")[2]) for message in messages]


async def test_made_and_shown_again() -> None:
    async with stage(FakeGate(script=answer("Hel", "lo"))) as on:
        made = await create(on, metadata={"a": "b"}, mood="good")
        shown = await on.client.get(f"{PATH}/{made['id']}")
    assert made["object"] == "response"
    assert made["output"][0]["content"][0]["text"] == "Hello"
    assert made["metadata"] == {"a": "b"}
    assert shown.json() == made


async def test_a_stream_is_kept_before_it_says_that_it_is_complete() -> None:
    async with stage(FakeGate(script=answer("Hel", "lo"))) as on:
        events = await streamed(on)
        last = events[-1]
        assert last["type"] == "response.completed"
        shown = await on.client.get(f"{PATH}/{last['response']['id']}")
    assert shown.json() == last["response"]


@pytest.mark.parametrize("stream", [True, False])
async def test_a_conversation_goes_on(stream: bool) -> None:
    async with stage(FakeGate(script=answer("Hello"))) as on:
        if stream:
            first = (await streamed(on))[-1]["response"]
        else:
            first = await create(on)
        second = await create(on, previous_response_id=first["id"], input="and?")
        assert on.gate.last.messages == (
            Message("user", (TextPart("hello"),)),
            Message("assistant", (TextPart("Hello"),)),
            Message("user", (TextPart("and?"),)),
        )
        await create(on, previous_response_id=second["id"], input="more")
        assert len(on.gate.last.messages) == 5
        assert second["previous_response_id"] == first["id"]


def calls(one: FakeGeneration) -> None:
    one.accept()
    for number in (0, 1):
        one.put(ToolStart(one.request.id, 0, number, "clock"))
        one.put(ToolArgs(one.request.id, 0, number, "{}"))
        one.put(ToolEnd(one.request.id, 0, number))
    one.put(Finish(one.request.id, 0, "tool_calls"))
    one.put(Usage(one.request.id, 0, 7, 4, 0, TIMINGS))
    one.put(None)


async def test_calls_are_answered_with_outputs() -> None:
    async with stage(FakeGate(script=calls)) as on:
        tools = [{"type": "function", "name": "clock"}]
        made = await create(on, tools=tools)
        first, second = made["output"]
        assert [first["type"], second["type"]] == ["function_call", "function_call"]
        outputs = [
            {"type": "function_call_output", "call_id": item["call_id"], "output": "noon"}
            for item in (first, second)
        ]
        on.gate.script = answer("Noon.")
        await create(on, previous_response_id=made["id"], input=outputs, tools=tools)
        roles = [message.role for message in on.gate.last.messages]
    assert roles == ["user", "assistant", "tool", "tool"]


async def test_what_is_not_to_be_kept_is_not() -> None:
    async with stage(FakeGate(script=answer("a"))) as on:
        made = await create(on, store=False)
        other = (await streamed(on, store=False))[-1]["response"]
        for identifier in (made["id"], other["id"]):
            assert (await on.client.get(f"{PATH}/{identifier}")).status_code == 404


async def test_deleted_once() -> None:
    async with stage(FakeGate(script=answer("a"))) as on:
        made = await create(on)
        gone = await on.client.delete(f"{PATH}/{made['id']}")
        again = await on.client.delete(f"{PATH}/{made['id']}")
        body = {"model": "m", "input": "b", "previous_response_id": made["id"]}
        lost = await on.client.post(PATH, json=body)
    assert gone.json() == {"id": made["id"], "object": "response", "deleted": True}
    assert again.status_code == 404
    assert again.json()["error"]["code"] == "not_found"
    assert lost.status_code == 400
    assert lost.json()["error"]["param"] == "previous_response_id"


async def test_input_items_in_pages() -> None:
    async with stage(FakeGate(script=answer("Hello"))) as on:
        first = await create(on)
        second = await create(on, previous_response_id=first["id"], input="and?")
        path = f"{PATH}/{second['id']}/input_items"
        newest = (await on.client.get(path)).json()
        page = (await on.client.get(path, params={"order": "asc", "limit": "2"})).json()
        after = {"order": "asc", "after": page["last_id"]}
        rest = (await on.client.get(path, params=after)).json()
    assert [item["role"] for item in newest["data"]] == ["user", "assistant", "user"]
    assert newest["data"][0]["content"] == [{"type": "input_text", "text": "and?"}]
    assert (len(page["data"]), page["has_more"]) == (2, True)
    assert (len(rest["data"]), rest["has_more"]) == (1, False)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{PATH}/{NONE}", 404),
        ("GET", f"{PATH}/{NONE}/input_items", 404),
        ("DELETE", f"{PATH}/..%2Fstate", 404),
        ("GET", f"{PATH}/{NONE}?stream=true", 400),
        ("GET", f"{PATH}/{NONE}/input_items?limit=0", 400),
        ("GET", f"{PATH}/{NONE}/input_items?limit=²", 400),
        ("GET", f"{PATH}/{NONE}/input_items?order=up", 400),
        ("GET", PATH, 405),
    ],
)
async def test_what_is_not_there(method: str, path: str, status: int) -> None:
    async with stage() as on:
        got = await on.client.request(method, path)
    assert got.status_code == status
    assert got.json()["error"]["message"]


async def test_a_failure_midway_is_told_and_not_kept() -> None:
    def script(one: FakeGeneration) -> None:
        one.accept().say("Hel").fail(Failed(one.request.id, 0, "worker_died", "signal 9"))

    async with stage(FakeGate(script=script)) as on:
        raw = await on.raw()
        body = json.dumps({"model": "m", "input": "a", "stream": True}).encode()
        await raw.send(f"POST {PATH} HTTP/1.1\nHost: localhost\nContent-Length: {len(body)}", body)
        said = await raw.rest()
        await raw.close()
    assert b"event: response.failed" in said
    assert b"event: error" in said
    assert b"response.completed" not in said
    assert not said.endswith(b"0\r\n\r\n")
