"""`/v1/ws`: many generations over one connection, spoken to by a real client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from schemas.errors import Code, RequestError
from schemas.inference import Failed
from tests.kit.fake_gate import FakeGate, answer, hang
from tests.kit.http_stage import DEADLINE_S, Stage, stage

CHAT = {"model": "day-coder", "messages": [{"role": "user", "content": "hi"}]}


class Talk:
    """One connection. Messages of all ids come in one line; `of` waits for those of one."""

    def __init__(self, ws: ClientConnection) -> None:
        self.ws = ws
        self.seen: list[dict[str, Any]] = []

    async def start(self, name: str, method: str = "chat.completions", **body: Any) -> None:
        message = {"type": "start", "id": name, "method": method, "body": {**CHAT, **body}}
        await self.send(message)

    async def send(self, message: object) -> None:
        text = message if isinstance(message, str | bytes) else json.dumps(message)
        await self.ws.send(text)

    async def next(self) -> dict[str, Any]:
        async with asyncio.timeout(DEADLINE_S):
            got: dict[str, Any] = json.loads(await self.ws.recv())
        self.seen.append(got)
        return got

    async def until(self, kind: str, name: str | None = None) -> dict[str, Any]:
        while True:
            got = await self.next()
            if got["type"] == kind and got.get("id") == name:
                return got

    def text(self, name: str) -> str:
        datas = [each["data"] for each in self.seen if each.get("id") == name and "data" in each]
        deltas = [choice["delta"] for data in datas for choice in data["choices"]]
        return "".join(delta.get("content") or "" for delta in deltas)


@asynccontextmanager
async def talk(on: Stage, **more: Any) -> AsyncIterator[Talk]:
    host, port = on.address
    async with connect(f"ws://{host}:{port}/v1/ws", **more) as ws:
        yield Talk(ws)


async def test_a_generation_comes_in_the_messages_of_its_id() -> None:
    async with stage(FakeGate(script=answer("Hel", "lo"))) as on, talk(on) as line:
        await line.start("a", stream_options={"include_usage": True})
        await line.until("done", "a")
    assert line.text("a") == "Hello"
    kinds = [each["type"] for each in line.seen]
    assert (kinds[0], kinds[-1], set(kinds[1:-1])) == ("accepted", "done", {"data"})
    first = line.seen[0]
    assert first["request"].startswith("chatcmpl-")
    assert first["headers"]["Lmxd-Model"] == "day-coder@4f0c8e1"
    assert line.seen[-2]["data"]["usage"]["completion_tokens"] == 2


async def test_generations_go_side_by_side() -> None:
    gate = FakeGate(script=hang)
    async with stage(gate) as on, talk(on) as line:
        await line.start("a")
        await line.start("b")
        first, second = await gate.nth(0), await gate.nth(1)
        second.accept().say("of b").finish("stop", completion=1)
        await line.until("done", "b")
        first.accept().say("of a").finish("stop", completion=1)
        await line.until("done", "a")
    assert (line.text("a"), line.text("b")) == ("of a", "of b")


async def test_plain_completions_are_spoken_too() -> None:
    async with stage(FakeGate(script=answer("x"))) as on, talk(on) as line:
        message = {"model": "day-coder", "prompt": "once"}
        await line.send({"type": "start", "id": "c", "method": "completions", "body": message})
        await line.until("done", "c")
    assert line.seen[1]["data"]["object"] == "text_completion"


async def test_cancel_goes_to_the_gate_by_the_requests_own_id() -> None:
    gate = FakeGate(script=hang)
    async with stage(gate) as on, talk(on) as line:
        await line.start("a")
        generation = await gate.nth(0)
        generation.accept()
        await line.until("accepted", "a")
        await line.send({"type": "cancel", "id": "a"})
        await line.send({"type": "ping"})
        await line.until("pong")
        assert gate.cancelled == [generation.request.id]
        generation.finish("cancelled", completion=0)
        await line.until("done", "a")
        await line.send({"type": "cancel", "id": "a"})
        got = await line.until("error", "a")
    assert (got["status"], got["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("{", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        ("[]", "invalid_request"),
        ({"type": "start", "id": "a", "method": "chat", "body": {}}, "invalid_request"),
        ({"type": "start", "id": "", "method": "completions", "body": {}}, "invalid_request"),
        ({"type": "nothing"}, "invalid_request"),
        ({"type": "start", "id": "a", "method": "chat.completions", "body": {}}, "invalid_request"),
    ],
)
async def test_a_message_that_is_wrong_is_answered_and_the_connection_goes_on(
    message: object, code: str
) -> None:
    async with stage(FakeGate(script=answer("ok"))) as on, talk(on) as line:
        await line.send(message)
        got = await line.next()
        assert (got["type"], got["error"]["code"], got["status"]) == ("error", code, 400)
        await line.start("a")
        await line.until("done", "a")


async def test_a_message_above_the_limit_of_bodies_is_refused() -> None:
    async with stage(FakeGate(script=answer("ok")), body=4096) as on, talk(on) as line:
        await line.start("a", user="x" * 5000)
        got = await line.until("error")
    assert (got["status"], got["error"]["code"]) == (413, "too_large")


async def test_an_id_that_runs_already_is_refused() -> None:
    async with stage(FakeGate(script=hang)) as on, talk(on) as line:
        await line.start("a")
        await line.start("a")
        got = await line.until("error", "a")
    assert "runs already" in got["error"]["message"]


async def test_a_refusal_and_a_failure_end_their_own_generation() -> None:
    gate = FakeGate(script=hang)
    async with stage(gate) as on, talk(on) as line:
        gate.refusal = RequestError(Code.QUEUE_FULL, "256 requests wait already")
        await line.start("a")
        assert (await line.until("error", "a"))["status"] == 503
        gate.refusal = None
        await line.start("b")
        await line.start("c")
        failing, fine = await gate.nth(0), await gate.nth(1)
        failing.accept().say("half").fail(Failed(failing.id, 0, "worker_died", "the worker died"))
        got = await line.until("error", "b")
        fine.accept().say("whole").finish("stop", completion=1)
        await line.until("done", "c")
    assert (got["status"], got["error"]["code"]) == (502, "worker_died")
    assert line.text("c") == "whole"


async def test_a_connection_that_ends_ends_its_generations() -> None:
    gate = FakeGate(script=hang)
    async with stage(gate) as on:
        async with talk(on) as line:
            await line.start("a")
            await line.start("b")
            first, second = await gate.nth(0), await gate.nth(1)
            first.accept()
            await line.until("accepted", "a")
        async with asyncio.timeout(DEADLINE_S):
            await first.closed.wait()
            await second.closed.wait()


async def test_a_foreign_page_and_a_plain_request_do_not_get_in() -> None:
    async with stage() as on:
        with pytest.raises(InvalidStatus) as caught:
            async with talk(on, origin="https://evil.example"):
                pass
        assert caught.value.response.status_code == 403
        plain = await on.get("/v1/ws")
    assert plain.status_code == 400
    assert plain.json()["error"]["code"] == "invalid_request"


async def test_a_server_that_stops_lets_generations_end_and_then_closes() -> None:
    gate = FakeGate(script=hang)
    async with stage(gate) as on, talk(on) as line, talk(on) as idle:
        await line.start("a")
        generation = await gate.nth(0)
        generation.accept()
        await line.until("accepted", "a")
        stopping = asyncio.create_task(on.server.stop(DEADLINE_S))
        with pytest.raises(ConnectionClosed):
            await idle.next()
        await line.start("b")
        assert (await line.until("error", "b"))["error"]["code"] == "shutting_down"
        generation.say("last words").finish("stop", completion=2)
        await line.until("done", "a")
        with pytest.raises(ConnectionClosed):
            await line.next()
        await asyncio.wait_for(stopping, DEADLINE_S)
    assert line.text("a") == "last words"
