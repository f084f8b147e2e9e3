"""Parameters of chat bodies beyond the plain ones, as the neutral request carries them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lmxd.dialects import openai
from schemas.errors import Code, RequestError
from schemas.inference import Grammar, Reasoning, Request, Sampling

HELLO = [{"role": "user", "content": "hello"}]
SCHEMA = {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "string"}}}


def translated(**fields: Any) -> Request:
    return openai.chat({"model": "m", "messages": HELLO, **fields}, "chatcmpl-1").request


def refusal(**fields: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        translated(**fields)
    return caught.value


def test_everything_about_sampling() -> None:
    asked = translated(
        presence_penalty=-2,
        frequency_penalty=0.5,
        repetition_penalty=1.1,
        xtc_probability=0.5,
        xtc_threshold=0.1,
        logit_bias={"50256": -100, "7": 1.5},
    ).sampling
    assert asked == Sampling(
        presence=-2,
        frequency=0.5,
        repetition=1.1,
        xtc_probability=0.5,
        xtc_threshold=0.1,
        logit_bias={50256: -100.0, 7: 1.5},
    )
    assert translated(repeat_penalty=1.2).sampling.repetition == 1.2
    assert translated(repeat_penalty=1.2, repetition_penalty=1.2).sampling.repetition == 1.2
    assert translated(logit_bias={}).sampling.logit_bias is None


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"logprobs": False}, None),
        ({"logprobs": False, "top_logprobs": 0}, None),
        ({"logprobs": True}, 0),
        ({"logprobs": True, "top_logprobs": 20}, 20),
    ],
)
def test_logprobs(fields: dict[str, Any], expected: int | None) -> None:
    assert translated(**fields).logprobs == expected


def test_several_answers() -> None:
    assert translated(n=32).n == 32
    assert translated(n=None).n == translated().n == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 0),
        ({"priority": -7}, -7),
        ({"service_tier": "auto"}, 0),
        ({"service_tier": "flex"}, -1),
        ({"service_tier": "priority"}, 1),
        ({"service_tier": "flex", "priority": 3}, 3),
    ],
)
def test_priority(fields: dict[str, Any], expected: int) -> None:
    assert translated(**fields).priority == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, Reasoning()),
        ({"reasoning_effort": "none"}, Reasoning("none")),
        ({"reasoning_effort": "xhigh"}, Reasoning("high")),
        ({"reasoning": {"effort": "low", "max_tokens": 64}}, Reasoning("low", 64)),
        ({"reasoning": {"enabled": False}}, Reasoning("none")),
        ({"reasoning": {"enabled": True}}, Reasoning()),
        ({"reasoning": {"effort": "low"}, "reasoning_effort": "high"}, Reasoning("high")),
        ({"thinking_budget": 0}, Reasoning(None, 0)),
    ],
    ids=lambda value: repr(value)[:70],
)
def test_reasoning(fields: dict[str, Any], expected: Reasoning) -> None:
    assert translated(**fields).reasoning == expected


def test_hidden_reasoning_is_not_supported() -> None:
    error = refusal(reasoning={"exclude": True})
    assert (error.code, error.param) == (Code.UNSUPPORTED_PARAMETER, "reasoning.exclude")


SCHEMA_TEXT = json.dumps(SCHEMA, separators=(",", ":"))
SCHEMATIC = Grammar("schema", SCHEMA_TEXT)
YES_OR_NO = Grammar("lark", 'start: "yes" | "no \\"n\\""')


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"response_format": None}, None),
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": {"type": "json_object"}}, Grammar("json")),
        ({"response_format": {"type": "json_object", "schema": SCHEMA}}, SCHEMATIC),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
            SCHEMATIC,
        ),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {
                        "name": "n",
                        "strict": True,
                        "schema": SCHEMA,
                        "description": "d",
                    },
                }
            },
            SCHEMATIC,
        ),
        ({"json_schema": SCHEMA}, SCHEMATIC),
        ({"json_schema": {}}, None),
        ({"guided_json": SCHEMA}, SCHEMATIC),
        ({"guided_json": json.dumps(SCHEMA)}, SCHEMATIC),
        ({"guided_json": {}}, Grammar("schema", "{}")),
        ({"guided_regex": "a+"}, Grammar("regex", "a+")),
        ({"regex": "a+"}, Grammar("regex", "a+")),
        ({"guided_grammar": 'start: "a"'}, Grammar("lark", 'start: "a"')),
        ({"grammar": 'start: "a"'}, Grammar("lark", 'start: "a"')),
        ({"grammar": ""}, None),
        ({"guided_choice": ["yes", 'no "n"']}, YES_OR_NO),
        ({"structured_outputs": {"json": SCHEMA}}, SCHEMATIC),
        ({"structured_outputs": {"regex": "a+"}}, Grammar("regex", "a+")),
        ({"structured_outputs": {"choice": ["yes", 'no "n"']}}, YES_OR_NO),
        ({"structured_outputs": {"grammar": "start: A"}}, Grammar("lark", "start: A")),
        ({"structured_outputs": {"json_object": True}}, Grammar("json")),
        ({"structured_outputs": {"json_object": False}}, None),
    ],
    ids=lambda value: repr(value)[:70],
)
def test_what_the_answer_must_match(fields: dict[str, Any], expected: Grammar | None) -> None:
    assert translated(**fields).format == expected


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": "json"}, "response_format"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema.schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": 1}}},
            "response_format.json_schema.schema",
        ),
        ({"guided_json": "not json"}, "guided_json"),
        ({"guided_json": "[1]"}, "guided_json"),
        ({"guided_json": 7}, "guided_json"),
        ({"guided_choice": []}, "guided_choice"),
        ({"guided_choice": ["a"], "guided_regex": "b"}, "guided_choice"),
        ({"regex": "a", "response_format": {"type": "json_object"}}, "regex"),
        ({"structured_outputs": {"regex": "a", "choice": ["b"]}}, "structured_outputs.choice"),
        ({"structured_outputs": []}, "structured_outputs"),
    ],
    ids=lambda value: repr(value)[:70],
)
def test_constraints_that_make_no_sense(fields: dict[str, Any], param: str) -> None:
    error = refusal(**fields)
    assert (error.code, error.param) == (Code.INVALID_REQUEST, param)
    assert error.message.startswith(param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"response_format": {"type": "structural_tag"}}, "response_format.type"),
        ({"structured_outputs": {"structural_tag": "x"}}, "structured_outputs.structural_tag"),
    ],
)
def test_constraints_nobody_can_hold(fields: dict[str, Any], param: str) -> None:
    error = refusal(**fields)
    assert (error.code, error.param) == (Code.UNSUPPORTED_PARAMETER, param)


def test_whether_a_last_assistant_message_is_over() -> None:
    start = [*HELLO, {"role": "assistant", "content": "Once"}]
    assert translated(messages=start).prefill
    assert translated(messages=start, continue_final_message=True).prefill
    assert not translated(messages=start, continue_final_message=False).prefill
    wishes = {"continue_final_message": True, "add_generation_prompt": False}
    assert translated(messages=start, **wishes).prefill
    error = refusal(add_generation_prompt=False)
    assert (error.code, error.param) == (Code.UNSUPPORTED_PARAMETER, "add_generation_prompt")
