"""Neutral events to Ollama's answers, whole and as lines of JSON; pure.

A line is a prefix rendered once and the text as a JSON string: rendering a dict for each token
would cost more than everything else the daemon does for it. Calls are told when they are complete.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from lmxd.dialects.answer import Answer, Call
from schemas.inference import (
    Accepted,
    Event,
    Finish,
    FinishReason,
    Text,
    Thinking,
    TokenLogprob,
    ToolArgs,
    ToolEnd,
    ToolStart,
    Usage,
)

__all__ = ["Heading", "LineStream", "embedded", "instant", "loaded", "old_embedding", "whole"]

_encode = msgspec.json.Encoder().encode
_NS = 1_000_000_000

Body = dict[str, object]


@dataclass(frozen=True, slots=True)
class Heading:
    """What every line repeats. `asked_s`: when it was asked for, in seconds since 1970. `chat`:
    whether texts are those of a message.
    """

    id: str
    model: str
    asked_s: float
    chat: bool


def instant(at_s: float) -> str:
    """An instant as Go writes it."""
    return datetime.fromtimestamp(at_s, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def whole(heading: Heading, answer: Answer, now_s: float) -> Body:
    """The answer as one object. A call that was cut off is left out: nobody can carry it out."""
    choice = answer.choices[0]
    calls = [_call(heading, call) for call in choice.calls if call.complete]
    body = _said(heading, choice.text, choice.thinking, calls)
    if choice.logprobs is not None:
        body["logprobs"] = _logprobs(choice.logprobs)
    return body | _done(_REASONS[choice.finish.reason]) | _statistics(heading, answer.usage, now_s)


def loaded(heading: Heading, reason: str) -> Body:
    """The answer to a request that has nothing to say anything about."""
    return _said(heading, "", "", []) | _done(reason)


def embedded(heading: Heading, answer: Answer | None, now_s: float) -> Body:
    """Vectors for all inputs; none, when there were none."""
    vectors = answer.vectors if answer is not None else ()
    body: Body = {"model": heading.model, "embeddings": [_floats(each) for each in vectors]}
    if answer is None:
        return body
    total = _ns(now_s - heading.asked_s)
    spent = _ns(answer.usage.timings.prefill_s)
    return body | {
        "total_duration": total,
        "load_duration": max(0, total - spent),
        "prompt_eval_count": answer.usage.prompt,
    }


def old_embedding(answer: Answer | None) -> Body:
    """The vector of the one input."""
    vectors = answer.vectors if answer is not None else ()
    return {"embedding": _floats(vectors[0]) if vectors else []}


_REASONS: Mapping[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "stop",
    "cancelled": "stop",
}


def _head(heading: Heading) -> Body:
    return {"model": heading.model, "created_at": instant(heading.asked_s)}


def _said(heading: Heading, text: str, thinking: str, calls: Sequence[Body]) -> Body:
    thought: Body = {"thinking": thinking} if thinking else {}
    if not heading.chat:
        return _head(heading) | {"response": text} | thought
    message = {"role": "assistant", "content": text} | thought
    return _head(heading) | {"message": message | ({"tool_calls": calls} if calls else {})}


def _done(reason: str) -> Body:
    return {"done": True, "done_reason": reason}


def _call(heading: Heading, call: Call) -> Body:
    arguments = msgspec.json.decode(call.arguments)
    function = {"index": call.number, "name": call.name, "arguments": arguments}
    return {"id": f"call_{heading.id}_{call.number}", "function": function}


def _statistics(heading: Heading, usage: Usage, now_s: float) -> Body:
    """Durations in nanoseconds; to load is all the time in which nothing was computed."""
    total = _ns(now_s - heading.asked_s)
    prefill, decode = _ns(usage.timings.prefill_s), _ns(usage.timings.decode_s)
    return {
        "total_duration": total,
        "load_duration": max(0, total - prefill - decode),
        "prompt_eval_count": usage.prompt,
        "prompt_eval_duration": prefill,
        "eval_count": usage.completion,
        "eval_duration": decode,
    }


def _ns(seconds: float) -> int:
    return max(0, round(seconds * _NS))


def _floats(vector: bytes) -> list[float]:
    return list(struct.unpack(f"<{len(vector) // 4}f", vector))


def _logprobs(found: Sequence[TokenLogprob]) -> list[Body]:
    """The tokens that came, each with the likeliest ones at its place."""
    return [
        {
            "token": each.text,
            "logprob": each.logprob,
            "bytes": list(each.raw),
            "top_logprobs": [
                {"token": other.text, "logprob": other.logprob, "bytes": list(other.raw)}
                for other in each.top
            ],
        }
        for each in found
    ]


class LineStream:
    """The answer as lines: texts, thoughts, calls; the last one with reason and statistics."""

    def __init__(self, heading: Heading, now: Callable[[], float]) -> None:
        self._heading = heading
        self._now = now
        head = _encode(_head(heading))[:-1]
        if heading.chat:
            self._prefix = head + b',"message":{"role":"assistant","content":'
            self._suffix = b'},"done":false}\n'
        else:
            self._prefix, self._suffix = head + b',"response":', b',"done":false}\n'
        self._name, self._arguments = "", ""
        self._finish: Finish | None = None

    def opening(self) -> bytes:
        """Nothing: the first line is the first text."""
        return b""

    def event(self, event: Event) -> bytes:
        """The event as a line; b"" for what is told later, or not at all."""
        match event:
            case Text(logprobs=None):
                return self._prefix + _encode(event.text) + self._suffix if event.text else b""
            case Text():
                said = _said(self._heading, event.text, "", [])
                return _line(said | {"logprobs": _logprobs(event.logprobs or ()), "done": False})
            case Thinking():
                return _line(_said(self._heading, "", event.text, []) | {"done": False})
            case ToolStart():
                self._name, self._arguments = event.name, ""
            case ToolArgs():
                self._arguments += event.text
            case ToolEnd():
                call = Call(event.call, self._name, self._arguments, complete=True)
                said = _said(self._heading, "", "", [_call(self._heading, call)])
                return _line(said | {"done": False})
            case Finish():
                self._finish = event
            case Usage() if self._finish is not None:
                statistics = _statistics(self._heading, event, self._now())
                last = _done(_REASONS[self._finish.reason]) | statistics
                return _line(_said(self._heading, "", "", []) | last)
            case Accepted() | _:
                pass
        return b""

    def closing(self) -> bytes:
        """Nothing: the statistics came last."""
        return b""

    def failure(self, body: Mapping[str, object]) -> bytes:
        """The error as the last line; the official clients raise it."""
        return _line(body)

    def waiting(self) -> bytes:
        """Nothing that clients skip can be written."""
        return b""


def _line(body: Mapping[str, object]) -> bytes:
    return _encode(body) + b"\n"
