"""Hermes, and Qwen after it: JSON objects between `<tool_call>` tags."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from lmxd.worker.parsing.answer import Answer
from lmxd.worker.parsing.jsoncall import Toolbox, read_calls
from lmxd.worker.parsing.lark import Lark, arguments_schema
from lmxd.worker.parsing.reader import Reader, Script
from lmxd.worker.parsing.scripted import Openers
from schemas.inference import Tool

__all__ = ["Hermes"]


@dataclass(frozen=True, slots=True)
class Hermes:
    """`<tool_call>\\n{"name": …, "arguments": {…}}\\n</tool_call>`, once a call."""

    name: str = "json_tools"
    open: str = "<tool_call>"
    shut: str = "</tool_call>"

    @property
    def markers(self) -> tuple[str, ...]:
        """What may be a control token."""
        return (self.open, self.shut)

    def openers(self, tools: Toolbox) -> Openers:
        """The opening tag."""
        return {self.open: partial(self._read, tools)}

    def _read(self, tools: Toolbox, reader: Reader, answer: Answer) -> Script[bool]:
        begun = yield from read_calls(tools, reader, answer)
        if begun:
            yield from reader.space()
            yield from reader.take(self.shut)
        return begun

    def grammar(self, lark: Lark, tools: Sequence[Tool], *, many: bool) -> str | None:
        """A tag, the object, a tag."""
        call = lark.any_of(self._call(lark, tool) for tool in tools)
        more = lark.rule(f"{lark.text(chr(10))} {call}")
        return f"{call} {more}*" if many else call

    def _call(self, lark: Lark, tool: Tool) -> str:
        before = lark.text(f'{self.open}\n{named(tool.name)}, "arguments": ')
        after = lark.text(f"}}\n{self.shut}")
        return f"{before} {lark.json(arguments_schema(tool.parameters))} {after}"


def named(name: str) -> str:
    """How an object that calls this tool begins."""
    return f'{{"name": {json.dumps(name, ensure_ascii=False)}'
