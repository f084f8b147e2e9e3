"""What models write beside the letter of their format is read too, format by format."""

import pytest

from lmxd.worker.parsing.detect import detect
from lmxd.worker.parsing.parser import Said, Thought
from tests.worker.parsing.feeding import TOOLS, outcome, pieces
from tests.worker.parsing.writers import BAR, K3, SEPARATOR

GLM = detect("<arg_key>", {})
CODER = detect("<tool_call>\n<function=", {})
MISTRAL = detect("[TOOL_CALLS][ARGS]", {})
LLAMA = detect("<|python_tag|>", {})
PYTHONIC = detect("<|tool_call_start|>", {})
KIMI = detect("", {token: n for n, token in enumerate(K3)})
DEEPSEEK = detect(f"<{BAR}tool▁calls▁begin{BAR}>", {})
MINICPM = detect('<function name="<param name="', {})
MUSE = detect("<atem:function_calls>", {})
GEMMA = detect("<|tool_call><tool_call|>", {"<|channel>": 1, "<channel|>": 2})
ROME = [("get_weather", {"city": "Rome"})]
TWO = [("add", {"a": 1}), ("now", {})]


@pytest.mark.parametrize(
    ("form", "text", "calls"),
    [
        (GLM, '<tool_call>{"name": "add", "arguments": {"a": 1}}</tool_call>', TWO[:1]),
        (GLM, '<tool_call>add\n{"a": 1}\n</tool_call>', TWO[:1]),
        (GLM, "<tool_call>now</tool_call>", TWO[1:]),
        (GLM, "<tool_call> now \n</tool_call>", TWO[1:]),
        (CODER, "<function=get_weather>\n<parameter=city>\nRome\n</parameter>\n</function>", ROME),
        (CODER, "<function=get_weather><parameter=city>Rome</parameter></function>", ROME),
        (MISTRAL, '[TOOL_CALLS]add[ARGS]{"a": 1}now[ARGS]{}', TWO),
        (MISTRAL, '[TOOL_CALLS] add [CALL_ID]c1[ARGS] {"a": 1}', TWO[:1]),
        (MISTRAL, '[TOOL_CALLS]add{"a": 1}[TOOL_CALLS]now{}', TWO),
        (MISTRAL, '[TOOL_CALLS]{"name": "add", "arguments": {"a": 1}}', TWO[:1]),
        (LLAMA, '{"type": "function", "name": "add", "parameters": {"a": 1}}', TWO[:1]),
        (LLAMA, '\n{"name": "add", "arguments": {"a": 1}}\n{"name": "now"}', TWO),
        (PYTHONIC, '<|tool_call_start|>[{"name": "add", "arguments": {"a": 1}}]', TWO[:1]),
        (PYTHONIC, "<|tool_call_start|>[add(a = 1,), now( )]<|tool_call_end|>", TWO),
        (DEEPSEEK, f"<{BAR}tool▁call▁begin{BAR}>now{SEPARATOR}{{}}", TWO[1:]),
        (DEEPSEEK, f"<{BAR}tool▁call▁begin{BAR}>function{SEPARATOR}now\n```json\n{{}}", TWO[1:]),
        (MINICPM, "<function name='now'></function>", TWO[1:]),
        (
            KIMI,
            '<|open|>tools<|sep|><|open|>call tool="add"<|sep|><|open|>json type="object"<|sep|>'
            '{"a": 1}<|close|>json<|sep|><|close|>call<|sep|><|close|>tools<|sep|>',
            TWO[:1],
        ),
        (GEMMA, "<|tool_call>call:add{a:1}call:now{}<tool_call|>", TWO),
        (GEMMA, '<|tool_call>call:get_weather{"city":"Rome"}<tool_call|>', ROME),
    ],
)
def test_calls(form, text, calls):
    seen = outcome(form, text)
    assert seen.complete == calls
    assert seen.said == ""


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (LLAMA, '{"city": "Rome", "name": "add"}'),
        (LLAMA, 'See {"name": "add", "parameters": {"a": 1}}'),
        (LLAMA, "<|python_tag|>print(1)"),
        (PYTHONIC, "<|tool_call_start|>[add(1, 2)]<|tool_call_end|>"),
        (PYTHONIC, "<|tool_call_start|>[adder(a=1)]<|tool_call_end|>"),
        (MISTRAL, "[TOOL_CALLS]address[ARGS]{}"),
        (CODER, "the <function=x> of y"),
        (GLM, "<tool_call>now or never</tool_call>"),
    ],
)
def test_no_calls(form, text):
    assert pieces(form, text) == [Said(text)]


def test_text_after_a_call_is_said_also_where_nothing_marks_the_end():
    seen = outcome(MISTRAL, '[TOOL_CALLS]add[ARGS]{"a": 1} now you know')
    assert (seen.complete, seen.said) == ([("add", {"a": 1})], "now you know")


def test_an_answer_in_json_streams_as_soon_as_it_is_no_call():
    parser = LLAMA.parser(TOOLS, "")
    assert parser.feed('{"ci') == []
    assert parser.feed('ty"') == [Said('{"city"')]
    assert parser.feed(': "Rome"}') == [Said(': "Rome"}')]


def test_packed_text_may_hold_its_own_closing_tag():
    text = (
        '<function name="get_weather"><param name="city"><![CDATA[a </param> b]]></param>'
        '<param name="days"><![CDATA[3]]></param></function>'
    )
    assert outcome(MINICPM, text).complete == [("get_weather", {"city": "a </param> b", "days": 3})]


def test_the_blocks_of_kimi():
    text = (
        "<|open|>think<|sep|>So.<|close|>think<|sep|><|open|>response<|sep|>Yes."
        "<|close|>response<|sep|><|close|>message<|sep|><|end_of_msg|>"
    )
    assert pieces(KIMI, text) == [Thought("So."), Said("Yes.")]


def test_the_messages_of_muse():
    text = (
        " to=self<|message|>So.<|eom|><|start|>assistant to=now<|message|>"
        '<atem:function_calls>\n<atem:invoke name="now">\n</atem:invoke>\n</atem:function_calls>'
        "<|eom|><|start|>assistant to=user<|message|>Noon.<|eot|>"
    )
    seen = outcome(MUSE, text, prompt="<|start|>assistant")
    assert (seen.thought, seen.said) == ("So.", "Noon.")
    assert seen.complete == [("now", {})]


def test_the_channels_of_gemma():
    text = "<|channel>thought\nSo.<channel|><|tool_call>call:now{}<tool_call|>"
    seen = outcome(GEMMA, text)
    assert (seen.thought, seen.said, seen.complete) == ("So.", "", [("now", {})])


def test_a_model_may_repeat_the_tag_that_the_prompt_opened():
    form = detect("<think></think>", {})
    assert pieces(form, "<think>\nSo.</think>Yes.", prompt="<think>\n") == [
        Thought("So."),
        Said("Yes."),
    ]


def test_white_space_around_a_value_is_left_out_however_it_is_cut():
    text = (
        "<tool_call>get_weather\n<arg_key> city </arg_key>\n<arg_value>\n  Rome \n\n</arg_value>"
        "<arg_key>days</arg_key><arg_value> 3 </arg_value></tool_call>"
    )
    assert outcome(GLM, text).complete == [("get_weather", {"city": "Rome", "days": 3})]
    whole = pieces(GLM, text)
    for step in (1, 2, 3):
        assert pieces(GLM, text, range(0, len(text), step)) == whole


def test_only_one_line_break_at_each_end_belongs_to_the_tags():
    text = "<function=get_weather>\n<parameter=city>\n\n a \n\n</parameter>\n</function>"
    assert outcome(CODER, text).complete == [("get_weather", {"city": "\n a \n"})]
    whole = pieces(CODER, text)
    assert pieces(CODER, text, range(len(text))) == whole


@pytest.mark.parametrize(
    ("form", "begun", "rest"),
    [
        (
            CODER,
            "<tool_call>\n<function=now>\n</function>",
            "<function=rm>\n</function></tool_call>",
        ),
        (
            DEEPSEEK,
            f"<{BAR}tool▁calls▁begin{BAR}><{BAR}tool▁call▁begin{BAR}>now{SEPARATOR}{{}}",
            f"<{BAR}tool▁call▁begin{BAR}>rm{SEPARATOR}{{}}",
        ),
        (GEMMA, "<|tool_call>call:now{}", "call:rm{}<tool_call|>"),
        (MISTRAL, "[TOOL_CALLS]now[ARGS]{}", "[TOOL_CALLS]rm[ARGS]{}"),
        (PYTHONIC, "<|tool_call_start|>[now()", ", rm()]<|tool_call_end|>"),
        (LLAMA, '{"name": "now"}', '; {"name": "rm"}'),
    ],
)
def test_a_second_call_that_is_none_is_not_lost(form, begun, rest):
    seen = outcome(form, begun + rest)
    assert (seen.complete, seen.said) == ([("now", {})], rest)
