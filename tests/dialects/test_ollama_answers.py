"""Neutral events to Ollama's answers, whole and as lines."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from typing import Any

import pytest

from lmxd.dialects.answer import Answer, Collector
from lmxd.dialects.ollama_answers import (
    Heading,
    LineStream,
    embedded,
    loaded,
    old_embedding,
    whole,
)
from schemas.inference import (
    Accepted,
    Alternative,
    Event,
    Finish,
    Text,
    Thinking,
    Timings,
    TokenLogprob,
    ToolArgs,
    ToolEnd,
    ToolStart,
    Usage,
    Vector,
)

ID = "r1"
HEADING = Heading(ID, 'odd "name" ü', 1_700_000_000.25, chat=True)
PLAIN = replace(HEADING, chat=False)
NOW = 1_700_000_003.25
CREATED = "2023-11-14T22:13:20.250000Z"
ACCEPTED = Accepted(ID, 0, 10, 8)
USAGE = Usage(ID, 0, 10, 4, 8, Timings(0.5, 0.25, 2.0))
STATISTICS = {
    "total_duration": 3_000_000_000,
    "load_duration": 750_000_000,
    "prompt_eval_count": 10,
    "prompt_eval_duration": 250_000_000,
    "eval_count": 4,
    "eval_duration": 2_000_000_000,
}
BUSY: tuple[Event, ...] = (
    Thinking(ID, 0, "look "),
    Thinking(ID, 0, "it up"),
    Text(ID, 0, "One "),
    Text(ID, 0, "moment."),
    ToolStart(ID, 0, 0, "weather"),
    ToolArgs(ID, 0, 0, '{"c":'),
    ToolArgs(ID, 0, 0, '"Rome"}'),
    ToolEnd(ID, 0, 0),
)
CALL = {
    "id": "call_r1_0",
    "function": {"index": 0, "name": "weather", "arguments": {"c": "Rome"}},
}


def answer(*events: Event) -> Answer:
    collector = Collector(ACCEPTED)
    for event in (*events, USAGE):
        collector.take(event)
    found = collector.answer()
    assert found is not None
    return found


def streamed(*events: Event, heading: Heading = HEADING) -> list[dict[str, Any]]:
    stream = LineStream(heading, lambda: NOW)
    raw = stream.opening()
    raw += b"".join(stream.event(event) for event in (ACCEPTED, *events, USAGE))
    raw += stream.closing()
    assert raw.endswith(b"\n")
    return [json.loads(line) for line in raw.decode().split("\n")[:-1]]


@pytest.mark.parametrize(
    ("reason", "word"),
    [("stop", "stop"), ("length", "length"), ("tool_calls", "stop"), ("cancelled", "stop")],
)
def test_a_whole_message(reason: Any, word: str) -> None:
    found = whole(HEADING, answer(Text(ID, 0, "hi\n"), Finish(ID, 0, reason)), NOW)
    assert found == {
        "model": 'odd "name" ü',
        "created_at": CREATED,
        "message": {"role": "assistant", "content": "hi\n"},
        "done": True,
        "done_reason": word,
        **STATISTICS,
    }
    assert streamed(Finish(ID, 0, reason))[-1]["done_reason"] == word


def test_a_whole_response() -> None:
    found = whole(PLAIN, answer(Text(ID, 0, "hi"), Finish(ID, 0, "stop")), NOW)
    assert found["response"] == "hi"
    assert "message" not in found


def test_thoughts_and_calls() -> None:
    found = whole(HEADING, answer(*BUSY, Finish(ID, 0, "tool_calls")), NOW)
    assert found["message"] == {
        "role": "assistant",
        "content": "One moment.",
        "thinking": "look it up",
        "tool_calls": [CALL],
    }


def test_lines() -> None:
    *lines, last = streamed(*BUSY, Finish(ID, 0, "tool_calls"))
    assert all(line["created_at"] == CREATED and not line["done"] for line in lines)
    speaker = {"role": "assistant"}
    assert [line["message"] for line in lines] == [
        {**speaker, "content": "", "thinking": "look "},
        {**speaker, "content": "", "thinking": "it up"},
        {**speaker, "content": "One "},
        {**speaker, "content": "moment."},
        {**speaker, "content": "", "tool_calls": [CALL]},
    ]
    assert last == {
        "model": 'odd "name" ü',
        "created_at": CREATED,
        "message": {"role": "assistant", "content": ""},
        "done": True,
        "done_reason": "stop",
        **STATISTICS,
    }


@pytest.mark.parametrize("text", ["hi", "\n\n", '"', "\u2028", "👩‍👩‍👧", "\x00"])
@pytest.mark.parametrize("heading", [HEADING, PLAIN])
def test_lines_are_what_a_json_encoder_would_write(text: str, heading: Heading) -> None:
    first, _ = streamed(Text(ID, 0, text), Finish(ID, 0, "stop"), heading=heading)
    said = {"message": {"role": "assistant", "content": text}} if heading.chat else {}
    expected = {"model": 'odd "name" ü', "created_at": CREATED, **said, "done": False}
    assert first == expected | ({} if heading.chat else {"response": text})


def test_a_call_that_was_cut_off_is_none() -> None:
    cut = (ToolStart(ID, 0, 0, "weather"), ToolArgs(ID, 0, 0, '{"c'), Finish(ID, 0, "length"))
    assert whole(HEADING, answer(*cut), NOW)["message"] == {"role": "assistant", "content": ""}
    assert len(streamed(*cut)) == 1


def test_logprobs() -> None:
    token = TokenLogprob("a", b"a", -0.5, 1, (Alternative("b", b"b", -1.5, 2),))
    said = (Text(ID, 0, "a", (token,)), Finish(ID, 0, "stop"))
    expected = [
        {
            "token": "a",
            "logprob": -0.5,
            "bytes": [97],
            "top_logprobs": [{"token": "b", "logprob": -1.5, "bytes": [98]}],
        }
    ]
    assert whole(PLAIN, answer(*said), NOW)["logprobs"] == expected
    assert streamed(*said)[0]["logprobs"] == expected


def test_nothing_was_said() -> None:
    assert loaded(PLAIN, "load") == {
        "model": 'odd "name" ü',
        "created_at": CREATED,
        "response": "",
        "done": True,
        "done_reason": "load",
    }
    assert loaded(HEADING, "unload")["message"] == {"role": "assistant", "content": ""}


def test_vectors() -> None:
    found = answer(*(Vector(ID, index, struct.pack("<2f", index, 0.5)) for index in (1, 0)))
    assert embedded(PLAIN, found, NOW) == {
        "model": 'odd "name" ü',
        "embeddings": [[0.0, 0.5], [1.0, 0.5]],
        "total_duration": 3_000_000_000,
        "load_duration": 2_750_000_000,
        "prompt_eval_count": 10,
    }
    assert old_embedding(found) == {"embedding": [0.0, 0.5]}
    assert embedded(PLAIN, None, NOW)["embeddings"] == old_embedding(None)["embedding"] == []


def test_errors_are_lines() -> None:
    stream = LineStream(HEADING, lambda: NOW)
    assert stream.failure({"error": "no\n"}) == b'{"error":"no\\n"}\n'
    assert stream.waiting() == b""
