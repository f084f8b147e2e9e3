"""Calls whose arguments are tagged texts: `<parameter=city>Rome</parameter>` and its like.

Texts are made JSON argument by argument, typed by the tool's schema. The formats that differ only
in how their tags look are values of `Tagged`, each in a file of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from lmxd.worker.parsing.answer import Answer
from lmxd.worker.parsing.jsoncall import Toolbox
from lmxd.worker.parsing.lark import Lark, arguments_of
from lmxd.worker.parsing.literal import read_value
from lmxd.worker.parsing.reader import Reader, Script
from lmxd.worker.parsing.scripted import Openers, read_section
from lmxd.worker.parsing.texts import STRING, Texts, by_text
from lmxd.worker.parsing.values import Kind, Schema, property_of
from schemas.inference import Tool

__all__ = ["Tag", "Tagged"]

_ATTRIBUTE = re.compile(r"""(\w+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>]+))""")
_ENTITIES = (("&quot;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))


@dataclass(frozen=True, slots=True)
class Tag:
    """`open`, a head that names something, `mid`, a body, `shut`. Where `open` ends in `=`, the
    head begins with that name, between `quote`s; else it has attributes, and `names` is the one
    that counts.
    """

    open: str
    mid: str
    shut: str
    names: str = "name"
    quote: str = '"'

    def attributes(self, head: str) -> dict[str, str]:
        """The head's attributes, the name among them."""
        head = head.strip()
        if self.open.endswith("="):
            if head[:1] not in ('"', "'"):
                return {self.names: head}
            head = f"{self.names}={head}"
        found = {}
        for key, *values in _ATTRIBUTE.findall(head):
            value = "".join(values)
            for entity, character in _ENTITIES:
                value = value.replace(entity, character)
            found[key] = value
        return found

    def begin(self, name: str, more: str = "") -> str:
        """The tag up to its body."""
        head = f"{self.quote}{name}{self.quote}"
        if not self.open.endswith("="):
            head = f" {self.names}={head}"
        return f"{self.open}{head}{more}{self.mid}"


@dataclass(frozen=True, slots=True)
class Tagged:
    """One format. section: what stands around all calls; "" is nothing. call, argument: their
    tags. texts: how values are written. bare: a call counts without the section too. hint: the
    attribute of an argument that tells its type. whole: the tag of all arguments as one JSON
    object. line: what stands between tags. markers: what may be a control token.
    """

    name: str
    section: tuple[str, str]
    call: Tag
    argument: Tag
    texts: Texts
    markers: tuple[str, ...] = ()
    bare: bool = False
    hint: str | None = None
    whole: Tag | None = None
    line: str = "\n"

    def openers(self, tools: Toolbox) -> Openers:
        """The section's tag, and the call's where it may stand alone."""
        opening, shut = self.section
        call = partial(self._call, tools)
        section = partial(read_section, self.call.open, shut, call)
        openers = {opening: section} if opening else {}
        return {**openers, self.call.open: call} if self.bare else openers

    def _call(self, tools: Toolbox, reader: Reader, answer: Answer) -> Script[bool]:
        """Reads a call whose opening was read."""
        head = yield from reader.head(self.call.mid)
        name = None if head is None else self.call.attributes(head).get(self.call.names)
        if name is None or name not in tools:
            return False
        answer.start(name)
        if (yield from self._arguments(tools[name], reader, answer)):
            answer.end()
        return True

    def _arguments(self, tool: Tool, reader: Reader, answer: Answer) -> Script[bool]:
        before = "{"
        whole = (self.whole.open,) if self.whole else ()
        while True:
            yield from reader.space()
            found = yield from reader.take(self.argument.open, self.call.shut, *whole)
            if found == self.argument.open:
                if not (yield from self._argument(tool, before, reader, answer)):
                    return False
                before = ", "
            elif not found:
                return False
            elif found == self.call.shut:
                answer.args("{}" if before == "{" else "}")
                return True
            else:
                return before == "{" and (yield from self._object(reader, answer))

    def _argument(self, tool: Tool, before: str, reader: Reader, answer: Answer) -> Script[bool]:
        head = yield from reader.head(self.argument.mid)
        attributes = {} if head is None else self.argument.attributes(head)
        key = attributes.get(self.argument.names)
        if key is None:
            return False
        answer.args(f"{before}{json.dumps(key, ensure_ascii=False)}: ")
        kinds = self._kinds(property_of(tool.parameters, key), attributes)
        return (yield from self.texts.read(kinds, reader, answer))

    def _kinds(self, schema: Schema, attributes: dict[str, str]) -> frozenset[Kind]:
        """The types of a value: what its own tag says, then the schema."""
        told = attributes.get(self.hint) if self.hint else None
        if told is None:
            return self.texts.kinds(schema)
        return STRING if told in ("string", "true") else frozenset()

    def _object(self, reader: Reader, answer: Answer) -> Script[bool]:
        """All arguments as one JSON object, whose tag was begun."""
        if self.whole is None or (yield from reader.head(self.whole.mid)) is None:
            return False
        if (yield from reader.space()) != "{" or not (yield from read_value(reader, answer.args)):
            return False
        for end in (self.whole.shut, self.call.shut):
            yield from reader.space()
            yield from reader.take(end)
        return True

    def grammar(self, lark: Lark, tools: Sequence[Tool], *, many: bool) -> str | None:
        """The section around one call or more."""
        opening, closing = (lark.text(each) for each in self.section)
        call = lark.any_of(self._rule(lark, tool) for tool in tools)
        line = lark.text(self.line)
        calls = f"{call} {lark.rule(f'{line} {call}')}*" if many else call
        lines = (opening, line, calls, line, closing) if opening else (calls,)
        return " ".join(filter(None, lines))

    def _rule(self, lark: Lark, tool: Tool) -> str:
        parts = [lark.text(self.call.begin(tool.name) + self.line)]
        for key, required in arguments_of(tool.parameters):
            schema = property_of(tool.parameters, key)
            argument = lark.any_of(
                f"{lark.text(self.argument.begin(key, self._hinted(each)))} "
                f"{self.texts.grammar(lark, each, self.line)}"
                for each in (by_text(schema) if self.hint else [schema])
            )
            parts.append(argument if required else f"{argument}?")
        parts.append(lark.text(self.call.shut))
        return " ".join(filter(None, parts))

    def _hinted(self, schema: Schema) -> str:
        if self.hint is None:
            return ""
        kinds = self.texts.kinds(schema)
        if self.hint == "string":
            return f' string="{"true" if "string" in kinds else "false"}"'
        kind = "string" if "string" in kinds or not kinds else min(kinds)
        return f' {self.hint}="{"number" if kind == "integer" else kind}"'
