"""Neutral events to OpenAI's chat completions, whole and streamed; pure.

A chunk is a prefix rendered once and the text as a JSON string: rendering a dict for each token
would cost more than everything else the daemon does for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from lmxd.dialects.answer import Answer
from schemas.inference import Event, Finish, FinishReason, Text, Usage

_encode = msgspec.json.Encoder().encode

WireReason = Literal["stop", "length"]
_REASONS: Mapping[FinishReason, WireReason] = {
    "stop": "stop",
    "length": "length",
    "cancelled": "stop",  # OpenAI has no word for an answer somebody ended on purpose
}


@dataclass(frozen=True, slots=True)
class Heading:
    """What every piece of an answer repeats. `model` is the name that was asked for, `created`
    in seconds since 1970.
    """

    id: str
    model: str
    created: int


def completion(heading: Heading, answer: Answer) -> dict[str, object]:
    """The answer as one `chat.completion` object."""
    choice = answer.choices[0]
    return {
        "id": heading.id,
        "object": "chat.completion",
        "created": heading.created,
        "model": heading.model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": choice.text, "refusal": None},
                "logprobs": None,
                "finish_reason": _REASONS[choice.finish.reason],
            }
        ],
        "usage": usage_of(answer.usage),
    }


def usage_of(usage: Usage) -> dict[str, object]:
    """Tokens counted, in OpenAI's words."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
    }


class ChatStream:
    """The answer as `chat.completion.chunk` events: role, texts, finish, usage if asked, [DONE]."""

    def __init__(self, heading: Heading, *, include_usage: bool) -> None:
        self._include_usage = include_usage
        head = {
            "id": heading.id,
            "object": "chat.completion.chunk",
            "created": heading.created,
            "model": heading.model,
        }
        self._head = b"data: " + _encode(head)[:-1]
        self._tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._prefix = self._head + b',"choices":[{"index":0,"delta":{"content":'
        self._suffix = b'},"logprobs":null,"finish_reason":null}]' + self._tail

    def opening(self) -> bytes:
        """The chunk that says who speaks."""
        return self._chunk({"role": "assistant", "content": "", "refusal": None}, None)

    def event(self, event: Event) -> bytes:
        """A text as it comes, the finish, or the usage when it was asked for."""
        if isinstance(event, Text):
            return self._prefix + _encode(event.text) + self._suffix
        if isinstance(event, Finish):
            return self._chunk({}, _REASONS[event.reason])
        if isinstance(event, Usage) and self._include_usage:
            return self._head + b',"choices":[],"usage":' + _encode(usage_of(event)) + b"}\n\n"
        return b""

    def closing(self) -> bytes:
        """The mark of a stream that ended well."""
        return b"data: [DONE]\n\n"

    def failure(self, body: Mapping[str, object]) -> bytes:
        """The error as the last event; the official clients raise it."""
        return b"data: " + _encode(body) + b"\n\n"

    def waiting(self) -> bytes:
        """A comment, which SSE clients skip."""
        return b": waiting\n\n"

    def _chunk(self, delta: Mapping[str, object], reason: WireReason | None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._head + b',"choices":[' + _encode(choice) + b"]" + self._tail
