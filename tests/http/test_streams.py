"""The stream writer, byte by byte: what a client sees of good ends, bad ends and waits."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import pytest

from lmxd.dialects.openai_answers import ChatStream
from lmxd.http import streams
from lmxd.http.ports import Timing
from schemas.errors import Code, RequestError
from schemas.inference import Failed
from tests.kit.fake_gate import DEADLINE_S, FakeGate, FakeGeneration, answer
from tests.kit.http_stage import Raw, stage

HURRIED = Timing(hold_s=0.01, keep_alive_s=0.01)
PATIENT = Timing(hold_s=DEADLINE_S, keep_alive_s=DEADLINE_S)
END_OF_BODY = b"0\r\n\r\n"


def messages(raw: bytes) -> list[Any]:
    """The data of every event in a raw answer; [DONE] as a string."""
    found: list[Any] = []
    for line in raw.split(b"\n"):
        if line.startswith(b"data: "):
            data = line.removeprefix(b"data: ").strip()
            found.append("[DONE]" if data == b"[DONE]" else json.loads(data))
    return found


def texts(raw: bytes) -> str:
    chunks = [message for message in messages(raw) if isinstance(message, dict)]
    return "".join(
        choice["delta"].get("content") or ""
        for chunk in chunks
        for choice in chunk.get("choices", [])
    )


async def begin(raw: Raw, gate: FakeGate) -> FakeGeneration:
    """A stream that is accepted and has said something."""
    await raw.post(stream=True)
    generation = await gate.nth(0)
    generation.accept().say("once upon")
    await raw.until(b"once upon")
    await raw.until(b"\n\n\r\n")
    return generation


async def test_a_stream_says_role_texts_finish_and_done() -> None:
    async with stage(FakeGate(script=answer("Hel", "lo"))) as on:
        raw = await on.raw()
        await raw.post(stream=True, stream_options={"include_usage": True})
        whole = await raw.until(END_OF_BODY)
        await raw.close()
        await asyncio.wait_for(on.gate.taken[0].closed.wait(), DEADLINE_S)
    head = whole.partition(b"\r\n\r\n")[0].lower()
    assert head.startswith(b"http/1.1 200 ")
    assert b"content-type: text/event-stream" in head
    assert b"cache-control: no-cache" in head
    assert b"lmxd-model: day-coder@4f0c8e1" in head
    role, first, second, finish, usage, done = messages(whole)
    assert role["choices"][0]["delta"]["role"] == "assistant"
    assert [first["choices"][0]["delta"], second["choices"][0]["delta"]] == [
        {"content": "Hel"},
        {"content": "lo"},
    ]
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    assert usage["usage"]["prompt_tokens_details"] == {"cached_tokens": 2}
    assert role["usage"] is None
    assert done == "[DONE]"


async def test_what_is_there_at_once_leaves_in_one_write() -> None:
    """Sixteen streams are cheap only when a late daemon catches up in few writes."""
    async with stage(FakeGate(script=answer(*"many small pieces of text"))) as on:
        raw = await on.raw()
        await raw.post(stream=True)
        whole = await raw.until(END_OF_BODY)
        await raw.close()
    body = whole.partition(b"\r\n\r\n")[2]
    chunks = [line for line in body.split(b"\r\n") if line and not line.startswith(b"data")]
    assert texts(whole) == "many small pieces of text"
    assert len(chunks) == 4  # role, all texts and the finish, [DONE], the end of the body


async def test_a_failure_midway_ends_with_the_error_and_without_an_end() -> None:
    async with stage() as on:
        raw = await on.raw()
        generation = await begin(raw, on.gate)
        generation.fail(Failed("x", 0, "worker_died", "the worker died of signal 9", "try again"))
        rest = await raw.rest()
        await raw.close()
        await asyncio.wait_for(generation.closed.wait(), DEADLINE_S)
    (error,) = messages(rest)
    assert error["error"]["code"] == "worker_died"
    assert error["error"]["message"] == "the worker died of signal 9"
    assert error["error"]["hint"] == "try again"
    assert b"[DONE]" not in rest
    assert b"finish_reason" not in rest
    assert not rest.endswith(END_OF_BODY)


async def test_texts_before_a_failure_are_not_lost() -> None:
    async with stage() as on:
        raw = await on.raw()
        generation = await begin(raw, on.gate)
        generation.say(" a time").fail(Failed("x", 0, "model_draining", "out of time"))
        rest = await raw.rest()
        await raw.close()
    assert texts(rest) == " a time"
    assert messages(rest)[-1]["error"]["code"] == "model_draining"


@pytest.mark.parametrize("how", [None, ValueError("the secret of the house")])
async def test_a_defect_midway_is_an_error_too(
    how: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    """None: the generation just ends, with neither finish nor failure."""
    async with stage() as on:
        raw = await on.raw()
        generation = await begin(raw, on.gate)
        generation.put(how)
        rest = await raw.rest()
        await raw.close()
    assert messages(rest)[-1]["error"]["code"] == "internal"
    assert b"secret" not in rest
    assert not rest.endswith(END_OF_BODY)
    assert ("stream crashed" in caplog.messages) == (how is not None)


async def test_when_even_the_error_fails_the_connection_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object) -> bytes:
        raise RuntimeError("no words")

    monkeypatch.setattr(ChatStream, "failure", broken)
    async with stage() as on:
        raw = await on.raw()
        generation = await begin(raw, on.gate)
        generation.fail(Failed("x", 0, "worker_died", "died"))
        try:
            rest = await raw.rest()
        except ConnectionResetError:
            rest = b""
        await raw.close()
    assert END_OF_BODY not in rest
    assert b"[DONE]" not in rest


async def test_a_quick_failure_keeps_its_status() -> None:
    async with stage(timing=PATIENT) as on:
        raw = await on.raw()
        await raw.post(stream=True)
        refused = RequestError(Code.MODEL_LOADING, "day-coder loads, 12 of 41 GiB")
        (await on.gate.nth(0)).refuse(refused)
        got = await raw.until(b"}}")
        await raw.close()
    assert got.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 5" in got
    assert b"text/event-stream" not in got


async def test_a_long_wait_becomes_200_with_comments_and_then_the_answer() -> None:
    async with stage(timing=HURRIED) as on:
        raw = await on.raw()
        await raw.post(stream=True)
        generation = await on.gate.nth(0)
        waited = await raw.until(b": waiting\n\n")
        waited += await raw.until(b": waiting\n\n")
        assert waited.startswith(b"HTTP/1.1 200 ")
        assert messages(waited) == []
        generation.accept().say("there").finish()
        whole = await raw.until(END_OF_BODY)
        await raw.close()
    assert texts(whole) == "there"
    assert messages(whole)[0]["choices"][0]["delta"]["role"] == "assistant"
    assert messages(whole)[-1] == "[DONE]"


async def test_a_failure_after_the_hold_is_an_error_event() -> None:
    async with stage(timing=HURRIED) as on:
        raw = await on.raw()
        await raw.post(stream=True)
        generation = await on.gate.nth(0)
        await raw.until(b": waiting\n\n")
        generation.refuse(RequestError(Code.DEADLINE_EXCEEDED, "waited 120 s"))
        rest = await raw.rest()
        await raw.close()
    assert messages(rest)[-1]["error"]["code"] == "deadline_exceeded"
    assert not rest.endswith(END_OF_BODY)


async def test_silence_while_generating_is_bridged_too() -> None:
    async with stage(timing=HURRIED) as on:
        raw = await on.raw()
        generation = await begin(raw, on.gate)
        await raw.until(b": waiting\n\n")
        generation.say(" a time").finish()
        assert b"[DONE]" in await raw.until(END_OF_BODY)
        await raw.close()


@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("politely", [True, False])
async def test_a_client_that_goes_ends_its_generation_and_troubles_nobody(
    accepted: bool, stream: bool, politely: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage(timing=PATIENT) as on:
        raw = await on.raw()
        await raw.post(stream=stream)
        generation = await on.gate.nth(0)
        if accepted:
            generation.accept().say("once")
        if politely:
            await raw.close()
        else:
            raw.writer.transport.abort()
        await asyncio.wait_for(generation.closed.wait(), DEADLINE_S)
        await on.server.stop(DEADLINE_S)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_a_client_that_does_not_read_ends_only_its_own(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(streams, "BACKLOG_MAX", 64 * 1024)
    async with stage() as on:
        slow, fast = await on.raw(), await on.raw()
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await slow.post(stream=True)
        stuck = (await on.gate.nth(0)).accept()
        await fast.post(stream=True)
        fine = (await on.gate.nth(1)).accept()
        while not stuck.closed.is_set():
            stuck.say("x" * 65536)
            fine.say("y")
            await fast.until(b'"y"')
        fine.finish()
        assert b"[DONE]" in await fast.until(END_OF_BODY)
        await asyncio.gather(slow.close(), fast.close())
    assert "slow reader" in caplog.messages


async def test_a_connection_serves_on_after_a_stream() -> None:
    async with stage(FakeGate(script=answer("ok"))) as on:
        raw = await on.raw()
        for _ in range(3):
            await raw.post(stream=True)
            assert texts(await raw.until(END_OF_BODY)) == "ok"
        await raw.close()


async def test_text_of_any_kind_arrives_untouched() -> None:
    wild = ["héllo ", "👩‍👩‍👧", "\u2028\x00\x7f", '"\\\n', "data: [DONE]\n\n", "中文"]
    async with stage(FakeGate(script=answer(*wild))) as on:
        raw = await on.raw()
        await raw.post(stream=True)
        whole = await raw.until(END_OF_BODY)
        await raw.close()
        plain = await on.chat()
    assert texts(whole) == "".join(wild)
    assert plain.json()["choices"][0]["message"]["content"] == "".join(wild)
