"""Neutral events to OpenAI answers, whole and streamed."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from lmxd.dialects.answer import Answer, Choice, Collector
from lmxd.dialects.openai_answers import ChatStream, Heading, call_id, completion
from schemas.inference import (
    Accepted,
    Alternative,
    Event,
    Finish,
    FinishReason,
    Text,
    TextPart,
    Thinking,
    Timings,
    TokenLogprob,
    ToolArgs,
    ToolEnd,
    ToolStart,
    Usage,
)

HEADING = Heading("chatcmpl-1", 'odd "name" ü', 1_700_000_000)
USAGE = Usage("chatcmpl-1", 0, 10, 4, 8, Timings(0, 0, 0), reasoning=3)


def data(message: bytes) -> Any:
    assert message.startswith(b"data: ")
    assert message.endswith(b"\n\n")
    assert message.count(b"\n") == 2  # one event, whatever is in the text
    return json.loads(message.removeprefix(b"data: "))


@pytest.mark.parametrize(
    ("reason", "word"), [("stop", "stop"), ("length", "length"), ("cancelled", "stop")]
)
def test_a_whole_answer(reason: FinishReason, word: str) -> None:
    choice = Choice(0, (TextPart("hi\n"),), None, Finish("chatcmpl-1", 0, reason))
    answer = Answer(Accepted("chatcmpl-1", 0, 10), (choice,), (), (), (), (), USAGE)
    assert completion(HEADING, answer) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": 'odd "name" ü',
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hi\n", "refusal": None},
                "logprobs": None,
                "finish_reason": word,
            }
        ],
        "usage": {
            "prompt_tokens": 10,
            "completion_tokens": 4,
            "total_tokens": 14,
            "prompt_tokens_details": {"cached_tokens": 8},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
    }


@pytest.mark.parametrize("text", ["hi", "\n\n", '"', "\u2028", "👩‍👩‍👧", "\x00", "data: x"])
@pytest.mark.parametrize("include_usage", [True, False])
def test_chunks_are_what_a_json_encoder_would_write(text: str, include_usage: bool) -> None:
    stream = ChatStream(HEADING, include_usage=include_usage)
    expected: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": 'odd "name" ü',
        "choices": [
            {"index": 0, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
        ],
    }
    if include_usage:
        expected["usage"] = None
    assert data(stream.event(Text("chatcmpl-1", 0, text))) == expected


def test_the_ends_of_a_stream() -> None:
    stream = ChatStream(HEADING, include_usage=True)
    assert data(stream.opening())["choices"][0]["delta"]["role"] == "assistant"
    finish = data(stream.event(Finish("chatcmpl-1", 0, "length")))
    assert finish["choices"][0] == {
        "index": 0,
        "delta": {},
        "logprobs": None,
        "finish_reason": "length",
    }
    usage = data(stream.event(USAGE))
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 14
    assert stream.closing() == b"data: [DONE]\n\n"
    assert data(stream.failure({"error": {"message": "no\n"}})) == {"error": {"message": "no\n"}}
    assert stream.waiting().startswith(b":")


def test_nobody_asked_for_usage() -> None:
    stream = ChatStream(HEADING, include_usage=False)
    assert stream.event(USAGE) == b""
    assert stream.event(Accepted("chatcmpl-1", 0, 7)) == b""
    assert "usage" not in data(stream.opening())


def logprob(text: str, raw: bytes, value: float, *top: Alternative) -> TokenLogprob:
    return TokenLogprob(text, raw, value, 7, top)


LOGPROBS = (
    logprob(
        "h", b"h", -0.5, Alternative("h", b"h", -0.5, 7), Alternative("\ufffd", b"\xc3", -1, 8)
    ),
    logprob("i", b"i", -math.inf),
)
TOLD = {
    "content": [
        {
            "token": "h",
            "logprob": -0.5,
            "bytes": [104],
            "top_logprobs": [
                {"token": "h", "logprob": -0.5, "bytes": [104]},
                {"token": "\ufffd", "logprob": -1.0, "bytes": [195]},
            ],
        },
        {"token": "i", "logprob": -9999.0, "bytes": [105], "top_logprobs": []},
    ],
    "refusal": None,
}


def events() -> list[Event]:
    """Two choices: one says something, the other thinks and calls."""
    return [
        Thinking("chatcmpl-1", 1, "hm"),
        Text("chatcmpl-1", 0, "hi", LOGPROBS),
        ToolStart("chatcmpl-1", 1, 0, "weather"),
        ToolArgs("chatcmpl-1", 1, 0, '{"at":'),
        Finish("chatcmpl-1", 0, "stop"),
        ToolArgs("chatcmpl-1", 1, 0, '"x"}'),
        ToolEnd("chatcmpl-1", 1, 0),
        ToolStart("chatcmpl-1", 1, 1, "clock"),
        ToolArgs("chatcmpl-1", 1, 1, "{}"),
        ToolEnd("chatcmpl-1", 1, 1),
        Finish("chatcmpl-1", 1, "tool_calls"),
    ]


def test_a_whole_answer_of_two_choices_with_calls_and_logprobs() -> None:
    collector = Collector(Accepted("chatcmpl-1", 0, 10))
    for event in [*events(), USAGE]:
        collector.take(event)
    answer = collector.answer()
    assert answer is not None
    body: Any = json.loads(json.dumps(completion(HEADING, answer), allow_nan=False))
    said, called = body["choices"]
    assert said["logprobs"] == TOLD
    assert said["message"] == {"role": "assistant", "content": "hi", "refusal": None}
    assert called["finish_reason"] == "tool_calls"
    message = called["message"]
    assert message["content"] is None
    assert message["reasoning_content"] == "hm"
    assert [call["function"] for call in message["tool_calls"]] == [
        {"name": "weather", "arguments": '{"at":"x"}'},
        {"name": "clock", "arguments": "{}"},
    ]
    ids = {call["id"] for call in message["tool_calls"]}
    assert len(ids) == 2
    assert all(ident.startswith("call_") for ident in ids)


def test_the_same_streamed() -> None:
    stream = ChatStream(HEADING, include_usage=False, choices=2)
    opening = stream.opening().split(b"\n\n")[:-1]
    assert [data(each + b"\n\n")["choices"][0]["index"] for each in opening] == [0, 1]
    found = [data(message)["choices"][0] for event in events() if (message := stream.event(event))]
    assert [each["index"] for each in found] == [1, 0, 1, 1, 0, 1, 1, 1, 1]
    assert found[0]["delta"] == {"reasoning_content": "hm"}
    assert found[1]["delta"] == {"content": "hi"}
    assert found[1]["logprobs"] == TOLD
    started = found[2]["delta"]["tool_calls"]
    assert started == [
        {
            "index": 0,
            "id": call_id("chatcmpl-1", 1, 0),
            "type": "function",
            "function": {"name": "weather", "arguments": ""},
        }
    ]
    assert found[3]["delta"]["tool_calls"] == [{"index": 0, "function": {"arguments": '{"at":'}}]
    assert found[6]["delta"]["tool_calls"][0]["index"] == 1
    assert found[6]["delta"]["tool_calls"][0]["id"] == call_id("chatcmpl-1", 1, 1)
    assert found[-1]["finish_reason"] == "tool_calls"


def test_plain_text_of_a_later_choice_says_whose_it_is() -> None:
    stream = ChatStream(HEADING, include_usage=True, choices=2)
    chunk = data(stream.event(Text("chatcmpl-1", 1, "b")))
    assert chunk["choices"][0]["index"] == 1
    assert chunk["choices"][0]["delta"] == {"content": "b"}
