"""Writes a grammar in llguidance's dialect of lark: rules, texts, JSON that fits a schema.

A marker that is one token of the vocabulary is written as that token, since a text never matches a
control token. White space inside JSON is fixed: a weak model would write nothing else for ever.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping

__all__ = ["Lark", "arguments_of", "arguments_schema", "pattern", "quoted"]

_GUIDE = {"whitespace_flexible": False, "key_separator": ": ?", "item_separator": ", ?"}
_OPEN_KEYS = (
    "properties",
    "additionalProperties",
    "patternProperties",
    "$ref",
    "allOf",
    "anyOf",
    "oneOf",
)


class Lark:
    """One grammar being written. tokens: the vocabulary. markers: texts that stand as the token
    they are, if they are one.
    """

    def __init__(self, tokens: Mapping[str, int], markers: Iterable[str]) -> None:
        self._ids = {each: tokens[each] for each in markers if each in tokens}
        longest_first = sorted(self._ids, key=len, reverse=True)
        self._split = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._rules: list[str] = []
        self._names: dict[str, str] = {}

    def is_token(self, text: str) -> bool:
        """Whether the text is, or begins with, a marker that is written as a token."""
        return self._split.match(text) is not None

    def first_token(self, text: str) -> int | None:
        """Where in the text the first marker begins that is written as a token; None: nowhere."""
        found = self._split.search(text)
        return found.start() if found else None

    def text(self, text: str) -> str:
        """An expression that is just this text."""
        parts: list[str] = []
        place = 0
        for found in self._split.finditer(text):
            parts += [quoted(text[place : found.start()]), f"<[{self._ids[found.group()]}]>"]
            place = found.end()
        parts.append(quoted(text[place:]))
        return " ".join(part for part in parts if part)

    def json(self, schema: Mapping[str, object]) -> str:
        """The name of a rule of JSON that the schema accepts."""
        return self.rule(f"%json {json.dumps({**schema, 'x-guidance': _GUIDE})}")

    def rule(self, body: str, options: str = "", *, terminal: bool = False) -> str:
        """The name of a rule with this body; one for all that are equal."""
        key = f"{options}: {body}"
        if key not in self._names:
            name = f"{'T' if terminal else 'r'}{len(self._rules)}"
            self._names[key] = name
            self._rules.append(f"{name}{key}")
        return self._names[key]

    def reserve(self) -> str:
        """The name of a rule that will be defined: one that refers to itself."""
        self._rules.append("")
        return f"r{len(self._rules) - 1}"

    def define(self, name: str, body: str) -> None:
        """Gives a reserved rule its body."""
        self._rules[int(name[1:])] = f"{name}: {body}"

    def any_of(self, bodies: Iterable[str]) -> str:
        """The name of a rule that is one of them."""
        return self.rule(" | ".join(bodies))

    def whole(self, start: str) -> str:
        """The grammar whose answers match `start`."""
        return "\n".join([f"start: {start}", *self._rules]) + "\n"


def quoted(text: str) -> str:
    """The text as a lark string; nothing for no text."""
    return json.dumps(text, ensure_ascii=False) if text else ""


def pattern(text: str) -> str:
    """A regular expression of just this text, to stand between slashes."""
    return re.escape(text).replace("\\\n", "\\n").replace("/", "\\/")


def arguments_of(parameters: Mapping[str, object]) -> list[tuple[str, bool]]:
    """The arguments a grammar may write, and whether it must: first those the schema describes."""
    named = parameters.get("properties")
    keys = list(named) if isinstance(named, Mapping) else []
    wanted = parameters.get("required")
    required = [key for key in wanted if isinstance(key, str)] if isinstance(wanted, list) else []
    return [(key, key in required) for key in dict.fromkeys([*keys, *required])]


def arguments_schema(parameters: Mapping[str, object]) -> dict[str, object]:
    """The schema that arguments are forced into: always an object, and without parameters that
    nobody named, which a schema allows and no caller wants.
    """
    schema: dict[str, object] = {**parameters, "type": "object"}
    if not any(key in schema for key in _OPEN_KEYS):
        schema["properties"] = {}
    if "properties" in schema and not any(key in schema for key in _OPEN_KEYS[1:]):
        schema["additionalProperties"] = False
    return schema
