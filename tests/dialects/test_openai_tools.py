"""Tools, calls and their results in chat bodies."""

from __future__ import annotations

from typing import Any

import pytest

from lmxd.dialects import openai
from schemas.errors import Code, RequestError
from schemas.inference import (
    Message,
    ReasoningPart,
    Request,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    ToolUse,
)

HELLO = [{"role": "user", "content": "hello"}]
SCHEMA: dict[str, object] = {
    "type": "object",
    "properties": {"at": {"type": "string"}},
    "required": ["at"],
}
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "Tells it.", "parameters": SCHEMA},
}
CLOCK: dict[str, Any] = {"type": "function", "function": {"name": "clock", "strict": True}}
TOOLS = [WEATHER, CLOCK]


def translated(**fields: Any) -> Request:
    return openai.chat({"model": "m", "messages": HELLO, **fields}, "chatcmpl-1").request


def refusal(**fields: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        translated(**fields)
    return caught.value


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


def allowed(mode: str, *names: str) -> dict[str, Any]:
    inner = {"mode": mode, "tools": [named(name) for name in names]}
    return {"type": "allowed_tools", "allowed_tools": inner}


def test_tools() -> None:
    assert translated(tools=TOOLS).tools == (
        Tool("weather", "Tells it.", SCHEMA),
        Tool("clock", "", {"type": "object", "properties": {}}),
    )
    assert translated(tools=[]).tools == ()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ToolUse()),
        ({"tool_choice": "auto"}, ToolUse("auto")),
        ({"tool_choice": "none"}, ToolUse("none")),
        ({"tool_choice": "required"}, ToolUse("required")),
        ({"parallel_tool_calls": False}, ToolUse(parallel=False)),
        (
            {"tool_choice": "required", "parallel_tool_calls": False},
            ToolUse("required", parallel=False),
        ),
        ({"tool_choice": named("clock")}, ToolUse("required", ("clock",), parallel=False)),
        ({"tool_choice": allowed("auto", "clock", "clock")}, ToolUse("auto", ("clock",))),
        (
            {"tool_choice": allowed("required", "clock", "weather")},
            ToolUse("required", ("clock", "weather")),
        ),
    ],
    ids=lambda value: repr(value)[:70],
)
def test_whether_they_are_called(fields: dict[str, Any], expected: ToolUse) -> None:
    assert translated(tools=TOOLS, **fields).tool_use == expected


@pytest.mark.parametrize("choice", ["auto", "none", None])
def test_no_tools_and_no_wish_for_any(choice: str | None) -> None:
    assert translated(tool_choice=choice, parallel_tool_calls=True).tools == ()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": {}}, "tools"),
        ({"tools": [{}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
        ({"tools": [named("")]}, "tools[0].function.name"),
        ({"tools": [named("a b")]}, "tools[0].function.name"),
        ({"tools": [named("a" * 129)]}, "tools[0].function.name"),
        ({"tools": [CLOCK, CLOCK]}, "tools[1].function.name"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": []}}]},
            "tools[0].function.parameters",
        ),
        (
            {
                "tools": [
                    {"type": "function", "function": {"name": "f", "parameters": {"a": 2**64}}}
                ]
            },
            "tools[0].function.parameters",
        ),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tool_choice": "any", "tools": TOOLS}, "tool_choice"),
        ({"tool_choice": 1, "tools": TOOLS}, "tool_choice"),
        ({"tool_choice": {"type": "function"}, "tools": TOOLS}, "tool_choice.function"),
        ({"tool_choice": named("x"), "tools": TOOLS}, "tool_choice.function.name"),
        (
            {"tool_choice": {"type": "allowed_tools"}, "tools": TOOLS},
            "tool_choice.allowed_tools",
        ),
        (
            {"tool_choice": allowed("auto", "clock", "x"), "tools": TOOLS},
            "tool_choice.allowed_tools.tools[1].function.name",
        ),
        ({"parallel_tool_calls": "yes"}, "parallel_tool_calls"),
    ],
    ids=lambda value: repr(value)[:70],
)
def test_tools_that_make_no_sense(fields: dict[str, Any], param: str) -> None:
    error = refusal(**fields)
    assert (error.code, error.param) == (Code.INVALID_REQUEST, param)
    assert error.message.startswith(param)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tool_choice": {"type": "custom"}, "tools": TOOLS}, "tool_choice.type"),
    ],
)
def test_tools_that_are_no_functions(fields: dict[str, Any], param: str) -> None:
    error = refusal(**fields)
    assert (error.code, error.param) == (Code.UNSUPPORTED_PARAMETER, param)


def call(name: str, arguments: Any, ident: str = "call_1") -> dict[str, Any]:
    return {"id": ident, "type": "function", "function": {"name": name, "arguments": arguments}}


def said(**fields: Any) -> dict[str, Any]:
    return {"role": "assistant", **fields}


def test_calls_and_results_in_the_conversation() -> None:
    spoken = [
        *HELLO,
        said(
            content="I look.",
            reasoning_content="hm",
            tool_calls=[call("weather", '{"at": "x"}'), call("clock", "", "call_2")],
        ),
        {"role": "tool", "tool_call_id": "call_2", "content": "noon"},
        {
            "role": "tool",
            "tool_call_id": "call_1",
            "content": [{"type": "text", "text": "wa"}, {"type": "text", "text": "rm"}],
        },
        said(content=None, reasoning="hmm", tool_calls=[call("clock", {"a": 1})]),
        {"role": "tool", "tool_call_id": "elsewhere", "content": "late", "name": "bell"},
    ]
    assert translated(messages=spoken).messages[1:] == (
        Message(
            "assistant",
            (
                ReasoningPart("hm"),
                TextPart("I look."),
                ToolCallPart("call_1", "weather", '{"at": "x"}'),
                ToolCallPart("call_2", "clock", "{}"),
            ),
        ),
        Message("tool", (ToolResultPart("call_2", "noon"),), "clock"),
        Message("tool", (ToolResultPart("call_1", "warm"),), "weather"),
        Message("assistant", (ReasoningPart("hmm"), ToolCallPart("call_1", "clock", '{"a":1}'))),
        Message("tool", (ToolResultPart("elsewhere", "late"),), "bell"),
    )


def test_calls_are_not_the_beginning_of_an_answer() -> None:
    last = said(content="I look.", tool_calls=[call("clock", "{}")])
    assert not translated(messages=[*HELLO, last]).prefill


@pytest.mark.parametrize(
    ("message", "param"),
    [
        (said(tool_calls=[]), "content"),
        (said(tool_calls=[{"type": "function"}]), "tool_calls[0].id"),
        (said(tool_calls=[{"id": "a"}]), "tool_calls[0].function"),
        (said(tool_calls=[call("f", "[1]")]), "tool_calls[0].function.arguments"),
        (said(tool_calls=[call("f", '{"a":')]), "tool_calls[0].function.arguments"),
        (said(tool_calls=[call("f", 7)]), "tool_calls[0].function.arguments"),
        ({"role": "tool", "content": "42"}, "tool_call_id"),
        ({"role": "user", "content": "a", "tool_calls": [call("f", "{}")]}, "tool_calls"),
        (said(content="a", reasoning_content=7), "reasoning_content"),
    ],
    ids=lambda value: repr(value)[:70],
)
def test_calls_that_make_no_sense(message: dict[str, Any], param: str) -> None:
    error = refusal(messages=[*HELLO, message])
    assert (error.code, error.param) == (Code.INVALID_REQUEST, f"messages[1].{param}")


def test_calls_that_are_no_functions() -> None:
    other = {"id": "a", "type": "custom", "custom": {"name": "f", "input": "x"}}
    error = refusal(messages=[*HELLO, said(tool_calls=[other])])
    assert error.param == "messages[1].tool_calls[0].type"
    assert error.code is Code.UNSUPPORTED_PARAMETER


def test_what_has_no_effect_is_named() -> None:
    body: dict[str, Any] = {
        "model": "m",
        "messages": HELLO,
        "tools": [{**WEATHER, "cache_control": {"type": "ephemeral"}}, CLOCK],
        "response_format": {"type": "text", "mood": 1},
    }
    assert openai.chat(body, "chatcmpl-1").ignored == (
        "tools[0].cache_control",
        "tools[1].function.strict",
        "response_format.mood",
    )
    forced = {**body, "tool_choice": {**allowed("required", "clock"), "mood": 1}}
    assert openai.chat(forced, "chatcmpl-1").ignored == (
        "tools[0].cache_control",
        "tool_choice.mood",
        "response_format.mood",
    )
