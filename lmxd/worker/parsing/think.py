"""Reasoning between two tags, beside any way to call tools.

The opening tag counts only where nothing was said yet, or since the last call: in the middle of an
answer it is a word somebody writes about. Many templates put it at the end of the prompt. A call
inside the reasoning ends that: models forget the closing tag.
"""

from __future__ import annotations

from dataclasses import dataclass

from lmxd.worker.parsing.answer import Answer
from lmxd.worker.parsing.reader import Reader, Script
from lmxd.worker.parsing.scripted import Openers, attempt

__all__ = ["Tags"]


@dataclass(frozen=True, slots=True)
class Tags:
    """What reasoning stands between. anywhere: the opening tag counts wherever it comes."""

    open: str
    shut: str
    anywhere: bool = False
    tokens: tuple[str, ...] = ()

    @property
    def markers(self) -> tuple[str, ...]:
        """What may be a control token."""
        return self.tokens or (self.open, self.shut)

    @property
    def ending(self) -> str:
        """The text that ends the reasoning."""
        return f"\n{self.shut}\n\n"

    def opened(self, prompt: str) -> bool:
        """Whether the prompt ends in the reasoning's beginning."""
        return prompt.rstrip().endswith(self.open)

    def read(self, openers: Openers, reader: Reader, answer: Answer) -> Script[bool]:
        """Reads what follows the opening tag, with the closing one."""
        if not (answer.bare or self.anywhere):
            return False
        reader.release()
        answer.thinking = True
        yield from reader.space()
        yield from reader.take(self.open)  # some models repeat what the prompt has opened
        while True:
            marker = yield from reader.pour(answer.think, (self.shut, *openers))
            if not marker:
                return True
            if marker == self.shut or (yield from attempt(marker, openers, reader, answer)):
                answer.end_thought()
                return True
            answer.think(marker)
