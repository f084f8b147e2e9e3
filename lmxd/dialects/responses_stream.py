"""Neutral events to the event sequence of OpenAI's Responses API; pure.

Each item is announced, grows by deltas and is told whole at its end; events are numbered. The
item that is said or thought is open until something else begins, a call until its arguments are
complete.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from lmxd.dialects import openai_logprobs
from lmxd.dialects import responses_answers as shapes
from lmxd.dialects.answer import Call
from lmxd.dialects.responses_items import Kept, item_id
from schemas.inference import (
    Event,
    Finish,
    Text,
    Thinking,
    TokenLogprob,
    ToolArgs,
    ToolEnd,
    ToolStart,
    Usage,
)

_encode = msgspec.json.Encoder().encode
_CALL = "function_call_arguments"
_TYPES = {
    "output_text": "message",
    "reasoning_text": "reasoning",
    _CALL: "function_call",
}


@dataclass(slots=True)
class _Open:
    """An item that still grows. kind: output_text, reasoning_text or function_call_arguments."""

    kind: str
    id: str
    number: int
    texts: list[str] = field(default_factory=list)
    logprobs: list[TokenLogprob] = field(default_factory=list)
    name: str = ""
    call: int = 0

    def item(self, response: str, status: str, *, complete: bool = True) -> Kept:
        text = "".join(self.texts)
        if self.kind == "output_text":
            return shapes.message(response, self.number, text, self.logprobs, status)
        if self.kind == "reasoning_text":
            return shapes.reasoning(response, self.number, text, status)
        made = Call(self.call, self.name, text, complete)
        return shapes.call(response, self.number, made, status)

    def part(self) -> Kept:
        text = "".join(self.texts)
        if self.kind == "output_text":
            return shapes.text_part(text, self.logprobs)
        return shapes.reasoning_part(text)


class ResponseStream:
    """One answer. `final` is the response as it is kept, once the usage has come."""

    def __init__(self, heading: shapes.Heading) -> None:
        self._heading = heading
        self._id = heading.id
        self._sequence = 0
        self._count = 0
        self._output: dict[int, Kept] = {}
        self._saying: _Open | None = None
        self._calls: dict[int, _Open] = {}
        self._status = "completed"

    def opening(self) -> bytes:
        """That there is a response, and that it is being made."""
        shell = shapes.body(self._heading, "in_progress")
        return self._event("response.created", response=shell) + self._event(
            "response.in_progress", response=shell
        )

    def event(self, event: Event) -> bytes:
        """What an event means, in one or more of this API's."""
        return b"".join(self._events(event))

    def final(self, usage: Usage) -> dict[str, object]:
        """The response with all its items, which have all ended."""
        output = [item for _, item in sorted(self._output.items())]
        return shapes.body(self._heading, self._status, output, usage)

    def closing(self) -> bytes:
        """Nothing: the last event said that it is over."""
        return b""

    def failure(self, body: Mapping[str, object]) -> bytes:
        """The response as failed, then the error, which the official clients raise."""
        error = body["error"]
        assert isinstance(error, dict)  # noqa: S101 - the shape of all errors here
        told = {"code": error["code"], "message": error["message"]}
        output = [item for _, item in sorted(self._output.items())]
        failed = shapes.body(self._heading, "failed", output, error=told)
        return self._event("response.failed", response=failed) + self._event(
            "error", **told, param=error["param"], error=error
        )

    def waiting(self) -> bytes:
        """A comment, which SSE clients skip."""
        return b": waiting\n\n"

    def _events(self, event: Event) -> Iterator[bytes]:
        match event:
            case Text():
                yield from self._say("output_text", event.text, event.logprobs or ())
            case Thinking():
                yield from self._say("reasoning_text", event.text, ())
            case ToolStart():
                yield from self._end_saying("completed")
                made = self._open(_CALL)
                made.name, made.call = event.name, event.call
                self._calls[event.call] = made
                yield self._added(made)
            case ToolArgs():
                made = self._calls[event.call]
                made.texts.append(event.text)
                yield self._of(made, f"{_CALL}.delta", {"delta": event.text})
            case ToolEnd():
                yield from self._end_call(self._calls.pop(event.call), complete=True)
            case Finish():
                yield from self._finish(event)
            case Usage():
                done = "completed" if self._status == "completed" else "incomplete"
                yield self._event(f"response.{done}", response=self.final(event))

    def _say(self, kind: str, text: str, logprobs: tuple[TokenLogprob, ...]) -> Iterator[bytes]:
        if self._saying is None or self._saying.kind != kind:
            yield from self._end_saying("completed")
            self._saying = self._open(kind)
            yield self._added(self._saying)
            part = self._saying.part()
            yield self._of(self._saying, "content_part.added", {"part": part})
        saying = self._saying
        saying.texts.append(text)
        saying.logprobs += logprobs
        yield self._of(saying, f"{kind}.delta", {"delta": text, **_told(kind, logprobs)})

    def _end_saying(self, status: str) -> Iterator[bytes]:
        saying, self._saying = self._saying, None
        if saying is None:
            return
        told = _told(saying.kind, saying.logprobs)
        yield self._of(saying, f"{saying.kind}.done", {"text": "".join(saying.texts), **told})
        yield self._of(saying, "content_part.done", {"part": saying.part()})
        yield self._done(saying, saying.item(self._id, status))

    def _end_call(self, made: _Open, *, complete: bool) -> Iterator[bytes]:
        told = {"name": made.name, "arguments": "".join(made.texts)}
        yield self._of(made, f"{_CALL}.done", told)
        yield self._done(made, made.item(self._id, "completed", complete=complete))

    def _finish(self, finish: Finish) -> Iterator[bytes]:
        if not self._count:
            yield from self._say("output_text", "", ())
        self._status = shapes.status_of(finish)
        yield from self._end_saying("incomplete" if finish.reason == "length" else "completed")
        for made in self._calls.values():
            yield from self._end_call(made, complete=False)

    def _open(self, kind: str) -> _Open:
        number, self._count = self._count, self._count + 1
        return _Open(kind, item_id(_TYPES[kind], self._id, number), number)

    def _added(self, opened: _Open) -> bytes:
        item = opened.item(self._id, "in_progress")
        if opened.kind != _CALL:
            item["content"] = []
        return self._event("response.output_item.added", output_index=opened.number, item=item)

    def _done(self, ended: _Open, item: Kept) -> bytes:
        self._output[ended.number] = item
        return self._event("response.output_item.done", output_index=ended.number, item=item)

    def _of(self, opened: _Open, name: str, more: Mapping[str, object]) -> bytes:
        """An event about an item."""
        place: dict[str, object] = {"item_id": opened.id, "output_index": opened.number}
        if opened.kind != _CALL:
            place["content_index"] = 0
        return self._event(f"response.{name}", **place, **more)

    def _event(self, name: str, /, **members: object) -> bytes:
        data = {"type": name, "sequence_number": self._sequence, **members}
        self._sequence += 1
        return b"event: %b\ndata: %b\n\n" % (name.encode(), _encode(data))


def _told(kind: str, logprobs: list[TokenLogprob] | tuple[TokenLogprob, ...]) -> dict[str, object]:
    """Logprobs, which only what is said has."""
    if kind != "output_text":
        return {}
    return {"logprobs": openai_logprobs.chat(logprobs)["content"]}
