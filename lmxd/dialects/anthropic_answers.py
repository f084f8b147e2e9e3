"""Neutral events to Anthropic's messages, whole and streamed; pure.

A stream is a row of blocks, each with its number: reasoning, texts and calls as they come. Texts
are written as a prefix rendered once a block and a JSON string: rendering a dict for each token
would cost more than everything else the daemon does for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from lmxd.dialects.answer import Answer, Call, Piece
from lmxd.dialects.anthropic import Shown
from schemas.inference import (
    Accepted,
    Event,
    Finish,
    ReasoningPart,
    Text,
    TextPart,
    Thinking,
    ToolArgs,
    ToolEnd,
    ToolStart,
    Usage,
)

__all__ = ["Heading", "MessageStream", "counted", "message"]

_encode = msgspec.json.Encoder().encode

SIGNATURE = "lmxd"
"""What stands where Anthropic signs its reasoning: clients send it back, and drop what has none."""

StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use"]


@dataclass(frozen=True, slots=True)
class Heading:
    """What an answer repeats of its request: the id, the `model` that was asked for, the stop
    sequences, and how much of the reasoning is shown.
    """

    id: str
    model: str
    stop: tuple[str, ...] = ()
    shown: Shown = "all"


def message(heading: Heading, answer: Answer) -> dict[str, object]:
    """The answer as one `message`. A call that was cut off is left out: nobody can carry it out."""
    choice = answer.choices[0]
    blocks = [block for piece in choice.pieces if (block := _block(heading, piece))]
    reason, matched = _stop(heading, choice.finish)
    return _message(heading, blocks, _usage(answer.usage)) | {
        "stop_reason": reason,
        "stop_sequence": matched,
    }


def counted(answer: Answer) -> dict[str, object]:
    """The answer to a count."""
    return {"input_tokens": answer.accepted.prompt_tokens}


def _block(heading: Heading, piece: Piece) -> dict[str, object] | None:
    match piece:
        case TextPart():
            return {"type": "text", "text": piece.text}
        case ReasoningPart() if heading.shown != "nothing":
            text = piece.text if heading.shown == "all" else ""
            return {"type": "thinking", "thinking": text, "signature": SIGNATURE}
        case Call() if piece.complete:
            arguments = msgspec.json.decode(piece.arguments)
            return _tool_block(heading, piece.number, piece.name) | {"input": arguments}
    return None


def _tool_block(heading: Heading, number: int, name: str) -> dict[str, object]:
    call = f"toolu_{heading.id.removeprefix('msg_')}{number:02}"
    return {"type": "tool_use", "id": call, "name": name, "input": {}}


def _message(
    heading: Heading, content: list[dict[str, object]], usage: object
) -> dict[str, object]:
    return {
        "id": heading.id,
        "type": "message",
        "role": "assistant",
        "model": heading.model,
        "content": content,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }


def _stop(heading: Heading, finish: Finish) -> tuple[StopReason, str | None]:
    """A stop string of the model's own settings is the end of a turn, as it is no client's."""
    if finish.reason == "length":
        return "max_tokens", None
    if finish.reason == "tool_calls":
        return "tool_use", None
    if finish.matched is not None and finish.matched in heading.stop:
        return "stop_sequence", finish.matched
    return "end_turn", None


def _usage(usage: Usage) -> dict[str, object]:
    return _input(usage.prompt, usage.cached) | {
        "output_tokens": usage.completion,
        "service_tier": "standard",
    }


def _input(prompt: int, cached: int) -> dict[str, object]:
    """Tokens of the prompt: there, those that were read from a cache are counted apart."""
    return {
        "input_tokens": prompt - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
    }


class MessageStream:
    """The answer as events: `message_start`, blocks one after the other, `message_delta` with
    reason and usage, `message_stop`.
    """

    def __init__(self, heading: Heading) -> None:
        self._heading = heading
        self._blocks = 0
        self._open: type[Event] | None = None
        self._text = b""
        self._finish: Finish | None = None

    def opening(self) -> bytes:
        """Nothing: the beginning says how long the prompt is, which `Accepted` knows."""
        return b""

    def event(self, event: Event) -> bytes:
        """What the event is: the start, the end of a block, the next one, a piece of it."""
        match event:
            case Text():
                return self._said(event.text)
            case Thinking():
                return self._thought(event.text)
            case ToolStart():
                block = _tool_block(self._heading, event.call, event.name)
                return self._begin(ToolStart, block)
            case ToolArgs():
                return self._delta({"type": "input_json_delta", "partial_json": event.text})
            case ToolEnd():
                return self._end()
            case Accepted():
                usage = _input(event.prompt_tokens, event.cached_tokens) | {"output_tokens": 0}
                start = _message(self._heading, [], usage)
                return _sse("message_start", {"message": start})
            case Finish():
                self._finish = event
                return self._end()
            case Usage() if self._finish is not None:
                reason, matched = _stop(self._heading, self._finish)
                delta = {"stop_reason": reason, "stop_sequence": matched}
                return _sse("message_delta", {"delta": delta, "usage": _usage(event)})
            case _:
                return b""

    def closing(self) -> bytes:
        """The mark of a stream that ended well."""
        return _sse("message_stop", {})

    def failure(self, body: Mapping[str, object]) -> bytes:
        """The error as the last event; the official clients raise it."""
        return b"event: error\ndata: " + _encode(body) + b"\n\n"

    def waiting(self) -> bytes:
        """An event that clients skip, also before all others."""
        return _sse("ping", {})

    def _said(self, text: str) -> bytes:
        if not text:
            return b""
        start = b""
        if self._open is not Text:
            start = self._begin(Text, {"type": "text", "text": ""})
            self._text = (
                b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
                b'"delta":{"type":"text_delta","text":' % self._number
            )
        return start + self._text + _encode(text) + b"}}\n\n"

    def _thought(self, text: str) -> bytes:
        if self._heading.shown == "nothing":
            return b""
        start = b""
        if self._open is not Thinking:
            start = self._begin(Thinking, {"type": "thinking", "thinking": "", "signature": ""})
        if self._heading.shown == "signature":
            return start
        return start + self._delta({"type": "thinking_delta", "thinking": text})

    @property
    def _number(self) -> int:
        """That of the block which is open."""
        return self._blocks - 1

    def _begin(self, kind: type[Event], block: Mapping[str, object]) -> bytes:
        before = self._end()
        self._open, self._blocks = kind, self._blocks + 1
        start = {"index": self._number, "content_block": block}
        return before + _sse("content_block_start", start)

    def _delta(self, delta: Mapping[str, object]) -> bytes:
        return _sse("content_block_delta", {"index": self._number, "delta": delta})

    def _end(self) -> bytes:
        if self._open is None:
            return b""
        signed = b""
        if self._open is Thinking:
            signed = self._delta({"type": "signature_delta", "signature": SIGNATURE})
        self._open = None
        return signed + _sse("content_block_stop", {"index": self._number})


def _sse(kind: str, data: Mapping[str, object]) -> bytes:
    body = _encode({"type": kind, **data})
    return b"event: " + kind.encode() + b"\ndata: " + body + b"\n\n"
