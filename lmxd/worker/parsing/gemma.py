"""Gemma: `call:name{key:value}`, with strings between quotes of their own and keys without any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from lmxd.worker.parsing.answer import Answer
from lmxd.worker.parsing.jsoncall import Toolbox
from lmxd.worker.parsing.lark import Lark
from lmxd.worker.parsing.literal import Dialect, read_value
from lmxd.worker.parsing.reader import Reader, Script
from lmxd.worker.parsing.scripted import Openers, read_section
from lmxd.worker.parsing.written import Notation, arguments_rule
from schemas.inference import Tool

__all__ = ["FUNCTION_GEMMA", "GEMMA4", "Gemma"]


@dataclass(frozen=True, slots=True)
class Gemma:
    """One format. open, shut: around a call. quote: around a string."""

    name: str
    open: str
    shut: str
    quote: str

    @property
    def markers(self) -> tuple[str, ...]:
        """What may be a control token."""
        return (self.open, self.shut, self.quote)

    def openers(self, tools: Toolbox) -> Openers:
        """The marker of a call."""
        return {self.open: partial(read_section, "call:", self.shut, partial(self._call, tools))}

    def _call(self, tools: Toolbox, reader: Reader, answer: Answer) -> Script[bool]:
        """Reads a call whose `call:` was read."""
        name = yield from reader.name(tools)
        if not name or (yield from reader.peek()) != "{":
            return False
        answer.start(name)
        dialect = Dialect(quotes=(self.quote, '"'), bare=True)
        if (yield from read_value(reader, answer.args, dialect)):
            answer.end()
        return True

    def grammar(self, lark: Lark, tools: Sequence[Tool], *, many: bool) -> str | None:
        """A marker, a call, a marker."""
        notation = Notation(self.quote)
        rules = [self._rule(lark, tool, notation) for tool in tools]
        if None in rules:
            return None
        call = lark.any_of(rule for rule in rules if rule is not None)
        return f"{call}{'+' if many else ''}"

    def _rule(self, lark: Lark, tool: Tool, notation: Notation) -> str | None:
        arguments = arguments_rule(lark, tool.parameters, notation)
        if arguments is None:
            return None
        before = lark.text(f"{self.open}call:{tool.name}{{")
        return f"{before} {arguments} {lark.text('}' + self.shut)}"


GEMMA4 = Gemma("gemma4", "<|tool_call>", "<tool_call|>", '<|"|>')
FUNCTION_GEMMA = Gemma("function_gemma", "<start_function_call>", "<end_function_call>", "<escape>")
