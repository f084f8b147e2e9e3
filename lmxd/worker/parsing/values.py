"""Values that a model writes as plain text, typed by the tool's schema.

Tags carry text, and the text `5` is a number or a string by what the schema says of that argument.
Only what it says is used: a text that does not fit stays a string rather than be lost.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Literal

from lmxd.worker.parsing.literal import JSON, PYTHON, escaped
from lmxd.worker.parsing.literal import read_value as read
from lmxd.worker.parsing.reader import Reader, whole

__all__ = ["Kind", "Schema", "json_of", "kinds_of", "literal_of", "property_of", "referred"]

Schema = Mapping[str, object]
Kind = Literal["string", "integer", "number", "boolean", "object", "array", "null"]

_ALL: tuple[Kind, ...] = ("string", "integer", "number", "boolean", "object", "array", "null")
_OF_VALUES: dict[type, Kind] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    list: "array",
    dict: "object",
    type(None): "null",
}
_TRUTHS = {"true": "true", "yes": "true", "on": "true", "1": "true"}
_TRUTHS |= {"false": "false", "no": "false", "off": "false", "0": "false"}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)


def property_of(parameters: Schema, key: str) -> Schema:
    """The schema of one argument, with the definitions it may refer to; {} where none is known."""
    properties = parameters.get("properties")
    found = properties.get(key) if isinstance(properties, Mapping) else None
    if not isinstance(found, Mapping):
        return {}
    shared = {word: parameters[word] for word in ("$defs", "definitions") if word in parameters}
    return {**shared, **found}


def kinds_of(schema: Schema, root: Schema | None = None, depth: int = 0) -> frozenset[Kind]:
    """The types a value may have; none where the schema does not say."""
    root = schema if root is None else root
    named = schema.get("type")
    names = [named] if isinstance(named, str) else named if isinstance(named, list) else []
    kinds = {kind for kind in _ALL if kind in names}
    values = schema.get("enum")
    listed = values if isinstance(values, list) and not kinds else []
    if "const" in schema and not kinds:
        listed = [*listed, schema["const"]]
    kinds |= {_OF_VALUES[type(value)] for value in listed if type(value) in _OF_VALUES}
    if kinds or depth > 8:
        return frozenset(kinds)
    reference = schema.get("$ref")
    inner = [referred(reference, root)] if isinstance(reference, str) else []
    for word in ("anyOf", "oneOf", "allOf"):
        choices = schema.get(word)
        inner += choices if isinstance(choices, list) else []
    for each in inner:
        if isinstance(each, Mapping):
            kinds |= kinds_of(each, root, depth + 1)
    return frozenset(kinds)


def referred(reference: str, root: Schema) -> object:
    """What a `$ref` within the document points at; None outside of it."""
    steps = reference.split("/")
    found: object = root if steps[0] == "#" else None
    for step in steps[1:]:
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def json_of(text: str, kinds: frozenset[Kind]) -> str:
    """The JSON text of a value written as this text: of the most special type that fits."""
    word = text.strip()
    if "null" in kinds and word.lower() in ("null", "none", "nil"):
        return "null"
    if kinds & {"integer", "number"} and (number := _number(word, integral="number" not in kinds)):
        return number
    if "boolean" in kinds and word.lower() in _TRUTHS:
        return _TRUTHS[word.lower()]
    literal = literal_of(word) if kinds != {"string"} else None
    if "string" in kinds and (literal is None or not _holds(literal, kinds)):
        literal = None
    return f'"{escaped(text)}"' if literal is None else literal


def literal_of(text: str) -> str | None:
    """The JSON text of a JSON or Python value; None where the text is neither."""
    for dialect in (JSON, PYTHON):
        parts: list[str] = []
        reader = Reader(text, ended=True)
        if whole(read(reader, parts.append, dialect)) and not whole(reader.space()):
            return "".join(parts)
    return None


def _holds(literal: str, kinds: frozenset[Kind]) -> bool:
    """Whether the value is a container that the kinds name."""
    return (literal[0] == "{" and "object" in kinds) or (literal[0] == "[" and "array" in kinds)


def _number(word: str, *, integral: bool) -> str | None:
    if _NUMBER.fullmatch(word) and not (integral and re.search(r"[.eE]", word)):
        return word
    try:
        value = float(word)
    except ValueError:
        return None
    if not math.isfinite(value) or (integral and not value.is_integer()):
        return None
    return json.dumps(int(value) if value.is_integer() else value)
