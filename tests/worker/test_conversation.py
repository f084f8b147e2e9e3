"""Messages, tools and wishes in the shapes that chat templates know."""

import pytest

from lmxd.worker.conversation import TemplateWords, messages, tools, variables
from schemas.inference import (
    Message,
    Reasoning,
    ReasoningPart,
    Request,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)

PLAIN = TemplateWords("{{ messages }}")
TALK = (
    Message("system", (TextPart("Be "), TextPart("brief."))),
    Message("user", (TextPart("Add."),), name="ann"),
    Message(
        "assistant",
        (
            ReasoningPart("hm"),
            TextPart("Well."),
            ToolCallPart("c1", "add", '{"a": 1}'),
            ToolCallPart("c2", "now", ""),
            ToolCallPart("c3", "odd", "{cut"),
        ),
    ),
    Message("tool", (ToolResultPart("c1", "2"),)),
    Message("user", (ToolResultPart("c2", "noon"), TextPart("And?"))),
)


def request(**fields):
    return Request("r", "m", **fields)


def test_a_conversation_with_calls_and_results():
    told = messages(request(messages=TALK), PLAIN)
    assert told[:2] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Add.", "name": "ann"},
    ]
    assert told[2]["content"] == "Well."
    assert [call["function"]["arguments"] for call in told[2]["tool_calls"]] == [
        {"a": 1},
        {},
        "{cut",
    ]
    assert [call["id"] for call in told[2]["tool_calls"]] == ["c1", "c2", "c3"]
    assert told[3:] == [
        {"role": "tool", "content": "2", "tool_call_id": "c1", "name": "add"},
        {"role": "tool", "content": "noon", "tool_call_id": "c2", "name": "now"},
        {"role": "user", "content": "And?"},
    ]


@pytest.mark.parametrize(
    ("template", "key"),
    [
        ("{{ message.reasoning_content }}", "reasoning_content"),
        ("{% if 'thinking' in message %}{{ message['thinking'] }}{% endif %}", "thinking"),
        ("{{ message.content }}", None),
    ],
)
def test_reasoning_goes_where_the_template_looks_for_it(template, key):
    told = messages(request(messages=TALK), TemplateWords(template))
    found = {name: told[2][name] for name in told[2].keys() - {"role", "content", "tool_calls"}}
    assert found == ({} if key is None else {key: "hm"})


def test_an_empty_message_is_still_a_message():
    told = messages(request(messages=(Message("assistant", ()),)), PLAIN)
    assert told == [{"role": "assistant", "content": ""}]


def test_tools_are_openais():
    (told,) = tools((Tool("now", "The time"),))
    assert told == {
        "type": "function",
        "function": {
            "name": "now",
            "description": "The time",
            "parameters": {"type": "object", "properties": {}},
        },
    }


@pytest.mark.parametrize(
    ("template", "reasoning", "told"),
    [
        ("{% if enable_thinking %}x{% endif %}", {"effort": "none"}, {"enable_thinking": False}),
        ("{% if enable_thinking %}x{% endif %}", {"effort": "low"}, {"enable_thinking": True}),
        ("{% if enable_thinking %}x{% endif %}", {}, {}),
        ("{{ thinking }}", {"effort": "none"}, {"thinking": False}),
        ("{{ message.thinking }}{{ message }}", {"effort": "high"}, {}),
        ("{{ reasoning_effort }}", {"effort": "minimal"}, {"reasoning_effort": "low"}),
        ("{{ reasoning_effort }}", {"effort": "high"}, {"reasoning_effort": "high"}),
        ("{{ thinking_budget }}", {"budget": 7}, {"thinking_budget": 7}),
        ("{{ messages }}", {"effort": "high", "budget": 7}, {}),
        ("{% odd %}{{ enable_thinking }}", {"effort": "none"}, {"enable_thinking": False}),
    ],
)
def test_reasoning_is_said_in_the_templates_words(template, reasoning, told):
    wish = request(reasoning=Reasoning(**reasoning))
    assert variables(wish, TemplateWords(template)) == told


def test_what_the_request_says_to_the_template_comes_last():
    wish = request(
        reasoning=Reasoning(effort="none"), template_kwargs={"enable_thinking": True, "x": 1}
    )
    told = variables(wish, TemplateWords("{{ enable_thinking }}"))
    assert told == {"enable_thinking": True, "x": 1}
