"""A parser that is a script: drives it with the text that comes, hands out what it makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from lmxd.worker.parsing.answer import Answer
from lmxd.worker.parsing.parser import Piece
from lmxd.worker.parsing.reader import Reader, Script

__all__ = ["Handler", "Openers", "ScriptedParser", "attempt", "read_section"]

Handler: TypeAlias = Callable[[Reader, Answer], Script[bool]]
"""Reads what follows a marker. False: it is nothing of the kind; then the marker was text, and so
is what follows, unless a call had begun.
"""
Openers: TypeAlias = Mapping[str, Handler]
"""By marker: who reads what follows it."""


class ScriptedParser:
    """A `Parser` that runs `script(reader, answer)`, which reads to the end of the text."""

    def __init__(self, script: Callable[[Reader, Answer], Script[None]]) -> None:
        self._reader = Reader()
        self._answer = Answer(self._reader.release)
        self._script = script(self._reader, self._answer)
        self._go()

    def feed(self, text: str) -> list[Piece]:
        """The pieces that are sure with this text."""
        if text:
            self._reader.put(text)
            self._go()
        return self._answer.take()

    def finish(self) -> list[Piece]:
        """What was held back."""
        self._reader.ended = True
        self._go()
        return self._answer.finish()

    @property
    def thinking(self) -> bool:
        """Whether the text to come would be reasoning, as far as is known."""
        return self._answer.thinking

    def _go(self) -> None:
        next(self._script, None)


def attempt(marker: str, openers: Openers, reader: Reader, answer: Answer) -> Script[bool]:
    """Has what follows the marker read; when that fails before a call began, nothing was read."""
    reader.hold()
    taken = yield from openers[marker](reader, answer)
    if taken:
        reader.release()
    else:
        reader.back()
    return taken


def read_section(
    begin: str, shut: str, call: Handler, reader: Reader, answer: Answer
) -> Script[bool]:
    """Reads calls one after the other, each begun by `begin`, up to `shut`, which may be missing.
    What then turns out to be no call is left unread.
    """
    yield from reader.space()
    if not (yield from reader.take(begin)) or not (yield from call(reader, answer)):
        return False
    while True:
        yield from reader.space()
        reader.hold()
        found = yield from reader.take(begin, *([shut] if shut else ()))
        if found == shut:
            reader.release()
            return True
        if not found or not (yield from call(reader, answer)):
            reader.back()
            return True
