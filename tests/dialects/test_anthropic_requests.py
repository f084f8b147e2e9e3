"""Anthropic bodies to neutral requests: what is honoured, refused, ignored, and said about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lmxd.dialects import anthropic
from schemas.errors import Code, RequestError
from schemas.inference import (
    Grammar,
    Message,
    Reasoning,
    ReasoningPart,
    Sampling,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
    ToolUse,
)

HELLO = [{"role": "user", "content": "hello"}]
WEATHER = {"name": "weather", "description": "of a city", "input_schema": {"type": "object"}}


def asked(**fields: Any) -> anthropic.Asked:
    body = {"model": "day-coder", "max_tokens": 64, "messages": HELLO, **fields}
    return anthropic.messages(body, "msg_1")


def refusal(**fields: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        asked(**fields)
    return caught.value


def said(*messages: dict[str, Any], **fields: Any) -> tuple[Message, ...]:
    return asked(messages=list(messages), **fields).request.messages


def text(*texts: str) -> tuple[TextPart, ...]:
    return tuple(TextPart(each) for each in texts)


def test_the_least_request() -> None:
    found = asked()
    assert (found.request.id, found.request.name, found.request.kind) == (
        "msg_1",
        "day-coder",
        "chat",
    )
    assert found.request.messages == (Message("user", text("hello")),)
    assert (found.request.max_tokens, found.request.identity) == (64, "anonymous")
    assert (found.stream, found.shown, found.ignored) == (False, "nothing", ())
    assert found.request.reasoning == Reasoning(effort="none")


def test_sampling_stops_and_who_asks() -> None:
    found = asked(
        temperature=0.5,
        top_p=0.9,
        top_k=40,
        stop_sequences=["END", ""],
        metadata={"user_id": "u-1"},
        stream=True,
    )
    assert found.request.sampling == Sampling(temperature=0.5, top_p=0.9, top_k=40)
    assert (found.request.stop, found.request.identity, found.stream) == (("END",), "u-1", True)


@pytest.mark.parametrize(
    "system", ["one\n\ntwo", [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]]
)
def test_a_system_prompt_is_text_or_blocks(system: object) -> None:
    assert said(*HELLO, system=system)[0] == Message("system", text("one\n\ntwo"))


def test_a_conversation_with_tools_and_thoughts() -> None:
    found = said(
        {"role": "user", "content": "weather in Rome and Oslo?"},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "two calls", "signature": "x"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"c": "Röm"}},
                {"type": "tool_use", "id": "toolu_2", "name": "weather", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"},
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_2",
                    "content": [{"type": "text", "text": "no such city"}],
                    "is_error": True,
                },
                {"type": "text", "text": "and now?"},
            ],
        },
        tools=[WEATHER],
    )
    assert found[1].parts == (
        ReasoningPart("two calls"),
        TextPart("I look."),
        ToolCallPart("toolu_1", "weather", '{"c": "Röm"}'),
        ToolCallPart("toolu_2", "weather", "{}"),
    )
    assert found[2:] == (
        Message("tool", (ToolResultPart("toolu_1", "sunny"),), "weather"),
        Message("tool", (ToolResultPart("toolu_2", "Error: no such city"),), "weather"),
        Message("user", text("and now?")),
    )


def test_neighbours_of_one_role_are_one_turn() -> None:
    found = said(
        {"role": "user", "content": "a"},
        {"role": "user", "content": [{"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "c"},
        {"role": "user", "content": "d"},
    )
    assert found == (
        Message("user", text("a", "b")),
        Message("assistant", text("c")),
        Message("user", text("d")),
    )


def test_an_answer_can_be_begun() -> None:
    begun = [*HELLO, {"role": "assistant", "content": "Well,"}]
    assert asked(messages=begun).request.prefill
    assert not asked().request.prefill


def test_redacted_thinking_of_others_is_named_and_left_out() -> None:
    turn = {"role": "assistant", "content": [{"type": "redacted_thinking", "data": "xx"}]}
    found = asked(messages=[*HELLO, turn, *HELLO])
    assert found.request.messages[1] == Message("assistant", ())
    assert found.ignored == ("messages[1].content[0]",)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (None, ToolUse()),
        ({"type": "auto"}, ToolUse()),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolUse(parallel=False)),
        ({"type": "none"}, ToolUse("none")),
        ({"type": "any"}, ToolUse("required")),
        (
            {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
            ToolUse("required", ("weather",), parallel=False),
        ),
    ],
)
def test_tools_and_their_choice(choice: Any, expected: ToolUse) -> None:
    found = asked(tools=[WEATHER | {"cache_control": {"type": "ephemeral"}}], tool_choice=choice)
    assert found.request.tools == (Tool("weather", "of a city", {"type": "object"}),)
    assert found.request.tool_use == expected
    assert found.ignored == ()


@pytest.mark.parametrize(
    ("thinking", "effort", "expected", "shown"),
    [
        ({"type": "disabled"}, "high", Reasoning(effort="none"), "nothing"),
        ({"type": "enabled", "budget_tokens": 1024}, None, Reasoning("medium", 1024), "all"),
        ({"type": "adaptive"}, "max", Reasoning("high"), "all"),
        ({"type": "adaptive", "display": "omitted"}, "low", Reasoning("low"), "signature"),
    ],
)
def test_thinking(thinking: Any, effort: str | None, expected: Reasoning, shown: str) -> None:
    found = asked(thinking=thinking, output_config={"effort": effort})
    assert (found.request.reasoning, found.shown) == (expected, shown)


@pytest.mark.parametrize("where", ["output_config", "output_format"])
def test_an_answer_that_must_match_a_schema(where: str) -> None:
    schema = {"type": "object", "properties": {"ä": {"type": "string"}}}
    form = {"type": "json_schema", "schema": schema}
    value = {"format": form} if where == "output_config" else form
    found = asked(**{where: value}).request.format
    assert found is not None
    assert (found.kind, json.loads(found.text)) == ("schema", schema)
    assert isinstance(found, Grammar)


def test_what_a_coding_agent_sends_passes_without_a_word() -> None:
    cached = {"type": "ephemeral", "ttl": "1h"}
    found = asked(
        system=[
            {"type": "text", "text": "You are an agent.", "cache_control": cached},
            {"type": "text", "text": "Be brief.", "cache_control": cached},
        ],
        messages=[
            {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": cached}]}
        ],
        tools=[WEATHER | {"eager_input_streaming": True, "cache_control": cached}],
        metadata={"user_id": "user_1_account__session_2"},
        context_management={"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        thinking={"type": "adaptive"},
        output_config={"effort": "medium"},
        service_tier="auto",
        stream=True,
    )
    assert found.ignored == ()
    assert found.request.messages[0].text == "You are an agent.\n\nBe brief."


def test_unknown_fields_are_named() -> None:
    turn = {"role": "user", "content": [{"type": "text", "text": "a", "mood": 1}], "odd": 2}
    found = asked(messages=[turn], surprise=1, tools=[WEATHER | {"colour": 1}])
    assert set(found.ignored) == {
        "surprise",
        "messages[0].odd",
        "messages[0].content[0].mood",
        "tools[0].colour",
    }


def test_a_count_needs_no_bound_and_has_the_same_prompt() -> None:
    body = {"model": "m", "messages": HELLO, "system": "s", "tools": [WEATHER]}
    found = anthropic.count(body, "cnt_1").request
    assert (found.kind, found.max_tokens) == ("count", None)
    assert found.messages == asked(system="s").request.messages
    assert found.tools[0].name == "weather"


IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}}


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"max_tokens": None}, Code.INVALID_REQUEST, "max_tokens"),
        ({"max_tokens": 0}, Code.INVALID_REQUEST, "max_tokens"),
        ({"max_tokens": "9"}, Code.INVALID_REQUEST, "max_tokens"),
        ({"messages": []}, Code.INVALID_REQUEST, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, Code.INVALID_REQUEST, None),
        ({"messages": [{"role": "user"}]}, Code.INVALID_REQUEST, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [IMAGE]}]},
            Code.UNSUPPORTED_PARAMETER,
            "messages[0].content[0]",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "thinking", "thinking": "x"}]}]},
            Code.INVALID_REQUEST,
            "messages[0].content[0]",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "x"}]}]},
            Code.INVALID_REQUEST,
            "messages[0].content[0].tool_use_id",
        ),
        ({"system": [IMAGE]}, Code.UNSUPPORTED_PARAMETER, "system[0]"),
        (
            {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
            Code.UNSUPPORTED_PARAMETER,
            "tools[0]",
        ),
        ({"tools": [{"name": "x"}]}, Code.INVALID_REQUEST, "tools[0].input_schema"),
        ({"tool_choice": {"type": "any"}}, Code.INVALID_REQUEST, "tool_choice"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "tool", "name": "b"}},
            Code.INVALID_REQUEST,
            "tool_choice.name",
        ),
        ({"tools": [WEATHER, WEATHER]}, Code.INVALID_REQUEST, "tools[1].name"),
        ({"thinking": {"type": "enabled"}}, Code.INVALID_REQUEST, "thinking.budget_tokens"),
        ({"container": "c-1"}, Code.UNSUPPORTED_PARAMETER, "container"),
        ({"mcp_servers": [{}]}, Code.UNSUPPORTED_PARAMETER, "mcp_servers"),
        ({"output_format": {"type": "text"}}, Code.INVALID_REQUEST, None),
        ({"temperature": 3}, Code.INVALID_REQUEST, "temperature"),
    ],
)
def test_what_is_refused_is_named(fields: dict[str, Any], code: Code, param: str | None) -> None:
    error = refusal(**fields)
    assert error.code == code
    assert error.param
    assert param is None or error.param == param


def test_what_no_frame_holds_is_refused() -> None:
    deep: Any = 1
    for _ in range(80):
        deep = [deep]
    for schema in ({"a": deep}, {"maximum": 2**70}):
        tool = {"name": "t", "input_schema": schema}
        assert refusal(tools=[tool]).param == "tools[0].input_schema"
        assert refusal(output_format={"type": "json_schema", "schema": schema}).param == (
            "output_format.schema"
        )
        call = {"type": "tool_use", "id": "1", "name": "t", "input": schema}
        turn = {"role": "assistant", "content": [call]}
        assert refusal(messages=[*HELLO, turn]).param == "messages[1].content[0].input"
