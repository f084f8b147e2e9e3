"""Of Harmony's channels a reader sees reasoning, text and calls, and nothing of the markup."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmxd.worker.parsing.detect import detect
from lmxd.worker.parsing.parser import CallArgs, CallEnd, CallStart, Said, Thought
from tests.worker.parsing.feeding import TOOLS, outcome, pieces

HARMONY = detect("<|channel|><|message|>", {})
PROMPT = "<|start|>user<|message|>hi<|end|><|start|>assistant"
ANALYSIS = "<|channel|>analysis<|message|>"
FINAL = "<|start|>assistant<|channel|>final<|message|>"
CALL = "<|start|>assistant<|channel|>commentary to=functions.add <|constrain|>json<|message|>"


def test_analysis_then_final():
    text = f"{ANALYSIS}Think.<|end|>{FINAL}Yes.<|return|>"
    assert pieces(HARMONY, text, prompt=PROMPT) == [Thought("Think."), Said("Yes.")]


def test_a_call_after_analysis():
    text = f'{ANALYSIS}Add.<|end|>{CALL}{{"a": 1}}<|call|>'
    assert pieces(HARMONY, text, prompt=PROMPT) == [
        Thought("Add."),
        CallStart("add"),
        CallArgs('{"a": 1}'),
        CallEnd(),
    ]


@pytest.mark.parametrize(
    "header",
    [
        " to=functions.add<|channel|>commentary <|constrain|>json<|message|>",
        "<|channel|>commentary to=functions.add<|message|>",
        "<|channel|>commentary to=functions.add json<|message|>",
        "<|channel|>analysis to=functions.add code<|message|>",
        "<|channel|>commentary to=add <|constrain|>json<|message|>",
    ],
)
def test_the_ways_a_call_is_addressed(header):
    seen = outcome(HARMONY, header + '{"a": 2}', prompt=PROMPT)
    assert seen.complete == [("add", {"a": 2})]
    assert seen.said == ""


def test_a_preamble_is_said_and_apart_from_the_answer():
    text = f"<|channel|>commentary<|message|>First, a plan.<|end|>{FINAL}Done."
    assert pieces(HARMONY, text, prompt=PROMPT) == [Said("First, a plan.\n\nDone.")]


def test_a_call_of_a_tool_that_nobody_offered_is_said_with_its_name():
    text = '<|channel|>commentary to=functions.rm <|constrain|>json<|message|>{"a": 1}<|call|>'
    assert pieces(HARMONY, text, prompt=PROMPT) == [Said('functions.rm {"a": 1}')]


def test_a_call_without_a_body_has_no_arguments():
    text = "<|channel|>commentary to=functions.now<|message|><|call|>"
    assert outcome(HARMONY, text, prompt=PROMPT).complete == [("now", {})]


def test_a_call_that_breaks_does_not_end_and_the_rest_is_said():
    seen = outcome(HARMONY, f'{ANALYSIS}x<|end|>{CALL}{{"a": oops<|call|>', prompt=PROMPT)
    assert [(name, ended) for name, _, ended in seen.calls] == [("add", False)]
    assert seen.said == "oops"


def test_plain_text_is_said():
    assert pieces(HARMONY, "Just this.", prompt=PROMPT) == [Said("Just this.")]
    assert pieces(HARMONY, "assistants help", prompt=PROMPT) == [Said("assistants help")]


def test_a_prompt_may_have_opened_the_message():
    for channel, kind in (("analysis", Thought), ("final", Said)):
        opened = f"{PROMPT}<|channel|>{channel}<|message|>"
        parser = HARMONY.parser(TOOLS, opened)
        assert parser.thinking == (kind is Thought)
        assert parser.feed("abc") == [kind("abc")]


def test_whether_it_is_thinking_is_known():
    parser = HARMONY.parser(TOOLS, PROMPT)
    told = []
    for text in (ANALYSIS, "hm", "<|end|>", FINAL, "x"):
        parser.feed(text)
        told.append(parser.thinking)
    assert told == [True, True, False, False, False]


def test_the_closing_text_begins_the_answer():
    parser = HARMONY.parser(TOOLS, PROMPT)
    parser.feed(ANALYSIS + "too long")
    parser.feed(HARMONY.close())
    assert not parser.thinking
    assert parser.feed("Yes.") == [Said("Yes.")]


@given(
    parts=st.lists(
        st.sampled_from(
            [ANALYSIS, FINAL, CALL, '{"a": 1}', "<|end|>", "<|call|>", "<|return|>", "a b", "to="]
        ),
        max_size=8,
    )
)
@settings(max_examples=60)
def test_no_token_of_the_markup_ever_shows(parts):
    seen = outcome(HARMONY, "".join(parts), prompt=PROMPT)
    shown = seen.said + seen.thought
    assert not any(marker in shown for marker in HARMONY.markers if marker != "<|constrain|>")


def test_a_header_that_is_cut_off_shows_nothing():
    text = f"{ANALYSIS}Think.<|end|>{FINAL}"
    for end in range(text.index("<|end|>"), len(text)):
        seen = outcome(HARMONY, text[:end], prompt=PROMPT)
        assert seen.said == ""
        assert seen.thought.startswith("Think.")
