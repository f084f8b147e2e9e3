"""Text that comes in pieces, read as if it were whole: what every parser of a format is written on.

A parser is a script: a generator that yields when it needs more text. So a format is written as
plain recursive descent, and how the text was cut can never matter. Scripts are driven by
`scripted.py`; nothing here knows what is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Generator
from typing import TypeAlias, TypeVar

__all__ = ["Reader", "Script", "Sink", "whole"]

T = TypeVar("T")
Script: TypeAlias = Generator[None, None, T]
Sink: TypeAlias = Callable[[str], object]

_SPACE = re.compile(r"\s*")


class Reader:
    """Text that has come and is not read yet begins at `at` of `text`.

    Positions do not survive a yield, except through `hold` and `back`: what was read is dropped.
    """

    __slots__ = ("_base", "at", "ended", "text")

    def __init__(self, text: str = "", *, ended: bool = False) -> None:
        self.text = text
        self.at = 0
        self.ended = ended
        self._base: int | None = None

    def put(self, text: str) -> None:
        """More text has come."""
        drop = self.at if self._base is None else self._base
        self.text = self.text[drop:] + text
        self.at -= drop
        if self._base is not None:
            self._base = 0

    def hold(self) -> None:
        """Keeps what is read from here on, so that `back` can return here."""
        self._base = self.at

    def back(self) -> None:
        """Returns to where `hold` was called; after `release` it stays where it is."""
        if self._base is not None:
            self.at = self._base
        self._base = None

    def release(self) -> None:
        """What was read since `hold` is final."""
        self._base = None

    def more(self) -> Script[bool]:
        """Waits for more text; False when none will come."""
        if self.ended:
            return False
        yield
        return not self.ended

    def need(self, count: int) -> Script[bool]:
        """Whether there are `count` characters more; all are there then."""
        while len(self.text) - self.at < count:
            if not (yield from self.more()):
                return False
        return True

    def peek(self) -> Script[str]:
        """The next character, not read; "" at the end."""
        if self.at >= len(self.text) and not (yield from self.need(1)):
            return ""
        return self.text[self.at]

    def space(self) -> Script[str]:
        """Reads white space; the character after it, not read."""
        while True:
            found = _SPACE.match(self.text, self.at)
            self.at = found.end() if found else self.at
            if self.at < len(self.text) or not (yield from self.more()):
                return self.text[self.at : self.at + 1]

    def take(self, *literals: str) -> Script[str]:
        """Reads the longest of the literals that comes next; "" when none does."""
        while True:
            rest = self.text[self.at : self.at + max(map(len, literals))]
            open_ones = [each for each in literals if len(each) > len(rest)]
            if not any(each.startswith(rest) for each in open_ones):
                break
            if not (yield from self.more()):
                rest = self.text[self.at :]
                break
        best = max((each for each in literals if rest.startswith(each)), key=len, default="")
        self.at += len(best)
        return best

    def until(self, literals: Collection[str]) -> Script[tuple[str, str]]:
        """The text before the first of the literals, and that literal, both read; at the end all
        of the text and "".
        """
        parts: list[str] = []
        found = yield from self.pour(parts.append, literals)
        return "".join(parts), found

    def head(self, end: str, limit: int = 256) -> Script[str | None]:
        """As `until`, for a text that is short; None, and nothing read, where it does not end."""
        while (place := self.text.find(end, self.at, self.at + limit)) < 0:
            if len(self.text) - self.at >= limit or not (yield from self.more()):
                return None
        text = self.text[self.at : place]
        self.at = place + len(end)
        return text

    def name(self, names: Collection[str]) -> Script[str]:
        """Reads the longest of the names, if one comes next and then no more of a word."""
        found = (yield from self.take(*names)) if names else ""
        following = yield from self.peek()
        if following in ("_", "-") or following.isalnum():
            self.at -= len(found)
            return ""
        return found

    def pour(self, sink: Sink, literals: Collection[str]) -> Script[str]:
        """As `until`, but gives the text to `sink` as soon as it is sure."""
        starts = "".join({re.escape(each[0]) for each in literals})
        candidate = re.compile(f"[{starts}]") if starts else None
        while True:
            place = self._candidate(candidate, literals)
            if place > self.at:
                sink(self.text[self.at : place])
                self.at = place
            if place < len(self.text) and (found := (yield from self.take(*literals))):
                return found
            if self.at < len(self.text):  # the candidate came to nothing
                sink(self.text[self.at])
                self.at += 1
            elif not (yield from self.more()):
                return ""

    def _candidate(self, first: re.Pattern[str] | None, literals: Collection[str]) -> int:
        """The first place from which a literal begins, as far as the text goes; else its end."""
        place = self.at
        while first is not None and (found := first.search(self.text, place)):
            place = found.start()
            rest = self.text[place : place + max(map(len, literals))]
            if any(rest.startswith(each) or each.startswith(rest) for each in literals):
                return place
            place += 1
        return len(self.text)


def whole(script: Script[T]) -> T:
    """The outcome of a script that reads a text that has ended."""
    try:
        next(script)
    except StopIteration as done:
        outcome: T = done.value
        return outcome
    raise AssertionError("a script waits for more of a text that has ended")
