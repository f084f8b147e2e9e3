"""`/v1/completions`, `/v1/tokenize`, `/v1/detokenize` over a socket."""

from __future__ import annotations

import json
from dataclasses import replace

from reconciler.state import Live, ModelKey
from schemas.inference import Finish, Text, Tokens, Usage
from tests.kit.fake_gate import TIMINGS, FakeGate, FakeGeneration, answer, routes
from tests.kit.http_stage import stage


async def test_a_completion_whole() -> None:
    async with stage(FakeGate(script=answer("upon", " a time"))) as on:
        got = await on.client.post(
            "/v1/completions", json={"model": "m", "prompt": "Once", "mood": 1}
        )
    assert got.status_code == 200
    body = got.json()
    assert body["choices"][0]["text"] == "upon a time"
    assert body["id"].startswith("cmpl-")
    assert got.headers["lmxd-model"] == "day-coder@4f0c8e1"
    assert got.headers["lmxd-ignored"] == "mood"


async def test_a_completion_streamed_has_headers_before_its_first_text() -> None:
    """Nothing is said at the opening, and what follows must still come behind the headers."""
    gate = FakeGate()
    async with stage(gate) as on:
        raw = await on.raw()
        body = json.dumps({"model": "m", "prompt": "Once", "stream": True}).encode()
        head = f"POST /v1/completions HTTP/1.1\nHost: localhost\nContent-Length: {len(body)}"
        await raw.send(head, body)
        one = (await gate.nth(0)).accept()
        said = await raw.until(b"\r\n\r\n")
        one.say("upon").finish()
        said += await raw.until(b"[DONE]")
        await raw.close()
    headers, _, rest = said.partition(b"\r\n\r\n")
    assert headers.startswith(b"HTTP/1.1 200")
    assert b'"text":"upon"' in rest
    assert b'"finish_reason":"stop"' in rest


async def test_choices_of_all_prompts() -> None:
    def script(one: FakeGeneration) -> None:
        one.accept()
        for index in (1, 3, 2, 0):
            one.put(Text(one.request.id, index, str(index)))
            one.put(Finish(one.request.id, index, "stop"))
        one.put(Usage(one.request.id, 0, 7, 4, 0, TIMINGS))
        one.put(None)

    async with stage(FakeGate(script=script)) as on:
        body = {"model": "m", "prompt": ["a", [1]], "n": 2}
        got = (await on.client.post("/v1/completions", json=body)).json()
    assert [(each["index"], each["text"]) for each in got["choices"]] == [
        (0, "0"),
        (1, "1"),
        (2, "2"),
        (3, "3"),
    ]


def tells_tokens(one: FakeGeneration) -> None:
    one.accept().put(Tokens(one.request.id, 0, (5, 6)))
    one.put(Usage(one.request.id, 0, 2, 0, 0, TIMINGS))
    one.put(None)


async def test_tokens_with_the_context_of_what_serves() -> None:
    table = routes(day_coder=Live.READY)
    key = ModelKey("day-coder")
    table = replace(table, targets={key: replace(table.targets[key], context=4096)})
    async with stage(FakeGate(table, tells_tokens)) as on:
        got = await on.client.post("/v1/tokenize", json={"model": "day-coder", "prompt": "ab"})
    assert got.json() == {
        "count": 2,
        "max_model_len": 4096,
        "tokens": [5, 6],
        "token_strs": None,
    }


async def test_text_of_tokens() -> None:
    def script(one: FakeGeneration) -> None:
        one.accept().say("ab").put(Usage(one.request.id, 0, 2, 0, 0, TIMINGS))
        one.put(None)

    async with stage(FakeGate(script=script)) as on:
        got = await on.client.post("/v1/detokenize", json={"model": "m", "tokens": [5, 6]})
        bad = await on.client.post("/v1/detokenize", json={"model": "m", "tokens": "5"})
    assert got.json() == {"prompt": "ab"}
    assert bad.status_code == 400
    assert bad.json()["error"]["param"] == "tokens"
