"""Ollama's API for inference over HTTP: lines, waits, errors, and how long models are kept."""

from __future__ import annotations

import asyncio
import json
import struct
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from lmxd.http.ports import Timing
from reconciler.catalog import Entry
from reconciler.state import Live
from schemas.errors import Code, RequestError
from schemas.inference import Failed, Usage, Vector
from schemas.verbs import Keep
from tests.http.test_lmstudio_api import ENTRY
from tests.kit.fake_gate import (
    DEADLINE_S,
    TIMINGS,
    FakeGate,
    FakeGeneration,
    answer,
    routes,
)
from tests.kit.http_stage import Stage, stage

HELLO = [{"role": "user", "content": "hello"}]
HURRIED = Timing(hold_s=0.01, keep_alive_s=0.01)


def gate(*texts: str) -> FakeGate:
    return FakeGate(routes({"auto": ["day-coder"]}, day_coder=Live.READY), answer(*texts))


async def chat(on: Stage, **fields: Any) -> httpx2.Response:
    return await on.client.post("/api/chat", json={"model": "auto", "messages": HELLO, **fields})


async def generate(on: Stage, **fields: Any) -> httpx2.Response:
    return await on.client.post("/api/generate", json={"model": "auto", **fields})


def lines(found: httpx2.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in found.text.splitlines()]


def kept(on: Stage) -> list[Any]:
    return [call for name, call in on.edits.calls if name == "perform"]


async def test_a_probe_is_answered() -> None:
    async with stage() as on:
        found, head = await on.client.get("/"), await on.client.head("/")
        version = (await on.client.get("/api/version")).json()
    assert (found.text, found.status_code, head.status_code) == ("Ollama is running", 200, 200)
    assert version["version"].count(".") == 2
    assert version["server"].startswith("lmxd/")


async def test_lines_of_a_chat_and_of_a_response() -> None:
    async with stage(gate("Hel", "lo")) as on:
        talked = await chat(on, mood=1)
        said = await generate(on, prompt="hello")
        whole = await chat(on, stream=False)
    assert talked.headers["content-type"] == "application/x-ndjson"
    assert talked.headers["lmxd-model"] == "day-coder@4f0c8e1"
    assert talked.headers["lmxd-ignored"] == "mood"
    assert [line["message"]["content"] for line in lines(talked)] == ["Hel", "lo", ""]
    assert [line.get("response") for line in lines(said)] == ["Hel", "lo", ""]
    last = lines(said)[-1]
    assert (last["done"], last["done_reason"], last["eval_count"]) == (True, "stop", 2)
    assert last["total_duration"] >= last["load_duration"] >= 0
    assert whole.headers["content-type"] == "application/json"
    assert whole.json()["message"] == {"role": "assistant", "content": "Hello"}


async def test_nothing_is_sent_before_acceptance() -> None:
    """However long it takes: its clients would take any line for an answer."""
    here = gate()
    here.script = lambda _: None
    async with stage(here, timing=HURRIED) as on:
        sent = asyncio.create_task(chat(on))
        one = await here.nth(0)
        for _ in range(20):  # a server that held its headers for `hold_s` only would send them
            await on.client.get("/health")
        one.refuse(RequestError(Code.NOT_ADMITTED, "does not fit", retry=False))
        found = await asyncio.wait_for(sent, DEADLINE_S)
    assert (found.status_code, found.headers["x-should-retry"]) == (503, "false")
    assert found.json() == {"error": "does not fit", "code": "not_admitted"}


async def test_a_failure_midway_is_the_last_line() -> None:
    async with stage() as on:
        raw = await on.raw()
        body = json.dumps({"model": "m", "messages": HELLO}).encode()
        head = f"POST /api/chat HTTP/1.1\nHost: localhost\nContent-Length: {len(body)}"
        await raw.send(head, body)
        generation = await on.gate.nth(0)
        generation.accept().say("once upon")
        await raw.until(b"once upon")
        generation.fail(Failed("x", 0, "worker_died", "signal 9"))
        rest = (await raw.rest()).decode()
        await raw.close()
    assert '{"error":"signal 9","code":"worker_died"}' in rest
    assert '"done":true' not in rest
    assert not rest.endswith("0\r\n\r\n")


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate", "/api/embed", "/api/show"])
async def test_errors_are_one_sentence(path: str) -> None:
    async with stage(gate()) as on:
        bad = await on.client.post(path, content=b"{")
        wrong = await on.client.put(path)
        missing = await on.client.post(path, json={"messages": [], "prompt": "x"})
    assert [each.status_code for each in (bad, wrong, missing)] == [400, 405, 400]
    for each in (bad, wrong, missing):
        assert isinstance(each.json()["error"], str)


@pytest.mark.parametrize(
    ("keep_alive", "verb", "ttl"),
    [
        ("10m", Keep("day-coder", "600s"), 660.0),
        (1.5, Keep("day-coder", "2s"), 62.0),
        (-1, Keep("day-coder", "forever"), 366 * 86400.0),
        ("999999999h", Keep("day-coder", "forever"), 366 * 86400.0),
        (0, Keep("day-coder", "0s"), None),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_a_model_is_kept_as_long_as_the_request_says(
    keep_alive: object, verb: Keep, ttl: float | None, stream: bool
) -> None:
    async with stage(gate("hi")) as on:
        found = await chat(on, keep_alive=keep_alive, stream=stream)
        await generate(on, prompt="x", stream=stream)
    assert found.status_code == 200
    assert kept(on) == [verb]
    assert ("terms", ("ollama", False, ttl, False)) in on.edits.calls


async def test_an_answer_is_given_also_when_the_model_cannot_be_kept() -> None:
    async with stage(gate("hi")) as on:
        on.edits.refusal = RequestError(Code.INVALID_REQUEST, "no lease")
        found = await chat(on, keep_alive="1h")
    assert lines(found)[-1]["done"] is True
    assert len(kept(on)) == 1


def loads(one: FakeGeneration) -> None:
    one.accept().put(Usage(one.request.id, 0, 1, 0, 0, TIMINGS))
    one.put(None)


async def test_nothing_to_say_loads_and_unloads() -> None:
    here = gate()
    here.script = loads
    resting = replace(ENTRY, model=replace(ENTRY.model, demanded=True))
    async with stage(here) as on:
        on.control.entries = (resting,)
        loaded = await generate(on, keep_alive="5m")
        chatted = await chat(on, messages=[])
        unloaded = await generate(on, keep_alive=0)
        unknown = await generate(on, model="nope", keep_alive=0)
    assert (loaded.json()["done_reason"], loaded.json()["response"]) == ("load", "")
    assert chatted.json()["message"] == {"role": "assistant", "content": ""}
    assert unloaded.json()["done_reason"] == "unload"
    assert unknown.status_code == 404
    assert len(here.taken) == 2
    assert kept(on) == [Keep("day-coder", "300s"), Keep("day-coder", "0s")]


async def test_what_the_document_has_loaded_is_not_unloaded_by_a_request() -> None:
    async with stage(gate()) as on:
        on.control.entries = (ENTRY,)
        found = await generate(on, keep_alive=0)
    assert (found.status_code, found.json()["code"]) == (409, "field_conflict")
    assert "/api/stop" in found.json()["error"]
    assert kept(on) == []


async def test_embeddings() -> None:
    def script(one: FakeGeneration) -> None:
        one.accept()
        for index, _ in enumerate(one.request.prompts):
            one.put(Vector(one.request.id, index, struct.pack("<2f", index, 0.5)))
        one.put(Usage(one.request.id, 0, 7, 0, 0, TIMINGS))
        one.put(None)

    here = gate()
    here.script = script
    async with stage(here) as on:
        two = await on.client.post("/api/embed", json={"model": "auto", "input": ["a", "b"]})
        old = await on.client.post("/api/embeddings", json={"model": "auto", "prompt": "a"})
    assert two.json()["embeddings"] == [[0.0, 0.5], [1.0, 0.5]]
    assert two.json()["prompt_eval_count"] == 7
    assert old.json() == {"embedding": [0.0, 0.5]}


async def test_models_are_listed_and_shown() -> None:
    entry: Entry = ENTRY
    async with stage(gate()) as on:
        on.control.entries = (entry,)
        tags = (await on.client.get("/api/tags")).json()["models"]
        running = (await on.client.get("/api/ps")).json()["models"]
        shown = (await on.client.post("/api/show", json={"model": "auto:latest"})).json()
        older = await on.client.post("/api/show", json={"name": "day-coder"})
        missing = await on.client.post("/api/show", json={"model": "nope"})
    assert [each["name"] for each in tags] == ["day-coder", "auto"]
    assert tags[0]["modified_at"] == "2026-01-02T00:00:00.000Z"
    assert running[0]["context_length"] == 4096
    assert shown["details"]["family"] == "qwen2"
    assert older.status_code == 200
    assert (missing.status_code, missing.json()["code"]) == (404, "model_not_found")
