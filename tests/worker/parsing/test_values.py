"""Plain text becomes the type that the tool's schema says, and nothing is lost that fits none."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmxd.worker.parsing.values import json_of, kinds_of, property_of

KINDS = ("string", "integer", "number", "boolean", "object", "array", "null")


@pytest.mark.parametrize(
    ("text", "kinds", "expected"),
    [
        ("5", "integer", 5),
        ("5", "string", "5"),
        ("5", "string null", "5"),
        ("null", "string null", None),
        ("null", "string", "null"),
        ("5.0", "integer", 5),
        ("5.5", "integer", 5.5),
        ("5.5", "number", 5.5),
        (".5", "number", 0.5),
        ("12345678901234567890123", "integer", 12345678901234567890123),
        ("inf", "number", "inf"),
        ("True", "boolean", True),
        ("0", "boolean", False),
        ("maybe", "boolean", "maybe"),
        ("[1, 'a']", "array", [1, "a"]),
        ("{'a': None}", "object", {"a": None}),
        ("{broken", "object", "{broken"),
        ("[1]", "string array", [1]),
        ("[1]", "string object", "[1]"),
        ("hello", "", "hello"),
        ("5", "", 5),
        ("'5'", "", "5"),
        ("true", "", True),
        (" x ", "string", " x "),
    ],
)
def test_typed(text, kinds, expected):
    assert json.loads(json_of(text, frozenset(kinds.split()))) == expected


@given(text=st.text(), kinds=st.frozensets(st.sampled_from(KINDS)))
def test_any_text_becomes_json(text, kinds):
    value = json.loads(json_of(text, kinds))
    if kinds == {"string"}:
        assert value == text


@pytest.mark.parametrize(
    ("schema", "kinds"),
    [
        ({"type": "integer"}, "integer"),
        ({"type": ["string", "null"]}, "string null"),
        ({"enum": ["a", 1, None]}, "string integer null"),
        ({"const": True}, "boolean"),
        ({"type": "string", "enum": ["1"]}, "string"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "integer string"),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"type": "array"}}}, "array"),
        ({"$ref": "#/$defs/x", "$defs": {"x": {"$ref": "#/$defs/x"}}}, ""),
        ({"$ref": "http://elsewhere"}, ""),
        ({}, ""),
        ({"type": 7, "enum": "x", "anyOf": 3}, ""),
    ],
)
def test_the_types_a_schema_allows(schema, kinds):
    assert kinds_of(schema) == frozenset(kinds.split())


def test_an_argument_brings_the_definitions_it_refers_to():
    parameters = {"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "array"}}}
    assert kinds_of(property_of(parameters, "a")) == {"array"}
    assert property_of(parameters, "b") == {}
    assert property_of({"properties": 5}, "a") == {}
