"""What an answer must match: `response_format` and the fields of other servers to a grammar; pure.

Whether a grammar or schema can be compiled is judged by the engine that has to.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from lmxd.dialects import openai_fields as fields
from lmxd.dialects.fields import unsupported
from lmxd.dialects.validation import invalid
from schemas.inference import Grammar
from schemas.wire.openai import Constrained, ResponseFormat, StructuredOutputs


def grammar(wire: Constrained, ignored: list[str]) -> Grammar | None:
    """The one constraint of a request; None where there is none.

    Raises RequestError for two of them, for a type nobody knows, and for a schema that is none.
    """
    found = dict(_constraints(wire, ignored))
    if len(found) > 1:
        first, second, *_ = found
        raise invalid(second, f"cannot be used together with {first}")
    return next(iter(found.values()), None)


def _constraints(wire: Constrained, ignored: list[str]) -> Iterator[tuple[str, Grammar]]:
    if wire.response_format is not None:
        told = response_format(wire.response_format, "response_format")
        if told is not None:
            yield "response_format", told
    if wire.json_schema:
        yield "json_schema", schema(wire.json_schema)
    yield from _written("grammar", "lark", wire.grammar)
    yield from _written("regex", "regex", wire.regex)
    if wire.guided_json is not None:
        yield "guided_json", _schema_or_text(wire.guided_json, "guided_json")
    yield from _written("guided_regex", "regex", wire.guided_regex)
    yield from _written("guided_grammar", "lark", wire.guided_grammar)
    if wire.guided_choice is not None:
        yield "guided_choice", choice(wire.guided_choice)
    if wire.structured_outputs is not None:
        yield from _structured(wire.structured_outputs, ignored)


def _structured(wire: StructuredOutputs, ignored: list[str]) -> Iterator[tuple[str, Grammar]]:
    where = "structured_outputs"
    ignored += fields.STRUCTURED.sift(wire.model_extra or {}, f"{where}.")
    if wire.json_ is not None:
        yield f"{where}.json", _schema_or_text(wire.json_, f"{where}.json")
    yield from _written(f"{where}.regex", "regex", wire.regex)
    yield from _written(f"{where}.grammar", "lark", wire.grammar)
    if wire.choice is not None:
        yield f"{where}.choice", choice(wire.choice)
    if wire.json_object:
        yield f"{where}.json_object", Grammar("json")


def response_format(wire: ResponseFormat, where: str) -> Grammar | None:
    """`text`, `json_object` or `json_schema`; what is not strict is held to its schema as well."""
    named = wire.json_schema
    given = wire.schema_ if named is None else named.schema_
    match wire.type:
        case "text":
            return None
        case "json_object":
            return Grammar("json") if given is None else schema(given)
        case "json_schema":
            if given is None:
                raise invalid(f"{where}.json_schema.schema", "is required")
            return schema(given)
        case _:
            raise unsupported(f"{where}.type", ("text", "json_object", "json_schema"))


def schema(given: Mapping[str, object]) -> Grammar:
    """JSON that a schema accepts; the order of its members is kept."""
    return Grammar("schema", msgspec.json.encode(given).decode())


def choice(texts: Sequence[str]) -> Grammar:
    """One of these texts, exactly."""
    return Grammar("lark", "start: " + " | ".join(json.dumps(text) for text in texts))


def _written(name: str, kind: str, text: str | None) -> Iterator[tuple[str, Grammar]]:
    """A grammar that the client wrote; an empty one asks for nothing."""
    if text:
        yield name, Grammar("regex" if kind == "regex" else "lark", text)


def _schema_or_text(given: str | Mapping[str, object], name: str) -> Grammar:
    if not isinstance(given, str):
        return schema(given)
    try:
        value: object = msgspec.json.decode(given)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise invalid(name, f"is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise invalid(name, "must be the text of a JSON object")
    return schema(value)
