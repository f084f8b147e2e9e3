"""A forced answer calls an allowed tool, with arguments that its schema accepts, in every format.

The grammar is compiled against a real tokenizer, both where the markers are control tokens and
where they are plain text, and answers are drawn at random from what it allows.
"""

import jsonschema
import pytest

from lmxd.worker.parsing.detect import detect
from schemas.inference import Tool, ToolUse
from tests.worker.parsing.feeding import outcome
from tests.worker.parsing.sampling import sampler
from tests.worker.parsing.writers import K3, WRITERS, Writer

SHORT = {"type": "string", "maxLength": 6}
BOOK = Tool(
    "book",
    "",
    {
        "type": "object",
        "properties": {
            "who": SHORT,
            "seats": {"type": "integer", "minimum": 1, "maximum": 9},
            "kind": {"enum": ["first", "second", 3, None]},
            "price": {"type": "number"},
            "window": {"type": "boolean"},
            "code": {"type": "string", "pattern": "^[A-Z]{2}[0-9]{1,3}$"},
            "tags": {"type": "array", "items": SHORT, "minItems": 1, "maxItems": 3},
            "meal": {
                "type": "object",
                "properties": {"dish": SHORT, "warm": {"type": "boolean"}},
                "required": ["warm"],
                "additionalProperties": False,
            },
            "back": {"$ref": "#/$defs/day"},
            "note": {"type": ["string", "null"], "maxLength": 5},
        },
        "required": ["who", "seats", "code"],
        "$defs": {"day": {"type": "integer"}},
    },
)
PING = Tool("ping", "", {})
PLACE = Tool(
    "place",
    "",
    {
        "type": "object",
        "properties": {"x": {"anyOf": [{"type": "integer"}, SHORT]}, "y": {"const": 4}},
    },
)
TOOLS = (BOOK, PING, PLACE)
SEEDS = range(8)
FORMATS = list({(each.template, each.name): each for each in WRITERS}.values())


def vocabularies(writer: Writer) -> list[tuple[str, ...]]:
    """The markers as tokens, and as plain text where the format can be told without."""
    return [writer.form.markers, *([] if writer.vocabulary else [()])]


@pytest.mark.parametrize("parallel", [False, True], ids=["one", "many"])
@pytest.mark.parametrize("plain", [False, True], ids=["tokens", "text"])
@pytest.mark.parametrize("writer", FORMATS, ids=lambda writer: writer.name)
def test_forced_calls_fit_their_schemas(writer, plain, parallel):
    if plain and writer.vocabulary:
        pytest.skip("this format is known by its tokens alone")
    drawn = sampler(() if plain else writer.form.markers)
    form = detect(writer.template, drawn.vocabulary)
    assert form.name == writer.name
    grammar = form.grammar(TOOLS, ToolUse("required", parallel=parallel))
    assert grammar is not None
    answers = [answer for seed in SEEDS if (answer := drawn.answer(grammar, seed)) is not None]
    assert len(answers) >= len(SEEDS) - 3, "the grammar hardly ever comes to an end"
    for answer in answers:
        seen = outcome(form, answer, tools=TOOLS, prompt="<|start|>assistant")
        assert seen.said == "", answer
        assert seen.complete, answer
        assert len(seen.complete) == len(seen.calls), answer
        assert parallel or len(seen.complete) == 1
        for name, arguments in seen.complete:
            schema = next(tool.parameters for tool in TOOLS if tool.name == name)
            assert set(arguments) <= set(schema.get("properties", ())), "nobody named these"
            jsonschema.validate(arguments, schema)


@pytest.mark.parametrize("writer", FORMATS, ids=lambda writer: writer.name)
def test_only_the_tools_that_are_allowed_are_called(writer):
    drawn = sampler(writer.form.markers)
    form = detect(writer.template, drawn.vocabulary)
    grammar = form.grammar(TOOLS, ToolUse("required", only=("ping",), parallel=False))
    assert grammar is not None
    answer = drawn.answer(grammar, 1)
    assert answer is not None
    seen = outcome(form, answer, tools=TOOLS, prompt="<|start|>assistant")
    assert seen.complete == [("ping", {})]
    assert form.grammar(TOOLS, ToolUse("required", only=("nobody",))) is None


def test_a_format_without_calls_has_no_grammar():
    assert detect(None, {}).grammar(TOOLS, ToolUse("required")) is None
    assert detect("<think></think>", {}).grammar(TOOLS, ToolUse("required")) is None


def test_the_tokens_of_kimi_are_what_tells_it():
    assert detect(None, dict.fromkeys(K3, 0)).name == "kimi_k3"
