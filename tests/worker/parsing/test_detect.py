"""The format is told from the template as mlx-lm tells it, and by us where that knows none."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx_lm.tokenizer_utils import _infer_thinking, _infer_tool_parser

from lmxd.worker.parsing.detect import detect
from tests.worker.parsing.feeding import outcome
from tests.worker.parsing.writers import BAR, DSML, K3, WRITERS

MARKERS = (
    "<minimax:tool_call>",
    "<|tool_call>",
    "<tool_call|>",
    "<start_function_call>",
    "<longcat_tool_call>",
    "<arg_key>",
    "<|tool_list_start|>",
    "<|tool_call_start|>",
    "<tool_call>\\n<function=",
    "<tool_call>\n<function=",
    "<|tool_calls_section_begin|>",
    '<function name="',
    '<param name="',
    "[TOOL_CALLS]",
    "<atem:function_calls>",
    "<tool_call>",
    "tool_call.name",
)
TOKENS = (*K3, "<|tool_call_start|>", "<|tool_call_end|>")


def vocabulary(tokens) -> dict[str, int]:
    return {token: number for number, token in enumerate(tokens)}


@given(
    shown=st.lists(st.sampled_from(MARKERS), max_size=3), tokens=st.sets(st.sampled_from(TOKENS))
)
@settings(max_examples=300)
def test_the_choice_is_that_of_mlx_lm_where_it_has_one(shown, tokens):
    template = " ".join(shown)
    words = vocabulary(tokens)
    theirs = _infer_tool_parser(SimpleNamespace(chat_template=template, get_vocab=lambda: words))
    if theirs is not None:
        assert detect(template, words).name == theirs


@pytest.mark.parametrize(
    ("template", "name"),
    [
        (f"<{BAR}tool▁calls▁begin{BAR}>…```json", "deepseek_v3"),
        (f"<{BAR}tool▁calls▁begin{BAR}>", "deepseek_v31"),
        (f"<{DSML}function_calls>", "deepseek_v32"),
        ('<|start_header_id|> … "parameters": dictionary of argument name', "llama3"),
        ("<|python_tag|>", "llama3"),
        ("<|tool|>", "phi4"),
        ("<|tool_call|>", "phi4"),
        ("<|channel|>analysis<|message|>", "harmony"),
        ("<seed:tool_call>\n<function=", "seed"),
        ("{{ '<tool_call>' }} {{ tool_call['name'] }}", "json_tools"),
        ("{{ messages }}", "plain"),
        (None, "plain"),
    ],
)
def test_what_mlx_lm_does_not_know(template, name):
    assert detect(template, {}).name == name


@pytest.mark.parametrize(
    "tokens",
    [
        ("<think>", "</think>"),
        ("<longcat_think>", "</longcat_think>"),
        ("<|think:start|>", "<|think:end|>"),
        ("<|channel>", "<channel|>"),
        K3,
    ],
)
def test_reasoning_stands_between_the_tags_that_mlx_lm_takes(tokens):
    words = vocabulary(tokens)
    start, end, *_ = _infer_thinking(
        SimpleNamespace(get_vocab=lambda: words, encode=lambda *_, **__: [])
    )
    form = detect(None, words)
    assert form.thinks
    seen = outcome(form, f"{start}So.{end}Yes.")
    assert (seen.thought, seen.said) == ("So.", "Yes.")
    assert set(tokens) <= set(form.markers)


def test_the_reference_names_every_format():
    page = Path(__file__).parents[3] / "docs" / "reference" / "tool-formats.md"
    rows = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in row.split("|")[1].replace("`", "").split(", ")}
    assert {name.strip() for name in told} == {writer.name for writer in WRITERS} | {"plain"}
