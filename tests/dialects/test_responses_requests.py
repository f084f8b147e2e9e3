"""Bodies of the Responses API to neutral requests, with what they refer to."""

from __future__ import annotations

from typing import Any

import pytest

from lmxd.dialects import responses
from lmxd.kept_responses import Kept
from schemas.errors import Code, RequestError
from schemas.inference import (
    Grammar,
    Message,
    Reasoning,
    ReasoningPart,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    ToolUse,
)

ID = "resp_" + "a" * 32
BEFORE = "resp_" + "b" * 32
SCHEMA: dict[str, object] = {"type": "object", "properties": {"at": {"type": "string"}}}
TOOLS: list[dict[str, Any]] = [
    {"type": "function", "name": "weather", "description": "Tells it.", "parameters": SCHEMA},
    {"type": "function", "name": "clock", "strict": True},
]
THOUGHT = {"type": "reasoning_text", "text": "hm"}
CALL: dict[str, object] = {
    "type": "function_call",
    "call_id": "c1",
    "name": "clock",
    "arguments": "{}",
}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "noon"}


def asked(known: dict[str, Kept] | None = None, **fields: Any) -> responses.Asked:
    body = {"model": "m", "input": "hello", **fields}
    return responses.translate(responses.draft(body, ID), known or {})


def refusal(known: dict[str, Kept] | None = None, **fields: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        asked(known, **fields)
    return caught.value


def of_part(part: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": [part]}


def said(role: Any, text: str) -> Message:
    return Message(role, (TextPart(text),))


def test_the_least_request() -> None:
    got = asked()
    assert got.request.id == ID
    assert got.request.messages == (said("user", "hello"),)
    assert not got.stream
    assert got.store
    assert got.ignored == ()
    assert got.context == [
        {
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": "hello"}],
            "id": f"msg_{'a' * 32}_i0",
            "status": "completed",
        }
    ]


def test_everything_beside_the_conversation() -> None:
    got = asked(
        instructions="be terse",
        max_output_tokens=9,
        temperature=0,
        top_p=0.5,
        seed=3,
        stop="x",
        stream=True,
        store=False,
        user="ann",
        service_tier="flex",
        include=["message.output_text.logprobs", "reasoning.encrypted_content"],
        reasoning={"effort": "low", "summary": "auto"},
        text={"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}},
        metadata={"a": "b"},
        mood="good",
    )
    request = got.request
    assert request.messages == (said("system", "be terse"), said("user", "hello"))
    assert (request.max_tokens, request.stop, request.logprobs) == (9, ("x",), 0)
    assert (request.sampling.temperature, request.sampling.seed) == (0, 3)
    assert request.reasoning == Reasoning("low")
    assert request.format == Grammar(
        "schema", '{"type":"object","properties":{"at":{"type":"string"}}}'
    )
    assert (request.identity, request.priority) == ("ann", -1)
    assert (got.stream, got.store) == (True, False)
    assert got.ignored == ("mood",)
    assert got.shell["metadata"] == {"a": "b"}
    assert got.shell["text"] == {
        "format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}
    }
    assert got.shell["instructions"] == "be terse"


@pytest.mark.parametrize(
    ("format_", "expected"),
    [({"type": "text"}, None), ({"type": "json_object"}, Grammar("json"))],
)
def test_other_formats(format_: dict[str, Any], expected: Grammar | None) -> None:
    assert asked(text={"format": format_}).request.format == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ToolUse()),
        ({"tool_choice": "required"}, ToolUse("required")),
        ({"tool_choice": "none"}, ToolUse("none")),
        ({"parallel_tool_calls": False}, ToolUse(parallel=False)),
        (
            {"tool_choice": {"type": "function", "name": "clock"}},
            ToolUse("required", ("clock",), parallel=False),
        ),
        (
            {
                "tool_choice": {
                    "type": "allowed_tools",
                    "mode": "required",
                    "tools": [{"type": "function", "name": "clock"}],
                }
            },
            ToolUse("required", ("clock",)),
        ),
    ],
)
def test_tools(fields: dict[str, Any], expected: ToolUse) -> None:
    got = asked(tools=TOOLS, **fields)
    assert got.request.tools == (
        Tool("weather", "Tells it.", SCHEMA),
        Tool("clock", "", {"type": "object", "properties": {}}),
    )
    assert got.request.tool_use == expected
    assert got.shell["tools"] == [
        {**TOOLS[0], "strict": None},
        {**TOOLS[1], "parameters": None},
    ]


def test_items_become_turns() -> None:
    got = asked(
        input=[
            {"role": "developer", "content": "be kind"},
            {"role": "user", "content": [{"type": "input_text", "text": "time?"}]},
            {
                "type": "reasoning",
                "summary": [],
                "content": [{"type": "reasoning_text", "text": "hm"}],
            },
            {"type": "message", "role": "assistant", "content": "I look."},
            CALL,
            {**CALL, "call_id": "c2", "name": "weather"},
            RESULT,
            {**RESULT, "call_id": "c2", "output": [{"type": "input_text", "text": "warm"}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "so"}]},
            {"role": "assistant", "content": [{"type": "output_text", "text": "Noon."}]},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
            {"type": "reasoning", "summary": []},
            {"role": "user", "content": "thanks"},
        ]
    )
    assert got.request.messages == (
        said("system", "be kind"),
        said("user", "time?"),
        Message(
            "assistant",
            (
                ReasoningPart("hm"),
                TextPart("I look."),
                ToolCallPart("c1", "clock", "{}"),
                ToolCallPart("c2", "weather", "{}"),
            ),
        ),
        Message("tool", (ToolResultPart("c1", "noon"),), "clock"),
        Message("tool", (ToolResultPart("c2", "warm"),), "weather"),
        Message("assistant", (ReasoningPart("so"), TextPart("Noon."))),
        said("assistant", "No."),
        said("user", "thanks"),
    )
    assert got.ignored == ()


def kept_before() -> Kept:
    output: dict[str, object] = {
        "id": f"fc_{'b' * 32}_0",
        "type": "function_call",
        "status": "completed",
        "call_id": "c1",
        "name": "clock",
        "arguments": "{}",
    }
    first: dict[str, object] = {
        "id": "msg_x",
        "type": "message",
        "role": "user",
        "content": "time?",
    }
    return Kept({"id": BEFORE, "output": [output]}, [first])


def test_a_conversation_goes_on() -> None:
    got = asked({BEFORE: kept_before()}, previous_response_id=BEFORE, input=[RESULT])
    assert got.request.messages == (
        said("user", "time?"),
        Message("assistant", (ToolCallPart("c1", "clock", "{}"),)),
        Message("tool", (ToolResultPart("c1", "noon"),), "clock"),
    )
    assert [item["type"] for item in got.context] == [
        "message",
        "function_call",
        "function_call_output",
    ]
    assert got.shell["previous_response_id"] == BEFORE


def test_items_may_be_referred_to() -> None:
    reference = {"type": "item_reference", "id": f"fc_{'b' * 32}_0"}
    body = {"model": "m", "input": [{"role": "user", "content": "time?"}, reference, RESULT]}
    draft = responses.draft(body, ID)
    assert draft.needs == {BEFORE}
    got = responses.translate(draft, {BEFORE: kept_before()})
    assert got.request.messages[1] == Message("assistant", (ToolCallPart("c1", "clock", "{}"),))
    assert refusal(input=[reference]).param == "input[0].id"


def test_what_is_needed_is_known_before_anything_is_read() -> None:
    assert responses.draft({"model": "m", "input": "a"}, ID).needs == frozenset()
    body = {"model": "m", "input": "a", "previous_response_id": BEFORE}
    assert responses.draft(body, ID).needs == {BEFORE}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": None}, "input"),
        ({"input": []}, "input"),
        ({"input": 7}, "input"),
        ({"input": ["a"]}, "input[0]"),
        ({"input": [{}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": "king", "content": "a"}]}, "input[0].role"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_text"}]}]},
            "input[0].content[0].text",
        ),
        ({"input": [{"type": "function_call"}]}, "input[0].call_id"),
        ({"input": [{**CALL, "arguments": "[1]"}]}, "input[0].arguments"),
        ({"input": [{"type": "function_call_output", "call_id": "a"}]}, "input[0].output"),
        ({"previous_response_id": BEFORE}, "previous_response_id"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"top_logprobs": 21}, "top_logprobs"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"tools": [TOOLS[1], TOOLS[1]]}, "tools[1].name"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "name": "x"}}, "tool_choice.name"),
        ({"tools": TOOLS, "tool_choice": {"type": "function"}}, "tool_choice.name"),
        ({"tools": TOOLS, "tool_choice": {"type": "allowed_tools"}}, "tool_choice.tools"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"reasoning": {"effort": "hard"}}, "reasoning.effort"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_bad_input_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    error = refusal(**fields)
    assert (error.code, error.param) == (Code.INVALID_REQUEST, param)
    assert error.message.startswith(param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": TOOLS, "tool_choice": {"type": "file_search"}}, "tool_choice.type"),
        ({"input": [{"type": "web_search_call", "id": "a"}]}, "input[0].type"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "input[0].content[0]",
        ),
        ({"text": {"format": {"type": "grammar"}}}, "text.format.type"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"conversation": "conv_1"}, "conversation"),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_what_cannot_be_done_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    error = refusal(**fields)
    assert (error.code, error.param) == (Code.UNSUPPORTED_PARAMETER, param)


def test_what_has_no_effect_is_named() -> None:
    format_ = {"type": "text", "mood": 1}
    got = asked(tools=[{**TOOLS[0], "mood": 1}, TOOLS[1]], text={"format": format_})
    assert got.ignored == ("text.format.mood", "tools[0].mood", "tools[1].strict")
    assert asked(tools=TOOLS, tool_choice="required").ignored == ()
