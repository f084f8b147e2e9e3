"""Calls in a section, each a name and a JSON object between control tokens: Kimi K2, DeepSeek.

Kimi writes `functions.name:0` for a name. DeepSeek V3 and R1 write `function`, then the name on a
line and the object in a fence; from V3.1 on there is the name and the object alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from lmxd.worker.parsing.answer import Answer
from lmxd.worker.parsing.jsoncall import Toolbox, read_arguments
from lmxd.worker.parsing.lark import Lark, arguments_schema
from lmxd.worker.parsing.reader import Reader, Script
from lmxd.worker.parsing.scripted import Openers, read_section
from schemas.inference import Tool

__all__ = ["DEEPSEEK_V3", "DEEPSEEK_V31", "KIMI_K2", "Sectioned"]

_NAME = re.compile(r"(?:functions\.)?(.+?)(?::\d+)?", re.DOTALL)
_FENCE = "```json"


@dataclass(frozen=True, slots=True)
class Sectioned:
    """One format. section, call: the tokens around. separator: between name and object. writes:
    what a grammar puts before the object, and after it.
    """

    name: str
    section: tuple[str, str]
    call: tuple[str, str]
    separator: str
    writes: tuple[str, str]

    @property
    def markers(self) -> tuple[str, ...]:
        """What may be a control token."""
        return (*self.section, *self.call, self.separator)

    def openers(self, tools: Toolbox) -> Openers:
        """The section, or a call without one."""
        call = partial(self._call, tools)
        section = partial(read_section, self.call[0], self.section[1], call)
        return {self.section[0]: section, self.call[0]: call}

    def _call(self, tools: Toolbox, reader: Reader, answer: Answer) -> Script[bool]:
        head = yield from reader.head(self.separator)
        fenced = head is not None and head.strip() == "function"
        if fenced and "function" not in tools:
            head = yield from reader.head("\n")
        found = _NAME.fullmatch(head.strip()) if head else None
        if found is None or found.group(1) not in tools:
            return False
        yield from reader.space()
        yield from reader.take(_FENCE)
        if not (yield from read_arguments(found.group(1), reader, answer)):
            return False
        for end in ("```", self.call[1]):
            yield from reader.space()
            yield from reader.take(end)
        return True

    def grammar(self, lark: Lark, tools: Sequence[Tool], *, many: bool) -> str | None:
        """The section around one call or more."""
        call = lark.any_of(self._rule(lark, tool) for tool in tools)
        opening, closing = (lark.text(each) for each in self.section)
        return f"{opening} {call}{'+' if many else ''} {closing}"

    def _rule(self, lark: Lark, tool: Tool) -> str:
        before, after = self.writes
        named = before.replace("NAME", tool.name).split("NUMBER")
        before = f" {lark.rule('/[0-9]{1,2}/', terminal=True)} ".join(map(lark.text, named))
        return f"{before} {lark.json(arguments_schema(tool.parameters))} {lark.text(after)}"


_K2_CALL = ("<|tool_call_begin|>", "<|tool_call_end|>")
_K2_ARGUMENTS = "<|tool_call_argument_begin|>"
KIMI_K2 = Sectioned(
    "kimi_k2",
    section=("<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"),
    call=_K2_CALL,
    separator=_K2_ARGUMENTS,
    writes=(f"{_K2_CALL[0]}functions.NAME:NUMBER{_K2_ARGUMENTS}", _K2_CALL[1]),
)
_BAR = "\uff5c"
"""The wide bar of DeepSeek's tokens."""
_DEEPSEEK = (f"<{_BAR}tool▁calls▁begin{_BAR}>", f"<{_BAR}tool▁calls▁end{_BAR}>")
_DEEPSEEK_CALL = (f"<{_BAR}tool▁call▁begin{_BAR}>", f"<{_BAR}tool▁call▁end{_BAR}>")
_DEEPSEEK_SEPARATOR = f"<{_BAR}tool▁sep{_BAR}>"
DEEPSEEK_V3 = Sectioned(
    "deepseek_v3",
    _DEEPSEEK,
    _DEEPSEEK_CALL,
    _DEEPSEEK_SEPARATOR,
    writes=(
        f"{_DEEPSEEK_CALL[0]}function{_DEEPSEEK_SEPARATOR}NAME\n{_FENCE}\n",
        f"\n```{_DEEPSEEK_CALL[1]}",
    ),
)
DEEPSEEK_V31 = Sectioned(
    "deepseek_v31",
    _DEEPSEEK,
    _DEEPSEEK_CALL,
    _DEEPSEEK_SEPARATOR,
    writes=(f"{_DEEPSEEK_CALL[0]}NAME{_DEEPSEEK_SEPARATOR}", _DEEPSEEK_CALL[1]),
)
