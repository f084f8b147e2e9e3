"""Neutral events to OpenAI answers, whole and streamed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lmxd.dialects.answer import Answer, Choice
from lmxd.dialects.openai_answers import ChatStream, Heading, completion
from schemas.inference import Accepted, Finish, FinishReason, Text, TextPart, Timings, Usage

HEADING = Heading("chatcmpl-1", 'odd "name" ü', 1_700_000_000)
USAGE = Usage("chatcmpl-1", 0, 10, 4, 8, Timings(0, 0, 0))


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
