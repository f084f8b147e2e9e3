"""Plain JSON values -> lines of YAML in a given style, for what is written anew.

Pure. Called by `splice` with the habits of the text around, and by `dump`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lmxd.desired.quoting import literal, quoted, scalar

__all__ = ["Style"]

_WIDTH = 100
_SIMPLE_KEY = re.compile(r"[\w./@-]+")


@dataclass(frozen=True, slots=True)
class Style:
    """How a text is written: spaces a level of maps, spaces before the dashes of a list below
    its key, and whether all strings and keys have double quotes, as in JSON.
    """

    step: int = 2
    dash: int = 2
    json: bool = False

    def key(self, text: str, *, flow: bool) -> str:
        """A key, without its colon."""
        simple = not self.json and _SIMPLE_KEY.fullmatch(text)
        return scalar(text, flow=flow) if simple else quoted(text)

    def flow(self, value: object, like: str | None = None) -> str:
        """Any value on one line, as it can stand inside brackets."""
        if isinstance(value, Mapping):
            pairs = (
                f"{self.key(key, flow=True)}: {self.flow(each)}" for key, each in value.items()
            )
            return "{" + ", ".join(pairs) + "}"
        if isinstance(value, list):
            return "[" + ", ".join(map(self.flow, value)) + "]"
        return scalar(value, flow=True, like='"' if self.json else like)

    def inline(self, value: object, room: int, like: str | None = None) -> str | None:
        """A value behind its key, or None when lines of its own show it better."""
        if isinstance(value, Mapping):
            return None if value else "{}"
        if isinstance(value, list):
            short = self.flow(value)
            deep = any(isinstance(item, Mapping | list) for item in value)
            return short if not value or (not deep and len(short) <= room) else None
        if isinstance(value, str) and "\n" in value and not like and not self.json:
            return None if literal(value) else quoted(value)
        return scalar(value, flow=False, like='"' if self.json else like)

    def pairs(self, data: Mapping[str, object], column: int) -> Iterator[str]:
        """The lines of a map in block style."""
        for key, value in data.items():
            yield from self.pair(key, value, column)

    def pair(self, key: str, value: object, column: int) -> Iterator[str]:
        """The lines of one key with its value."""
        head = " " * column + self.key(key, flow=False) + ":"
        short = self.inline(value, _WIDTH - len(head))
        if short is not None:
            yield f"{head} {short}"
        elif isinstance(value, str):
            yield from self._literal(head, value, column)
        else:
            yield head
            yield from self.below(value, column)

    def below(self, value: object, column: int) -> Iterator[str]:
        """The lines of a map or list under a key that stands at this column."""
        if isinstance(value, Mapping):
            yield from self.pairs(value, column + self.step)
        elif isinstance(value, list):
            for item in value:
                yield from self.item(item, column + self.dash)

    def item(self, value: object, column: int) -> Iterator[str]:
        """The lines of one item of a list whose dashes stand at this column."""
        head = " " * column + "-"
        short = self.inline(value, _WIDTH - len(head))
        if short is not None:
            yield f"{head} {short}"
        elif isinstance(value, str):
            yield from self._literal(head, value, column)
        elif isinstance(value, Mapping):
            first, *rest = self.pairs(value, column + 2)
            yield f"{head} {first.lstrip(' ')}"
            yield from rest
        else:
            lines = [line for each in value for line in self.item(each, column + 2)]  # type: ignore[attr-defined]
            yield f"{head} {lines[0].lstrip(' ')}"
            yield from lines[1:]

    def _literal(self, head: str, text: str, column: int) -> Iterator[str]:
        block = literal(text)
        header, lines = block if block else ("", [])
        yield f"{head} {header}"
        yield from (" " * (column + self.step) + line if line else "" for line in lines)
