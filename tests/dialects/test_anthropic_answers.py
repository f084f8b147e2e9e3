"""Neutral events to Anthropic's messages, whole and streamed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from lmxd.dialects.answer import Answer, Collector
from lmxd.dialects.anthropic_answers import Heading, MessageStream, counted, message
from schemas.inference import (
    Accepted,
    Event,
    Finish,
    FinishReason,
    Text,
    Thinking,
    Timings,
    ToolArgs,
    ToolEnd,
    ToolStart,
    Usage,
)

ID = "msg_abc"
HEADING = Heading(ID, 'odd "name" ü', stop=("END",))
ACCEPTED = Accepted(ID, 0, 10, 8)
USAGE = Usage(ID, 0, 10, 4, 8, Timings(0, 0, 0))
COUNTED = {
    "input_tokens": 2,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 8,
    "output_tokens": 4,
    "service_tier": "standard",
}
BUSY: tuple[Event, ...] = (
    Thinking(ID, 0, "two"),
    Thinking(ID, 0, " calls"),
    Text(ID, 0, "I "),
    Text(ID, 0, "look."),
    ToolStart(ID, 0, 0, "weather"),
    ToolArgs(ID, 0, 0, '{"c":'),
    ToolArgs(ID, 0, 0, '"Rome"}'),
    ToolEnd(ID, 0, 0),
    ToolStart(ID, 0, 1, "time"),
    ToolArgs(ID, 0, 1, "{}"),
    ToolEnd(ID, 0, 1),
)


def whole(*events: Event, heading: Heading = HEADING) -> dict[str, Any]:
    return message(heading, answer(*events))


def answer(*events: Event) -> Answer:
    collector = Collector(ACCEPTED)
    for event in (*events, USAGE):
        collector.take(event)
    found = collector.answer()
    assert found is not None
    return found


def finish(reason: FinishReason = "stop", matched: str | None = None) -> Finish:
    return Finish(ID, 0, reason, matched)


def streamed(*events: Event, heading: Heading = HEADING) -> list[dict[str, Any]]:
    stream = MessageStream(heading)
    raw = stream.opening()
    raw += b"".join(stream.event(event) for event in (ACCEPTED, *events, USAGE))
    return parsed(raw + stream.closing())


def parsed(raw: bytes) -> list[dict[str, Any]]:
    found = []
    for one in raw.decode().split("\n\n")[:-1]:
        name, data = one.split("\n")
        value = json.loads(data.removeprefix("data: "))
        assert name == f"event: {value['type']}"
        found.append(value)
    return found


def test_a_whole_answer() -> None:
    assert whole(Text(ID, 0, "hi\n"), finish()) == {
        "id": ID,
        "type": "message",
        "role": "assistant",
        "model": 'odd "name" ü',
        "content": [{"type": "text", "text": "hi\n"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": COUNTED,
    }


@pytest.mark.parametrize(
    ("reason", "matched", "expected"),
    [
        ("stop", None, ("end_turn", None)),
        ("stop", "END", ("stop_sequence", "END")),
        ("stop", "</s>", ("end_turn", None)),  # of the document, which the client does not know
        ("length", None, ("max_tokens", None)),
        ("tool_calls", None, ("tool_use", None)),
        ("cancelled", None, ("end_turn", None)),
    ],
)
def test_why_it_stopped(
    reason: FinishReason, matched: str | None, expected: tuple[str, str | None]
) -> None:
    found = whole(finish(reason, matched))
    assert (found["stop_reason"], found["stop_sequence"]) == expected
    (_, delta, _) = streamed(finish(reason, matched))
    assert delta["delta"] == {"stop_reason": expected[0], "stop_sequence": expected[1]}
    assert delta["usage"] == COUNTED


def test_thoughts_texts_and_calls_in_their_order() -> None:
    found = whole(*BUSY, finish("tool_calls"))
    assert found["content"] == [
        {"type": "thinking", "thinking": "two calls", "signature": "lmxd"},
        {"type": "text", "text": "I look."},
        {"type": "tool_use", "id": "toolu_abc00", "name": "weather", "input": {"c": "Rome"}},
        {"type": "tool_use", "id": "toolu_abc01", "name": "time", "input": {}},
    ]


def test_a_stream_of_blocks() -> None:
    found = streamed(*BUSY, finish("tool_calls"))
    start, *middle, delta, stop = found
    assert start["message"]["usage"] == {
        "input_tokens": 2,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 8,
        "output_tokens": 0,
    }
    assert (start["message"]["content"], start["message"]["stop_reason"]) == ([], None)
    assert [(each["type"].removeprefix("content_block_"), each["index"]) for each in middle] == [
        *[("start", 0), ("delta", 0), ("delta", 0), ("delta", 0), ("stop", 0)],
        *[("start", 1), ("delta", 1), ("delta", 1), ("stop", 1)],
        *[("start", 2), ("delta", 2), ("delta", 2), ("stop", 2)],
        *[("start", 3), ("delta", 3), ("stop", 3)],
    ]
    deltas = [each["delta"] for each in middle if "delta" in each]
    assert deltas == [
        {"type": "thinking_delta", "thinking": "two"},
        {"type": "thinking_delta", "thinking": " calls"},
        {"type": "signature_delta", "signature": "lmxd"},
        {"type": "text_delta", "text": "I "},
        {"type": "text_delta", "text": "look."},
        {"type": "input_json_delta", "partial_json": '{"c":'},
        {"type": "input_json_delta", "partial_json": '"Rome"}'},
        {"type": "input_json_delta", "partial_json": "{}"},
    ]
    begun = [each["content_block"] for each in middle if "content_block" in each]
    assert begun == [
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "text", "text": ""},
        {"type": "tool_use", "id": "toolu_abc00", "name": "weather", "input": {}},
        {"type": "tool_use", "id": "toolu_abc01", "name": "time", "input": {}},
    ]
    assert (delta["type"], delta["delta"]["stop_reason"]) == ("message_delta", "tool_use")
    assert stop == {"type": "message_stop"}


@pytest.mark.parametrize("text", ["hi", "\n\n", '"', "\u2028", "👩‍👩‍👧", "\x00", "data: x"])
def test_texts_are_what_a_json_encoder_would_write(text: str) -> None:
    found = streamed(Text(ID, 0, text), finish())
    assert found[2] == {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "text_delta", "text": text},
    }


def test_reasoning_that_nobody_asked_for_is_not_shown() -> None:
    heading = replace(HEADING, shown="nothing")
    found = whole(*BUSY, finish("tool_calls"), heading=heading)
    assert [each["type"] for each in found["content"]] == ["text", "tool_use", "tool_use"]
    assert streamed(*BUSY, finish(), heading=heading)[1]["content_block"]["type"] == "text"


def test_reasoning_may_be_signed_only() -> None:
    heading = replace(HEADING, shown="signature")
    found = whole(*BUSY, finish("tool_calls"), heading=heading)
    assert found["content"][0] == {"type": "thinking", "thinking": "", "signature": "lmxd"}
    deltas = [each["delta"] for each in streamed(*BUSY, heading=heading) if "delta" in each]
    assert deltas[0] == {"type": "signature_delta", "signature": "lmxd"}


def test_a_call_that_was_cut_off_is_not_one_of_the_whole_answer() -> None:
    cut = (ToolStart(ID, 0, 0, "weather"), ToolArgs(ID, 0, 0, '{"c":'), finish("length"))
    assert whole(*cut)["content"] == []
    stops = [each["type"] for each in streamed(*cut)]
    assert stops[-3:] == ["content_block_stop", "message_delta", "message_stop"]


def test_an_empty_text_is_no_block() -> None:
    assert [each["type"] for each in streamed(Text(ID, 0, ""), finish())] == [
        "message_start",
        "message_delta",
        "message_stop",
    ]


def test_a_count() -> None:
    assert counted(answer()) == {"input_tokens": 10}


def test_pings_and_errors() -> None:
    stream = MessageStream(HEADING)
    assert stream.waiting() == b'event: ping\ndata: {"type":"ping"}\n\n'
    assert parsed(stream.failure({"type": "error", "error": {"message": "no\n"}})) == [
        {"type": "error", "error": {"message": "no\n"}}
    ]
