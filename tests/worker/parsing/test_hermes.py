"""Calls between `<tool_call>` tags come out as they are written, and everything else is text."""

import pytest

from lmxd.worker.parsing.detect import detect
from lmxd.worker.parsing.parser import CallArgs, CallEnd, CallStart, Said
from tests.worker.parsing.feeding import TOOLS, outcome, pieces

HERMES = detect("<tool_call> tool_call.name", {})


def test_a_call_and_the_text_around_it():
    text = 'Sure.\n<tool_call>\n{"name": "add", "arguments": {"a": 1, "b": 2}}\n</tool_call>\nDone.'
    assert pieces(HERMES, text) == [
        Said("Sure."),
        CallStart("add"),
        CallArgs('{"a": 1, "b": 2}'),
        CallEnd(),
        Said("\n\nDone."),
    ]


def test_white_space_around_calls_alone_is_not_said():
    call = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
    seen = outcome(HERMES, f"\n\n{call}\n{call}\n")
    assert seen.said == ""
    assert seen.complete == [("now", {}), ("now", {})]


def test_arguments_go_out_as_they_come():
    parser = HERMES.parser(TOOLS, "")
    assert parser.feed('<tool_call>\n{"name": "get_weather", "arguments": {"city": "Ber') == [
        CallStart("get_weather"),
        CallArgs('{"city": "Ber'),
    ]
    assert parser.feed('lin"') == [CallArgs('lin"')]
    assert parser.feed("}") == [CallArgs("}"), CallEnd()]
    assert parser.feed("}\n</tool_call>") == []
    assert parser.finish() == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"arguments": {"a": 1}, "name": "add"}', {"a": 1}),
        ('{"name": "add", "parameters": {"a": 1}}', {"a": 1}),
        ('{"name": "add", "arguments": "{\\"a\\": 1}"}', {"a": 1}),
        (
            '{"type": "function", "id": 7, "function": {"name": "add", "arguments": {"a": 1}}}',
            {"a": 1},
        ),
        ('{"name": "add"}', {}),
        ('{"name": "add", "arguments": null}', {}),
        ("{'name': 'add', 'arguments': {'a': True, 'b': None,}}", {"a": True, "b": None}),
        (
            '{"name": "add", "arguments": {"a": "line\nbreak \\d \\u00e9 \\ud83d\\ude00"}}',
            {"a": "line\nbreak \\d é 😀"},
        ),
        ('{"name": "add", "arguments": {"a": "\\ud83d alone"}}', {"a": "� alone"}),
        ('[{"name": "add", "arguments": {"a": 1}}]', {"a": 1}),
    ],
)
def test_the_ways_models_vary_the_object(body, expected):
    seen = outcome(HERMES, f"<tool_call>{body}</tool_call>")
    assert seen.complete == [("add", expected)]
    assert seen.said == ""


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"name": "rm", "arguments": {"a": 1}}</tool_call>',
        "<tool_call> is a tag",
        '<tool_call>{"name": "add", "arguments": [1]}</tool_call>',
        '<tool_call>{"arguments": {"a": 1}}</tool_call>',
        '<tool_call>{"name": "add"',
        "a < b <tool",
        "one\n\n two \n",
        "",
    ],
)
def test_what_is_no_call_is_said_whole(text):
    assert "".join(piece.text for piece in pieces(HERMES, text) if isinstance(piece, Said)) == text
    assert outcome(HERMES, text).calls == []


def test_a_second_call_that_is_none_is_not_lost():
    call = '{"name": "add", "arguments": {"a": 1}}'
    seen = outcome(HERMES, f'<tool_call>[{call}, {{"name": "rm"}}]</tool_call>')
    assert seen.complete == [("add", {"a": 1})]
    assert seen.said == ', {"name": "rm"}]</tool_call>'


@pytest.mark.parametrize("tail", ['"b": }}</tool_call>', '"b": 1', '"b": "'])
def test_a_call_that_breaks_or_is_cut_off_does_not_end(tail):
    seen = outcome(HERMES, '<tool_call>{"name": "add", "arguments": {"a": 1, ' + tail)
    assert [(name, ended) for name, _, ended in seen.calls] == [("add", False)]


def test_nesting_without_end_is_no_call():
    seen = outcome(HERMES, '<tool_call>{"name": "add", "arguments": {"a": ' + "[" * 5000)
    assert seen.complete == []
