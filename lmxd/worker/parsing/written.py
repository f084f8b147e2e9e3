"""Grammars of arguments that are written in a notation of their own, typed by their schemas.

What a schema says is told in the notation: types, listed values, lengths, patterns, items,
properties, choices, references. What cannot be told (`allOf`, `not`, conditions and the like) makes
no grammar. Only arguments that the schema names are written.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lmxd.worker.parsing.lark import Lark, arguments_of
from lmxd.worker.parsing.texts import Texts
from lmxd.worker.parsing.values import Schema, referred

__all__ = ["Notation", "arguments_rule", "separated"]

_BEYOND = (
    *("allOf", "not", "if", "patternProperties", "propertyNames", "dependentSchemas"),
    *("contains", "uniqueItems", "prefixItems", "minProperties", "maxProperties"),
)
_SCALARS = ("integer", "number", "boolean", "null")
_KEY = "/[A-Za-z_][A-Za-z0-9_]*/"


@dataclass(frozen=True, slots=True)
class Notation:
    """How values are written: strings between `quote`s, keys without any."""

    quote: str

    def string(self, lark: Lark, schema: Schema, after: str = "") -> str:
        """A string that the schema accepts."""
        texts = Texts(self.quote, trim="none")
        plain = {key: value for key, value in schema.items() if key not in ("enum", "const")}
        return f"{lark.text(self.quote)} {texts.grammar(lark, {**plain, 'type': 'string'}, after)}"

    def of(self, value: object) -> str:
        """This value, written."""
        if isinstance(value, str):
            return f"{self.quote}{value}{self.quote}"
        if isinstance(value, Mapping):
            return "{" + ",".join(f"{key}:{self.of(each)}" for key, each in value.items()) + "}"
        if isinstance(value, list):
            return "[" + ",".join(map(self.of, value)) + "]"
        return json.dumps(value)


def separated(lark: Lark, items: Sequence[tuple[str, bool]], separator: str) -> str:
    """The items in order, separated; those that are not required may be left out."""
    first = after = '""'
    for item, required in reversed(items):
        leaving = "" if required else f" | {first}"
        follows = "" if required else f" | {after}"
        first = lark.rule(f"{item} {after}{leaving}")
        after = lark.rule(f"{lark.text(separator)} {item} {after}{follows}")
    return first


def arguments_rule(lark: Lark, parameters: Schema, notation: Notation) -> str | None:
    """The arguments of a call, without what stands around them."""
    return _Writer(lark, notation, parameters).members(parameters)


class _Writer:
    """Grammars of the values of one tool; root: what references are looked up in."""

    def __init__(self, lark: Lark, notation: Notation, root: Schema) -> None:
        self._lark = lark
        self._notation = notation
        self._root = root
        self._referred: dict[str, str] = {}
        self._anything: str | None = None

    def members(self, schema: Schema) -> str | None:
        """`key:value` for each property."""
        items: list[tuple[str, bool]] = []
        properties = schema.get("properties")
        for key, required in arguments_of(schema):
            value = self.value(properties.get(key, {}) if isinstance(properties, Mapping) else {})
            if value is None:
                return None
            items.append((self._lark.rule(f"{self._lark.text(key + ':')} {value}"), required))
        return separated(self._lark, items, ",")

    def value(self, schema: object) -> str | None:
        """One value; None where it cannot be told."""
        if not isinstance(schema, Mapping):
            return self._any_value() if schema is True else None
        if any(word in schema for word in _BEYOND):
            return None
        if isinstance(reference := schema.get("$ref"), str):
            return self._reference(reference)
        values = [schema["const"]] if "const" in schema else schema.get("enum")
        if isinstance(values, list):
            return self._one_of([self._lark.text(self._notation.of(each)) for each in values])
        choices = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(choices, list):
            return self._one_of([self.value(each) for each in choices])
        named = schema.get("type")
        if named is None and "properties" not in schema:
            return self._any_value()
        names = named if isinstance(named, list) else [named or "object"]
        return self._one_of([self._typed(name, schema) for name in names])

    def _reference(self, reference: str) -> str | None:
        if reference not in self._referred:
            self._referred[reference] = self._lark.reserve()
            body = self.value(referred(reference, self._root))
            self._lark.define(self._referred[reference], body or '""')
            if body is None:
                return None
        return self._referred[reference]

    def _one_of(self, bodies: Sequence[str | None]) -> str | None:
        told = [body for body in bodies if body is not None]
        return self._lark.any_of(told) if told and len(told) == len(bodies) else None

    def _typed(self, name: object, schema: Schema) -> str | None:
        if name == "string":
            return self._lark.rule(self._notation.string(self._lark, schema))
        if name in _SCALARS:
            return self._lark.json({**schema, "type": name})
        if name == "array":
            item = self.value(schema.get("items", True))
            return item and self._array(item, schema.get("minItems"), schema.get("maxItems"))
        return self._object(schema) if name == "object" else None

    def _array(self, item: str, least: object, most: object) -> str:
        low = least if isinstance(least, int) else 0
        high = most - 1 if isinstance(most, int) else ""
        if most == 0:
            return self._lark.rule(self._lark.text("[]"))
        more = self._lark.rule(f"{self._lark.text(',')} {item}")
        items = f"{item} {more}{{{max(low - 1, 0)},{high}}}"
        items = items if low else f"({items})?"
        return self._lark.rule(f"{self._lark.text('[')} {items} {self._lark.text(']')}")

    def _object(self, schema: Schema) -> str | None:
        if schema.get("properties") or schema.get("required"):
            members = self.members(schema)
        elif (others := schema.get("additionalProperties", True)) is False:
            members = '""'
        else:
            members = self._free(self.value(others))
        if members is None:
            return None
        return self._lark.rule(f"{self._lark.text('{')} {members} {self._lark.text('}')}")

    def _free(self, value: str | None) -> str | None:
        """Members with any keys."""
        if value is None:
            return None
        member = self._lark.rule(f"{_KEY} {self._lark.text(':')} {value}")
        more = self._lark.rule(f"{self._lark.text(',')} {member}")
        return f"({member} {more}*)?"

    def _any_value(self) -> str:
        if self._anything is None:
            self._anything = name = self._lark.reserve()
            scalar = self._lark.json({"type": list(_SCALARS)})
            string = self._lark.rule(self._notation.string(self._lark, {}))
            array = self._array(name, None, None)
            body = f"{self._lark.text('{')} {self._free(name)} {self._lark.text('}')}"
            self._lark.define(name, f"{scalar} | {string} | {array} | {body}")
        return self._anything
