"""Mistral: `[TOOL_CALLS]`, then a list of objects, or from Tekken v7 on names and objects.

`[TOOL_CALLS]name[ARGS]{…}`, the marker once or once a call; some write `[CALL_ID]` between.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from lmxd.worker.parsing.answer import Answer
from lmxd.worker.parsing.jsoncall import Toolbox, read_arguments, read_calls
from lmxd.worker.parsing.lark import Lark, arguments_schema
from lmxd.worker.parsing.reader import Reader, Script
from lmxd.worker.parsing.scripted import Openers
from schemas.inference import Tool

__all__ = ["Mistral"]

_CALLS, _ARGS, _ID = "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]"


@dataclass(frozen=True, slots=True)
class Mistral:
    """named: what the model was trained to write is names, not a list."""

    named: bool
    name: str = "mistral"
    markers: tuple[str, ...] = (_CALLS, _ARGS, _ID)

    def openers(self, tools: Toolbox) -> Openers:
        """The one marker."""
        return {_CALLS: partial(self._read, tools)}

    def _read(self, tools: Toolbox, reader: Reader, answer: Answer) -> Script[bool]:
        if (yield from reader.space()) in ("[", "{"):
            return (yield from read_calls(tools, reader, answer))
        if not (yield from self._call(tools, reader, answer)):
            return False
        while True:
            yield from reader.space()
            reader.hold()
            yield from reader.take(_CALLS)
            if not (yield from self._call(tools, reader, answer)):
                reader.back()
                return True

    def _call(self, tools: Toolbox, reader: Reader, answer: Answer) -> Script[bool]:
        yield from reader.space()
        name = yield from reader.name(tools)
        if not name:
            return False
        yield from reader.space()
        if (yield from reader.take(_ARGS, _ID)) == _ID:
            yield from reader.head(_ARGS)
        return (yield from read_arguments(name, reader, answer))

    def grammar(self, lark: Lark, tools: Sequence[Tool], *, many: bool) -> str | None:
        """Names and objects, or a list."""
        call = lark.any_of(self._rule(lark, tool) for tool in tools)
        if self.named:
            return f"{call}{'+' if many else ''}"
        separator = lark.text(", ")
        more = f" {lark.rule(f'{separator} {call}')}*" if many else ""
        return f"{lark.text(_CALLS + '[')} {call}{more} {lark.text(']')}"

    def _rule(self, lark: Lark, tool: Tool) -> str:
        arguments = lark.json(arguments_schema(tool.parameters))
        if self.named:
            return f"{lark.text(_CALLS + tool.name + _ARGS)} {arguments}"
        name = json.dumps(tool.name, ensure_ascii=False)
        before = lark.text(f'{{"name": {name}, "arguments": ')
        return f"{before} {arguments} {lark.text('}')}"
