"""LFM 2 and its like: a Python list of calls, `[name(city="Rome", days=2), now()]`, as it comes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from lmxd.worker.parsing.answer import Answer
from lmxd.worker.parsing.jsoncall import Toolbox, read_calls
from lmxd.worker.parsing.lark import Lark, arguments_of
from lmxd.worker.parsing.literal import PYTHON, read_run, read_value
from lmxd.worker.parsing.reader import Reader, Script
from lmxd.worker.parsing.scripted import Openers
from lmxd.worker.parsing.values import kinds_of, property_of
from lmxd.worker.parsing.written import separated
from schemas.inference import Tool

__all__ = ["Pythonic"]

_OPEN, _SHUT = "<|tool_call_start|>", "<|tool_call_end|>"
_WORD = re.compile(r"\w*")


@dataclass(frozen=True, slots=True)
class Pythonic:
    """Calls with arguments by name; by place they are no calls: JSON has no place for them."""

    name: str = "pythonic"
    markers: tuple[str, ...] = (_OPEN, _SHUT)

    def openers(self, tools: Toolbox) -> Openers:
        """The opening token."""
        return {_OPEN: partial(self._read, tools)}

    def _read(self, tools: Toolbox, reader: Reader, answer: Answer) -> Script[bool]:
        if (yield from reader.space()) == "[":
            reader.at += 1
            yield from reader.space()
        if (yield from reader.peek()) == "{":
            begun = yield from read_calls(tools, reader, answer)
        else:
            begun = yield from self._calls(tools, reader, answer)
        if begun:
            yield from reader.space()
            yield from reader.take(_SHUT)
        return begun

    def _calls(self, tools: Toolbox, reader: Reader, answer: Answer) -> Script[bool]:
        if not (yield from self._call(tools, reader, answer)):
            return False
        while True:
            following = yield from reader.space()
            reader.hold()
            reader.at += following in (",", "]") and following != ""
            if following == "]" or not (yield from self._call(tools, reader, answer)):
                if following != "]":
                    reader.back()
                reader.release()
                return True

    def _call(self, tools: Toolbox, reader: Reader, answer: Answer) -> Script[bool]:
        yield from reader.space()
        name = yield from reader.name(tools)
        if not name or (yield from reader.space()) != "(":
            return False
        reader.at += 1
        key = yield from self._key(reader)
        if key is None:
            return False
        answer.start(name)
        before = "{"
        while key:
            answer.args(f"{before}{json.dumps(key, ensure_ascii=False)}: ")
            if not (yield from read_value(reader, answer.args, PYTHON)):
                return True
            before = ", "
            if (yield from reader.space()) == ",":
                reader.at += 1
            key = yield from self._key(reader)
        if key is not None:
            answer.args("{}" if before == "{" else "}")
            answer.end()
        return True

    def _key(self, reader: Reader) -> Script[str | None]:
        """The next argument's name, with what follows it; "" at the end of them; None: neither."""
        if (yield from reader.space()) == ")":
            reader.at += 1
            return ""
        word = yield from read_run(reader, _WORD)
        if not word or (yield from reader.space()) != "=":
            return None
        reader.at += 1
        return word

    def grammar(self, lark: Lark, tools: Sequence[Tool], *, many: bool) -> str | None:
        """The list of calls."""
        call = lark.any_of(self._rule(lark, tool) for tool in tools)
        comma = lark.text(", ")
        calls = f"{call} {lark.rule(f'{comma} {call}')}*" if many else call
        return f"{lark.text(_OPEN + '[')} {calls} {lark.text(']' + _SHUT)}"

    def _rule(self, lark: Lark, tool: Tool) -> str:
        items: list[tuple[str, bool]] = []
        for key, required in arguments_of(tool.parameters):
            schema = property_of(tool.parameters, key)
            value = '("True" | "False")' if kinds_of(schema) == {"boolean"} else lark.json(schema)
            items.append((lark.rule(f"{lark.text(key + '=')} {value}"), required))
        return f"{lark.text(tool.name + '(')} {separated(lark, items, ', ')} {lark.text(')')}"
