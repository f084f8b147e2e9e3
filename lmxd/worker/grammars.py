"""What an answer must match, in llguidance's own words; and why it refuses some of it, in ours.

A JSON schema is compiled strictly: a keyword that llguidance does not enforce is refused and
named with its place, never ignored, so an answer that ends always validates. No white space is
allowed but one space behind a comma or colon: a weak model would write white space for ever.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llguidance import LLMatcher

from schemas.errors import Code, RequestError
from schemas.inference import Grammar

__all__ = ["Wanted", "refusal", "source"]

# Bytes. Compiling recurses through rules that name each other: this many fit the thread's stack.
_LARGEST = 256 * 1024
_LARGEST_CALLS = 4 * _LARGEST
_STRICT: Any = {
    "whitespace_flexible": False,
    "item_separator": ", ?",
    "key_separator": ": ?",
    "coerce_one_of": False,
    "lenient": False,
}
_MAPS = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_UNIMPLEMENTED = re.compile(r"Unimplemented keys: \[(.*?)\]")
_FORMAT = re.compile(r"Unknown format: (\S+)")
_RESOURCE = re.compile(r"Resource '(.*?)' is not present")
# What an error of llguidance says of a keyword that it knows but cannot hold to here.
_HALF_KNOWN = (
    ("oneOf constraints are not supported", "oneOf"),
    ("min/maxProperties only supported", "minProperties"),
    ("min/maxProperties only supported", "maxProperties"),
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one answer has to match: a format, calls of tools (lark), or either.

    frame: lark in which `@answer` and `@calls` stand for them; "": just the format.
    """

    format: Grammar | None = None
    calls: str | None = None
    frame: str = ""


def source(wanted: Wanted) -> str:
    """The grammar for `LLMatcher`; not yet compiled. Raises RequestError(invalid_request)."""
    if not wanted.frame:
        return _of_format(wanted.format or Grammar("json"))
    parts: list[dict[str, Any]] = [{"lark_grammar": wanted.frame}]
    if wanted.format is not None:
        answer = _of_format(wanted.format)
        if wanted.format.kind == "lark":
            parts.append({"lark_grammar": answer, "name": "answer"})
        else:
            (part,) = json.loads(answer)["grammars"]
            parts.append({**part, "name": "answer"})
    if wanted.calls is not None:
        size = len(wanted.calls.encode())
        if size > _LARGEST_CALLS:
            raise _invalid(
                f"the tools' parameters make {size} bytes of grammar, at most {_LARGEST_CALLS}"
                " are compiled where a call is forced"
            )
        parts.append({"lark_grammar": wanted.calls, "name": "calls"})
    return json.dumps({"grammars": parts})


def _of_format(grammar: Grammar) -> str:
    size = len(grammar.text.encode())
    if size > _LARGEST:
        raise _invalid(f"the {_noun(grammar)} has {size} bytes, at most {_LARGEST} are compiled")
    if grammar.kind == "json":
        return _of_schema({"type": "object"})
    if grammar.kind == "schema":
        return _of_schema(_schema(grammar.text))
    if not grammar.text:
        raise _invalid(f"the {_noun(grammar)} is empty")
    if grammar.kind == "regex":
        return LLMatcher.grammar_from_regex(grammar.text)
    return LLMatcher.grammar_from_lark(grammar.text)


def refusal(wanted: Wanted, error: str) -> RequestError:
    """The client's error for what llguidance said when it compiled this."""
    line = error.strip().partition("\n")[0]
    grammar = wanted.format
    if grammar is None:
        return _invalid(f"the calls of these tools cannot be compiled: {_short(error)}")
    if grammar.kind != "schema":
        return _invalid(f"the {_noun(grammar)} cannot be compiled: {_short(error)}")
    schema = _schema(grammar.text)
    for keyword, value in _unsupported(error):
        for place, said in _places(schema, keyword):
            if value is None or said == value:
                named = keyword if value is None else f"{keyword}: {value}"
                return _unsupported_keyword(
                    f"the schema's keyword {named} at {place} cannot be enforced"
                )
    if "regex" in error:
        for place, pattern in _patterns(schema):
            problem = LLMatcher.validate_grammar(_of_schema({"type": "string", "pattern": pattern}))
            if problem:
                return _unsupported_keyword(
                    f"the schema's pattern at {place} cannot be enforced: {_short(problem)}"
                )
    return _invalid(f"the schema cannot be compiled: {line[:300]}")


def _unsupported(error: str) -> Iterator[tuple[str, str | None]]:
    """Keywords, and values of them, that llguidance's message says it cannot enforce."""
    if found := _UNIMPLEMENTED.search(error):
        yield from ((name, None) for name in re.findall(r'"(.*?)"', found[1]))
    if found := _FORMAT.search(error):
        yield "format", found[1]
    if found := _RESOURCE.search(error):
        yield from (("$ref", found[1]), ("$schema", found[1]))
    yield from ((keyword, None) for words, keyword in _HALF_KNOWN if words in error)


def _places(schema: Any, keyword: str, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """JSON pointers of every use of a keyword, and its values; names of properties are none."""
    if not isinstance(schema, dict):
        return
    if keyword in schema:
        yield f"{pointer}/{_escaped(keyword)}", schema[keyword]
    for name, value in schema.items():
        here = f"{pointer}/{_escaped(name)}"
        if name in _MAPS and isinstance(value, dict):
            for key, part in value.items():
                yield from _places(part, keyword, f"{here}/{_escaped(key)}")
        elif isinstance(value, list) and (name in _LISTS or name == "items"):
            for index, part in enumerate(value):
                yield from _places(part, keyword, f"{here}/{index}")
        elif isinstance(value, dict) and name not in ("const", "default", "x-guidance"):
            yield from _places(value, keyword, here)


def _patterns(schema: Any) -> Iterator[tuple[str, str]]:
    for place, value in _places(schema, "pattern"):
        if isinstance(value, str):
            yield place, value
    for place, value in _places(schema, "patternProperties"):
        if isinstance(value, dict):
            yield from ((f"{place}/{_escaped(key)}", key) for key in value)


def _schema(text: str) -> dict[str, Any]:
    try:
        schema = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _invalid(f"the schema is no JSON: {error}") from error
    if schema is True:
        return {}
    if not isinstance(schema, dict):
        raise _invalid("the schema is no JSON object")
    return schema


def _of_schema(schema: dict[str, Any]) -> str:
    try:
        return LLMatcher.grammar_from_json_schema(schema, overrides=_STRICT)
    except ValueError as error:
        raise _invalid(f"the schema cannot be compiled: {_short(str(error))}") from error


def _noun(grammar: Grammar) -> str:
    return {"json": "schema", "schema": "schema", "regex": "regular expression"}.get(
        grammar.kind, "grammar"
    )


def _short(error: str) -> str:
    """An error of many lines in one."""
    return " ".join(error.split())[:300]


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _invalid(message: str) -> RequestError:
    return RequestError(Code.INVALID_REQUEST, message, param="response_format")


def _unsupported_keyword(message: str) -> RequestError:
    return RequestError(
        Code.UNSUPPORTED_PARAMETER,
        message,
        hint="leave the keyword out of the schema, and check it in the answer yourself",
        param="response_format",
    )
