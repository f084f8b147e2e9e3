"""GLM, Laguna and LongCat: a name, then keys and values each between tags of their own.

`<tool_call>name`, a line each `<arg_key>k</arg_key>` and `<arg_value>v</arg_value>`, and at last
`</tool_call>`. What comes for it now and then is read too: an object as
Hermes writes it, and a name with an object after it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from lmxd.worker.parsing.answer import Answer
from lmxd.worker.parsing.jsoncall import Toolbox, read_arguments, read_calls
from lmxd.worker.parsing.lark import Lark, arguments_of
from lmxd.worker.parsing.reader import Reader, Script
from lmxd.worker.parsing.scripted import Openers
from lmxd.worker.parsing.texts import Texts
from lmxd.worker.parsing.values import property_of
from schemas.inference import Tool

__all__ = ["GLM", "LONGCAT", "Keyed"]


@dataclass(frozen=True, slots=True)
class Keyed:
    """One format; its tags differ by a prefix."""

    name: str
    prefix: str = ""

    @property
    def markers(self) -> tuple[str, ...]:
        """What may be a control token."""
        return tuple(
            f"<{slash}{self.prefix}{tag}>"
            for tag in ("tool_call", "arg_key", "arg_value")
            for slash in ("", "/")
        )

    def openers(self, tools: Toolbox) -> Openers:
        """The tag of a call."""
        return {self.markers[0]: partial(self._read, tools)}

    def _read(self, tools: Toolbox, reader: Reader, answer: Answer) -> Script[bool]:
        shut = self.markers[1]
        if (yield from reader.space()) in ("{", "["):
            begun = yield from read_calls(tools, reader, answer)
        else:
            begun = yield from self._named(tools, reader, answer)
        if begun:
            yield from reader.space()
            yield from reader.take(shut)
        return begun

    def _named(self, tools: Toolbox, reader: Reader, answer: Answer) -> Script[bool]:
        name = yield from reader.name(tools)
        if not name:
            return False
        if (yield from reader.space()) == "{":
            return (yield from read_arguments(name, reader, answer))
        if not (yield from self._follows(reader)):
            return False
        answer.start(name)
        if (yield from self._arguments(tools[name], reader, answer)):
            answer.end()
        return True

    def _follows(self, reader: Reader) -> Script[bool]:
        """Whether what follows a name is a key or the end, which is not read."""
        found = yield from reader.take(self.markers[1], self.markers[2])
        reader.at -= len(found)
        return bool(found)

    def _arguments(self, tool: Tool, reader: Reader, answer: Answer) -> Script[bool]:
        _, shut, key_open, key_shut, value_open, value_shut = self.markers
        texts = Texts(value_shut, untyped="json")
        before = "{"
        while True:
            yield from reader.space()
            if not (yield from reader.take(key_open)):
                break
            key = yield from reader.head(key_shut)
            yield from reader.space()
            if key is None or not (yield from reader.take(value_open)):
                return False
            answer.args(f"{before}{json.dumps(key.strip(), ensure_ascii=False)}: ")
            kinds = texts.kinds(property_of(tool.parameters, key.strip()))
            if not (yield from texts.read(kinds, reader, answer)):
                return False
            before = ", "
        if not (yield from reader.take(shut)):
            return False
        answer.args("{}" if before == "{" else "}")
        return True

    def grammar(self, lark: Lark, tools: Sequence[Tool], *, many: bool) -> str | None:
        """The name, then a key and a value for each argument."""
        call = lark.any_of(self._rule(lark, tool) for tool in tools)
        more = lark.rule(f"{lark.text(chr(10))} {call}")
        return f"{call} {more}*" if many else call

    def _rule(self, lark: Lark, tool: Tool) -> str:
        tag, shut, key_open, key_shut, value_open, value_shut = self.markers
        texts = Texts(value_shut, untyped="json")
        parts = [lark.text(f"{tag}{tool.name}\n")]
        for key, required in arguments_of(tool.parameters):
            before = lark.text(f"{key_open}{key}{key_shut}\n{value_open}")
            value = texts.grammar(lark, property_of(tool.parameters, key), "\n")
            argument = lark.rule(f"{before} {value}")
            parts.append(argument if required else f"{argument}?")
        return " ".join([*parts, lark.text(shut)])


GLM = Keyed("glm47")
LONGCAT = Keyed("longcat", "longcat_")
