"""Schemas are told in a notation that is not JSON: references, choices, anything at all."""

import jsonschema
import pytest

from lmxd.worker.parsing.detect import detect
from schemas.inference import Tool, ToolUse
from tests.worker.parsing.feeding import outcome
from tests.worker.parsing.sampling import sampler

SHORT = {"type": "string", "maxLength": 4}
TREE = {
    "type": "object",
    "properties": {
        "name": SHORT,
        "left": {"anyOf": [{"$ref": "#/$defs/tree"}, {"type": "null"}]},
    },
    "required": ["name"],
}


def grammar(parameters: dict[str, object], *, tokens: bool = True) -> tuple[str | None, Tool]:
    form = detect("<|tool_call><tool_call|>", {})
    drawn = sampler(form.markers if tokens else ())
    tool = Tool("go", "", parameters)
    made = detect("<|tool_call><tool_call|>", drawn.vocabulary).grammar([tool], ToolUse("required"))
    return made, tool


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "object", "properties": {"t": {"$ref": "#/$defs/tree"}}, "$defs": {"tree": TREE}},
        {"properties": {"x": {"oneOf": [{"type": "boolean"}, SHORT]}}, "required": ["x"]},
        {"properties": {"x": {"const": {"a": [1, "b", None]}}}, "required": ["x"]},
        {"properties": {"x": {"type": "object", "additionalProperties": {"type": "integer"}}}},
        {"properties": {"x": {"type": "array", "items": SHORT, "minItems": 2, "maxItems": 3}}},
        {"properties": {"x": {"type": "array", "maxItems": 0}}, "required": ["x"]},
        {"properties": {"x": {"type": "string", "pattern": "^a/[0-9]{2}$"}}, "required": ["x"]},
        {"required": ["unnamed"]},
        {"properties": {"x": True}},
    ],
    ids=str,
)
def test_what_is_written_fits(parameters):
    made, tool = grammar(parameters)
    assert made is not None
    form = detect("<|tool_call><tool_call|>", {})
    drawn = sampler(form.markers)
    answers = [answer for seed in range(8) if (answer := drawn.answer(made, seed)) is not None]
    assert answers
    for answer in answers:
        seen = outcome(form, answer, tools=[tool])
        assert seen.said == "", answer
        for _, arguments in seen.complete:
            jsonschema.validate(arguments, parameters)
        assert seen.complete


@pytest.mark.parametrize(
    "inner",
    [
        {"allOf": [{"type": "string"}]},
        {"not": {"type": "string"}},
        {"type": "array", "items": {"type": "object", "patternProperties": {"^a": {}}}},
        {"$ref": "#/$defs/nowhere"},
        {"type": "colour"},
        False,
    ],
    ids=str,
)
def test_what_cannot_be_told_makes_no_grammar(inner):
    assert grammar({"properties": {"x": inner}})[0] is None
