"""Arguments written as plain text up to a closing tag: read, and told to a grammar.

Shared by the formats that tag their arguments. A string goes out as it comes; what else it may be
is known when the tag closes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from lmxd.worker.parsing.answer import Answer
from lmxd.worker.parsing.lark import Lark, pattern, quoted
from lmxd.worker.parsing.literal import escaped
from lmxd.worker.parsing.reader import Reader, Script, Sink
from lmxd.worker.parsing.values import Kind, Schema, json_of, kinds_of

__all__ = ["STRING", "Texts", "Trim", "by_text"]

Trim: TypeAlias = Literal["space", "line", "none"]
"""What around a text is not value: white space, one line break at each end, nothing."""

STRING: frozenset[Kind] = frozenset({"string"})
_ANY = "/(?s:.*)/"
_SLASH = re.compile(r"(?<!\\)/")
_ESCAPED_SLASH = r"\\/"
_FILLED = r"/(\S((?s:.*)\S)?)?/"


@dataclass(frozen=True, slots=True)
class Texts:
    """How the texts are written. shut: the tag that closes them. cdata: XML's CDATA is unpacked.
    untyped: what a text is whose type nothing tells.
    """

    shut: str
    trim: Trim = "space"
    cdata: bool = False
    untyped: Literal["text", "json"] = "text"

    def kinds(self, schema: Schema) -> frozenset[Kind]:
        """The types such a value may have; none is whatever it looks like."""
        kinds = kinds_of(schema)
        return STRING if not kinds and self.untyped == "text" else kinds

    def read(self, kinds: frozenset[Kind], reader: Reader, answer: Answer) -> Script[bool]:
        """Reads a value and its closing tag, and sends it out as JSON; False: it does not close."""
        packed = self.cdata and (yield from reader.space()) == "<"
        if packed and (yield from reader.take("<![CDATA[")):
            return (yield from self._packed(kinds, reader, answer))
        if kinds == STRING:
            answer.args('"')
            text = _Trimmed(lambda piece: answer.args(escaped(piece)), self.trim)
            closed = yield from reader.pour(text, (self.shut,))
            answer.args('"' if closed else "")
            return bool(closed)
        raw, found = yield from reader.until((self.shut,))
        if found:
            value: list[str] = []
            trimmed = _Trimmed(value.append, self.trim)
            trimmed(raw)
            answer.args(json_of("".join(value), kinds))
        return bool(found)

    def _packed(self, kinds: frozenset[Kind], reader: Reader, answer: Answer) -> Script[bool]:
        raw, found = yield from reader.until(("]]>",))
        if not found:
            return False
        answer.args(json_of(raw, kinds))
        yield from reader.space()
        return bool((yield from reader.take(self.shut)))

    def grammar(self, lark: Lark, schema: Schema, after: str) -> str:
        """An expression of a value that the schema accepts, its closing tag, and `after`."""
        edge = "\n" if self.trim == "line" else ""
        kinds = self.kinds(schema)
        listed = _listed(schema)
        if listed:
            texts = [each if isinstance(each, str) else json.dumps(each) for each in listed]
            value = lark.any_of(lark.text(text) or '""' for text in texts)
        elif kinds and "string" not in kinds:
            value = lark.json(schema)
        else:
            return self._string(lark, schema, edge, after)
        return " ".join(filter(None, (lark.text(edge), value, lark.text(edge + self.shut + after))))

    def _string(self, lark: Lark, schema: Schema, edge: str, after: str) -> str:
        """A text cannot hold its closing tag, and ends where that begins."""
        schema = _of_strings(schema)
        parts = [_length(schema)]
        if isinstance(expected := schema.get("pattern"), str):
            parts.append(_pattern(expected))
        if self.trim == "space":
            parts.append(_FILLED)
        token = lark.first_token(self.shut)
        if token is not None:
            kept_out = self.shut[: token or None]  # else the text would take in what leads to it
            parts.append(f"~/(?s:.*){pattern(kept_out)}(?s:.*)/")
            terminal = lark.rule(" & ".join(parts), terminal=True)
            return " ".join(filter(None, (lark.text(edge), terminal, lark.text(self.shut + after))))
        terminal = lark.rule(" & ".join(parts), terminal=True)
        value = lark.rule(terminal, f"[suffix={quoted(edge + self.shut)}]")
        return " ".join(filter(None, (lark.text(edge), value, lark.text(after))))


def by_text(schema: Schema) -> list[Schema]:
    """The schema, apart for its listed values that are strings and for those that are not."""
    listed = _listed(schema)
    texts = [each for each in listed if isinstance(each, str)]
    others = [each for each in listed if not isinstance(each, str)]
    return [{"enum": each} for each in (texts, others) if each] or [schema]


def _of_strings(schema: Schema) -> Schema:
    """What a choice says of strings; the schema itself, where there is no choice."""
    choices = schema.get("anyOf") or schema.get("oneOf")
    for each in choices if isinstance(choices, list) else []:
        if isinstance(each, Mapping) and "string" in kinds_of(each):
            return _of_strings(each)
    return schema


def _listed(schema: Schema) -> list[object]:
    """The only values there are; none where they are not listed."""
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return list(values) if isinstance(values, list) else []


def _length(schema: Schema) -> str:
    least, most = schema.get("minLength"), schema.get("maxLength")
    if not isinstance(least, int) and not isinstance(most, int):
        return _ANY
    low = least if isinstance(least, int) else 0
    return f"/(?s:.{{{low},{most if isinstance(most, int) else ''}}})/"


def _pattern(expected: str) -> str:
    """A JSON schema's pattern, which need not be about the whole text, as a whole one."""
    start = "" if expected.startswith("^") else "(?s:.*)"
    end = "" if re.search(r"(?<!\\)(\\\\)*\$$", expected) else "(?s:.*)"
    body = expected.removeprefix("^")
    body = body if end else body[:-1]
    return f"/{start}({_SLASH.sub(_ESCAPED_SLASH, body)}){end}/"


class _Trimmed:
    """Passes a text on without what `trim` says is not value."""

    def __init__(self, sink: Sink, trim: Trim) -> None:
        self._sink = sink
        self._trim = trim
        self._held = ""
        self._begun = trim == "none"

    def __call__(self, text: str) -> None:
        text = self._held + text
        if not self._begun:
            text = text.lstrip() if self._trim == "space" else text.removeprefix("\n")
            self._begun = bool(text) or self._trim == "line"
        body = text
        if self._trim == "space":
            body = text.rstrip()
        elif self._trim == "line":
            body = text.removesuffix("\n")
        self._held = text[len(body) :]
        if body:
            self._sink(body)
