"""A format put together: how a family of models calls tools, and how it sets reasoning apart.

The two vary apart from each other, so a `Family` is one of each. Its parser reads text up to the
next marker of either and hands over to who knows what follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Protocol

from lmxd.worker.parsing.answer import Answer
from lmxd.worker.parsing.jsoncall import Toolbox
from lmxd.worker.parsing.lark import Lark
from lmxd.worker.parsing.reader import Reader, Script
from lmxd.worker.parsing.scripted import Handler, Openers, ScriptedParser, attempt
from lmxd.worker.parsing.think import Tags
from schemas.inference import Tool, ToolUse

__all__ = ["Calls", "Family"]


class Calls(Protocol):
    """How calls are written. Pure and stateless."""

    @property
    def name(self) -> str:
        """Such as `json_tools`."""

    @property
    def markers(self) -> tuple[str, ...]:
        """What may be a control token."""

    def openers(self, tools: Toolbox) -> Openers:
        """Who reads what follows each marker; calls of other names are no calls."""

    def grammar(self, lark: Lark, tools: Sequence[Tool], *, many: bool) -> str | None:
        """The rule of one call of one of the tools, or several; None: it cannot be said."""


class Family:
    """A `Format`. tokens: the vocabulary, of which markers are looked up for grammars."""

    def __init__(self, calls: Calls | None, tags: Tags | None, tokens: Mapping[str, int]) -> None:
        self._calls = calls
        self.tags = tags
        self._tokens = tokens
        self.name = calls.name if calls else "plain"
        markers = (*(calls.markers if calls else ()), *(tags.markers if tags else ()))
        self.markers: tuple[str, ...] = tuple(dict.fromkeys(markers))
        self.thinks = tags is not None

    def parser(self, tools: Sequence[Tool], prompt: str) -> ScriptedParser:
        """One for an answer to this rendered prompt, whose end may have opened the reasoning."""
        toolbox = {tool.name: tool for tool in tools}
        openers = self._calls.openers(toolbox) if self._calls else {}
        opened = self.tags is not None and self.tags.opened(prompt)
        return ScriptedParser(partial(_read, openers, self.tags, opened))

    def close(self) -> str:
        """The text that ends the reasoning; "" where there is none."""
        return self.tags.ending if self.tags else ""

    def grammar(self, tools: Sequence[Tool], use: ToolUse) -> str | None:
        """A lark grammar of an answer that calls the tools that `use` allows."""
        allowed = [tool for tool in tools if not use.only or tool.name in use.only]
        if self._calls is None or not allowed:
            return None
        lark = Lark(self._tokens, self.markers)
        start = self._calls.grammar(lark, allowed, many=use.parallel)
        return None if start is None else lark.whole(start)


def _read(
    openers: Openers, tags: Tags | None, opened: bool, reader: Reader, answer: Answer
) -> Script[None]:
    marked: dict[str, Handler] = dict(openers)
    if tags is not None:
        marked[tags.open] = partial(tags.read, openers)
        if opened:
            yield from tags.read(openers, reader, answer)
    while marker := (yield from reader.pour(answer.say, marked)):
        if not (yield from attempt(marker, marked, reader, answer)):
            answer.say(marker)
