"""Neutral events to OpenAI's chat completions, whole and streamed; pure.

A chunk is a prefix rendered once and the text as a JSON string: rendering a dict for each token
would cost more than everything else the daemon does for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from lmxd.dialects import openai_logprobs
from lmxd.dialects.answer import Answer, Choice
from schemas.inference import (
    Event,
    Finish,
    FinishReason,
    Text,
    Thinking,
    ToolArgs,
    ToolStart,
    Usage,
)

_encode = msgspec.json.Encoder().encode

WireReason = Literal["stop", "length", "tool_calls"]
REASONS: Mapping[FinishReason, WireReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
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

    def members(self, kind: str) -> dict[str, object]:
        """The first members of an object of that kind."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


def call_id(request_id: str, index: int, number: int) -> str:
    """The id of a call: the same whenever it is asked for, and of no other call."""
    mark = f"{request_id}/{index}/{number}".encode()
    return f"call_{hashlib.blake2s(mark, digest_size=12).hexdigest()}"


def completion(heading: Heading, answer: Answer) -> dict[str, object]:
    """The answer as one `chat.completion` object."""
    return {
        **heading.members("chat.completion"),
        "choices": [_choice(heading, choice) for choice in answer.choices],
        "usage": usage_of(answer.usage),
    }


def _choice(heading: Heading, choice: Choice) -> dict[str, object]:
    logprobs = choice.logprobs
    return {
        "index": choice.index,
        "message": _message(heading, choice),
        "logprobs": None if logprobs is None else openai_logprobs.chat(logprobs),
        "finish_reason": REASONS[choice.finish.reason],
    }


def _message(heading: Heading, choice: Choice) -> dict[str, object]:
    text = choice.text
    message: dict[str, object] = {
        "role": "assistant",
        "content": None if choice.calls and not text else text,
        "refusal": None,
    }
    if choice.thinking:
        message["reasoning_content"] = choice.thinking
    if choice.calls:
        message["tool_calls"] = [
            {
                "id": call_id(heading.id, choice.index, call.number),
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in choice.calls
        ]
    return message


def usage_of(usage: Usage) -> dict[str, object]:
    """Tokens counted, in OpenAI's words."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cached},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


class ChatStream:
    """The answer as `chat.completion.chunk` events: for each choice its role, texts and finish;
    usage if asked; [DONE].
    """

    def __init__(self, heading: Heading, *, include_usage: bool, choices: int = 1) -> None:
        self._id = heading.id
        self._include_usage = include_usage
        self._choices = choices
        head = heading.members("chat.completion.chunk")
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if include_usage else b"]}\n\n"
        self._prefixes = [
            self._head + b'{"index":%d,"delta":{"content":' % index for index in range(choices)
        ]
        self._suffix = b'},"logprobs":null,"finish_reason":null}' + self._tail

    def opening(self) -> bytes:
        """The chunks that say who speaks."""
        delta = {"role": "assistant", "content": "", "refusal": None}
        return b"".join(self._chunk(index, delta) for index in range(self._choices))

    def event(self, event: Event) -> bytes:
        """A text, thought or call as it comes, the finish, or the usage when it was asked for."""
        match event:
            case Text(logprobs=None):
                return self._prefixes[event.index] + _encode(event.text) + self._suffix
            case Text():
                told = openai_logprobs.chat(event.logprobs or ())
                return self._chunk(event.index, {"content": event.text}, logprobs=told)
            case Thinking():
                return self._chunk(event.index, {"reasoning_content": event.text})
            case ToolStart():
                return self._call(event, self._begun(event))
            case ToolArgs():
                return self._call(event, {"function": {"arguments": event.text}})
            case Finish():
                return self._chunk(event.index, {}, reason=REASONS[event.reason])
            case Usage() if self._include_usage:
                return self._head + b'],"usage":' + _encode(usage_of(event)) + b"}\n\n"
            case _:
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

    def _begun(self, event: ToolStart) -> Mapping[str, object]:
        return {
            "id": call_id(self._id, event.index, event.call),
            "type": "function",
            "function": {"name": event.name, "arguments": ""},
        }

    def _call(self, event: ToolStart | ToolArgs, more: Mapping[str, object]) -> bytes:
        return self._chunk(event.index, {"tool_calls": [{"index": event.call, **more}]})

    def _chunk(
        self,
        index: int,
        delta: Mapping[str, object],
        *,
        logprobs: Mapping[str, object] | None = None,
        reason: WireReason | None = None,
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        return self._head + _encode(choice) + self._tail
