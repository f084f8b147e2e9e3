"""JSON calls in a list after a marker, or bare: Llama 3, Phi, Granite.

Llama writes `<|python_tag|>{…}` or just the object, with `parameters`; Phi-4 `<|tool_call|>[…]`,
Phi-4-mini's template also `functools[…]`. Bare ones count only at the beginning of an answer.
"""

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

__all__ = ["LLAMA3", "PHI4", "Listed"]


@dataclass(frozen=True, slots=True)
class Listed:
    """One format. marker, shut: what stands around; shut may be left out. bare: what begins calls
    without the marker. arguments: what the object calls them. writes, between: what a grammar puts
    around calls, and between them.
    """

    name: str
    marker: str
    shut: str
    bare: tuple[str, ...]
    arguments: str
    writes: tuple[str, str]
    between: str = ", "

    @property
    def markers(self) -> tuple[str, ...]:
        """What may be a control token."""
        return (self.marker, self.shut) if self.shut else (self.marker,)

    def openers(self, tools: Toolbox) -> Openers:
        """The marker, and what begins a bare call."""
        bare = {each: partial(self._bare, tools, each) for each in self.bare}
        return {self.marker: partial(self._read, tools), **bare}

    def _read(self, tools: Toolbox, reader: Reader, answer: Answer) -> Script[bool]:
        begun = yield from read_calls(tools, reader, answer)
        if begun and self.shut:
            yield from reader.space()
            yield from reader.take(self.shut)
        return begun

    def _bare(self, tools: Toolbox, begin: str, reader: Reader, answer: Answer) -> Script[bool]:
        if not answer.bare or answer.thinking:
            return False
        reader.at -= 1 if begin[-1] in "{[" else 0
        return (yield from read_calls(tools, reader, answer))

    def grammar(self, lark: Lark, tools: Sequence[Tool], *, many: bool) -> str | None:
        """The marker, the objects, and what ends them."""
        call = lark.any_of(self._rule(lark, tool) for tool in tools)
        before, after = (lark.text(each) for each in self.writes)
        more = f"{lark.rule(f'{lark.text(self.between)} {call}')}*" if many else ""
        return " ".join(filter(None, (before, call, more, after)))

    def _rule(self, lark: Lark, tool: Tool) -> str:
        name = json.dumps(tool.name, ensure_ascii=False)
        before = lark.text(f'{{"name": {name}, "{self.arguments}": ')
        return f"{before} {lark.json(arguments_schema(tool.parameters))} {lark.text('}')}"


LLAMA3 = Listed("llama3", "<|python_tag|>", "", ("{",), "parameters", writes=("", ""), between="; ")
PHI4 = Listed(
    "phi4",
    "<|tool_call|>",
    "<|/tool_call|>",
    ("functools[",),
    "arguments",
    writes=("<|tool_call|>[", "]<|/tool_call|>"),
)
