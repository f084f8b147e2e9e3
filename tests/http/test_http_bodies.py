"""Request bodies: bounded, JSON, an object; refused without reading them all."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator

import pytest

from lmxd.dialects import openai
from lmxd.http.incoming import THREAD_ABOVE
from tests.kit.fake_gate import FakeGate, answer
from tests.kit.http_stage import chat_body, stage

MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b"  \n", "invalid_json"),
        (b"{", "invalid_json"),
        (b'{"model": "a",}', "invalid_json"),
        (b'{"model": NaN}', "invalid_json"),
        (b'{"temperature": 1e999}', "invalid_json"),
        (b'{"model": "\xff"}', "invalid_json"),
        (b'{"model": "\\ud800"}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "invalid_json"),
        (b"[]", "invalid_request"),
        (b'"text"', "invalid_request"),
        (b"null", "invalid_request"),
        (b"7", "invalid_request"),
    ],
)
async def test_a_body_that_is_no_json_object_is_400(body: bytes, code: str) -> None:
    async with stage() as on:
        refused = await on.client.post("/v1/chat/completions", content=body)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == code


async def test_a_body_over_the_limit_is_413_in_the_dialects_shape() -> None:
    """20 MB against a limit of 1 MiB: the client gets to read the answer."""
    async with stage(body=MIB) as on:
        refused = await on.client.post("/v1/chat/completions", content=b"x" * 20_000_000)
    assert refused.status_code == 413
    error = refused.json()["error"]
    assert error["code"] == "too_large"
    assert "20000000" in error["message"]
    assert str(MIB) in error["message"]


async def test_the_413_comes_before_the_body() -> None:
    async with stage(body=MIB) as on:
        raw = await on.raw()
        head = "POST /v1/chat/completions HTTP/1.1\nHost: localhost\nContent-Length: 20000000"
        await raw.send(head, b"{")
        refused = await raw.until(b"}}")
        await raw.close()
    assert refused.startswith(b"HTTP/1.1 413 ")


async def test_a_chunked_body_is_bounded_too() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    async with stage(body=MIB) as on:
        refused = await on.client.post("/v1/chat/completions", content=chunks())
    assert refused.status_code == 413


async def test_the_limit_of_this_instant_counts() -> None:
    """The bound is the document's: an edit changes it without a restart."""
    async with stage(FakeGate(script=answer("ok")), body=64) as on:
        assert (await on.chat()).status_code == 413
        on.gate.routes = FakeGate().routes
        assert (await on.chat()).status_code == 200


async def test_long_bodies_are_parsed_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    translate = openai.chat

    def spy(body: dict[str, object], request_id: str) -> openai.Chat:
        threads.append(threading.get_ident())
        return translate(body, request_id)

    monkeypatch.setattr(openai, "chat", spy)
    async with stage(FakeGate(script=answer("ok"))) as on:
        await on.chat()
        text = "ü" * THREAD_ABOVE
        await on.chat(messages=[{"role": "user", "content": text}])
        assert on.gate.last.messages[0].text == text
    assert threads[0] == threading.get_ident()
    assert threads[1] != threading.get_ident()


async def test_a_connection_outlives_a_bad_request() -> None:
    async with stage(FakeGate(script=answer("ok"))) as on:
        raw = await on.raw()
        await raw.send(
            "POST /v1/chat/completions HTTP/1.1\nHost: localhost\nContent-Length: 1", b"{"
        )
        assert (await raw.until(b"}}")).startswith(b"HTTP/1.1 400 ")
        await raw.post()
        assert (await raw.until(b"}}}")).startswith(b"HTTP/1.1 200 ")
        await raw.close()


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with stage(FakeGate(script=answer("ok"))) as on:
        raw = await on.raw()
        get = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        raw.writer.write((get * 3).encode())
        answers = [await raw.until(b"}") for _ in range(3)]
        await raw.close()
    assert all(b"200 OK" in one for one in answers)


async def test_a_request_that_never_ends_does_not_hold_up_others() -> None:
    async with stage(FakeGate(script=answer("ok"))) as on:
        raw = await on.raw()
        await raw.send(
            "POST /v1/chat/completions HTTP/1.1\nHost: localhost\nContent-Length: 9", b"{"
        )
        async with asyncio.timeout(20):
            assert (await on.chat()).status_code == 200
        await raw.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "application/json; charset=utf-8"}, 200),
        ({"content-type": "application/x-www-form-urlencoded"}, 200),  # curl -d
        ({"content-type": "text/plain"}, 200),
        ({"content-type": "multipart/form-data; boundary=x"}, 415),
        ({"content-type": "application/xml"}, 415),
        ({"content-type": "application/json", "content-encoding": "gzip"}, 415),
    ],
)
@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/chat/completions", ("error", "code")),
        ("/v1/messages", ("error", "details", "error_code")),
        ("/api/chat", ()),
    ],
)
async def test_what_says_that_it_is_no_json_is_415(
    headers: dict[str, str], status: int, path: str, code: tuple[str, ...]
) -> None:
    body = json.dumps({**chat_body(), "max_tokens": 9}).encode()
    if path == "/api/chat":
        body = json.dumps({**chat_body(), "stream": False}).encode()
    async with stage(FakeGate(script=answer("ok"))) as on:
        got = await on.client.post(path, content=body, headers=headers)
    assert got.status_code == status
    if status == 415:
        found = got.json()
        for name in code:
            found = found[name]
        assert not code or found == "unsupported_media_type"
