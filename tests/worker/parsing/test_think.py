"""Reasoning between tags is set apart, wherever the template opens it."""

import pytest

from lmxd.worker.parsing.detect import detect
from lmxd.worker.parsing.parser import Said, Thought
from tests.worker.parsing.feeding import TOOLS, outcome, pieces

QWEN = detect("<think> </think> <tool_call> tool_call.name", {"<think>": 7, "</think>": 8})
CALL = '<tool_call>{"name": "now", "arguments": {}}</tool_call>'


def test_reasoning_then_answer():
    assert pieces(QWEN, "<think>\nSo.\n\nThen.\n</think>\n\nYes.") == [
        Thought("So.\n\nThen."),
        Said("Yes."),
    ]


def test_the_prompt_may_have_opened_it():
    prompt = "<|im_start|>assistant\n<think>\n"
    assert pieces(QWEN, "So.\n</think>\n\nYes.", prompt=prompt) == [Thought("So."), Said("Yes.")]
    closed = "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    assert pieces(QWEN, "Yes.", prompt=closed) == [Said("Yes.")]


def test_empty_reasoning_is_nothing():
    assert pieces(QWEN, "<think>\n\n</think>\n\nYes.") == [Said("Yes.")]


def test_a_tag_in_the_middle_of_an_answer_is_a_word():
    assert pieces(QWEN, "Use <think> here </think>.") == [Said("Use <think> here </think>.")]


def test_reasoning_between_calls():
    seen = outcome(QWEN, f"<think>a</think>{CALL}<think>b</think>{CALL}")
    assert (seen.thought, seen.said) == ("a\nb", "")
    assert len(seen.complete) == 2


def test_a_call_inside_the_reasoning_ends_it():
    seen = outcome(QWEN, f"<think>I call <tool_call> now: {CALL} there")
    assert (seen.thought, seen.said) == ("I call <tool_call> now:", "there")
    assert seen.complete == [("now", {})]


def test_whether_it_is_thinking_is_known_at_every_step():
    parser = QWEN.parser(TOOLS, "<think>\n")
    told = [parser.thinking]
    for text in ("hm", "</thi", "nk>", "Yes"):
        parser.feed(text)
        told.append(parser.thinking)
    assert told == [True, True, True, False, False]


def test_reasoning_that_is_cut_off_is_all_there():
    assert pieces(QWEN, "<think>So\n</thin") == [Thought("So\n</thin")]


def test_the_closing_text_closes_it():
    parser = QWEN.parser(TOOLS, "<think>")
    parser.feed("far too long" + QWEN.close())
    assert not parser.thinking
    assert parser.feed("x") == [Said("x")]


@pytest.mark.parametrize("tags", [("[THINK]", "[/THINK]"), ("<seed:think>", "</seed:think>")])
def test_other_tags_are_known(tags):
    form = detect(None, {tag: number for number, tag in enumerate(tags)})
    assert form.thinks
    assert set(tags) <= set(form.markers)
    assert pieces(form, f"{tags[0]}a{tags[1]}b") == [Thought("a"), Said("b")]


def test_without_tags_nothing_thinks():
    plain = detect("{{ messages }}", {"a": 1})
    assert (plain.thinks, plain.close(), plain.markers) == (False, "", ())
    assert pieces(plain, "<think>a") == [Said("<think>a")]
