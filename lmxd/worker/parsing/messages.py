"""Answers that are several messages, each with a header that says whom it is for: Harmony, Muse.

The prompt ends inside a header, so an answer begins in one. What headers say never shows; a
message is reasoning, text, or the call of a tool. Text that comes where a header should be is text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from lmxd.worker.parsing.answer import Answer
from lmxd.worker.parsing.jsoncall import read_arguments
from lmxd.worker.parsing.reader import Reader, Script
from lmxd.worker.parsing.scripted import Openers, attempt

__all__ = ["Address", "Messages"]

_BODY = "<|message|>"
_START = "<|start|>"


@dataclass(frozen=True, slots=True)
class Address:
    """What a header says. tool: the name that a `call` calls."""

    kind: Literal["thought", "text", "call"]
    tool: str = ""


Reads: TypeAlias = Callable[[str], Address]


@dataclass(frozen=True, slots=True)
class Messages:
    """How messages stand beside each other. starts: tokens that begin a header. words: texts that
    do, where one is due. ends: what ends a message. reads: what a header says. openers: markers
    inside of messages.
    """

    starts: tuple[str, ...]
    words: tuple[str, ...]
    ends: tuple[str, ...]
    reads: Reads
    openers: Openers

    def read(self, prompt: str, reader: Reader, answer: Answer) -> Script[None]:
        """Reads an answer to this prompt, to its end."""
        head = prompt[prompt.rfind(_START) + len(_START) :] if _START in prompt else ""
        found, address = "", None
        if head.endswith(_BODY):
            address = self.reads(head.removesuffix(_BODY))
        while True:
            if address is None:
                address = yield from self._header(head, found, reader, answer)
            if address.kind == "call":
                yield from self._call(address, reader, answer)
            found = yield from self._body(address, reader, answer)
            if not found:
                return
            head, address = "", None

    def _header(self, head: str, begun: str, reader: Reader, answer: Answer) -> Script[Address]:
        """What the next header says, of which `head` and `begun` were read; text, where none is."""
        if begun not in self.starts and not (yield from self._begins(reader)):
            rest = reader.text[reader.at :].lstrip()
            if begun and reader.ended and any(each.startswith(rest) for each in self.starts):
                reader.at = len(reader.text)  # cut off inside markup
            return Address("text")
        said = yield from reader.head(_BODY)
        if said is None:
            if reader.ended and self._marked(begun, reader):
                reader.at = len(reader.text)  # cut off inside markup
            return Address("text")
        answer.mark()
        return self.reads(head + begun + said)

    def _begins(self, reader: Reader) -> Script[bool]:
        """Whether a header begins here; nothing is read."""
        reader.hold()
        yield from reader.space()
        found = yield from reader.take(*self.starts, *self.words, _BODY)
        reader.back()
        return bool(found)

    def _marked(self, begun: str, reader: Reader) -> bool:
        rest = reader.text[reader.at :].lstrip()
        return begun in self.starts or rest.startswith(self.starts)

    def _call(self, address: Address, reader: Reader, answer: Answer) -> Script[None]:
        """The body of a call, as far as it is one; one without arguments may have none."""
        if (yield from read_arguments(address.tool, reader, answer)):
            yield from reader.space()
            return
        reader.hold()
        ended = yield from reader.take(*self.ends)
        reader.back()
        if ended:
            answer.start(address.tool)
            answer.args("{}")
            answer.end()

    def _body(self, address: Address, reader: Reader, answer: Answer) -> Script[str]:
        """The rest of a message; what ended it."""
        answer.thinking = address.kind == "thought"
        sink = answer.think if answer.thinking else answer.say
        if address.kind == "text":
            answer.paragraph()
            answer.say(f"{address.tool} " if address.tool else "")
        openers = self.openers if address.kind == "text" else {}
        while found := (yield from reader.pour(sink, (*self.ends, *self.starts, *openers))):
            if found not in openers:
                break
            if not (yield from attempt(found, openers, reader, answer)):
                sink(found)
        if answer.thinking and found:
            answer.end_thought()
        return found
