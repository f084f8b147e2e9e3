"""YAML that lmxd writes says the same to its own reader, and nothing else to older ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmxd.desired.dump import dump
from lmxd.desired.nodes import compose
from lmxd.desired.read import _Values

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


def read_back(text: str) -> object:
    root = compose(text)
    assert root is not None
    return _Values().convert(root)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), VALUES, max_size=4))
def test_what_is_written_reads_back_as_it_was(value: dict[str, object]) -> None:
    assert read_back(dump(value)) == value


@pytest.mark.parametrize("word", ["off", "yes", "N", "22:00", "1:30", "1_000", "012"])
def test_words_that_older_readers_take_for_something_else_are_quoted(word: str) -> None:
    assert dump({"key": word}) == f'key: "{word}"\n'


def test_lines_stay_lines_and_order_stays_order() -> None:
    assert dump({"z": "one\ntwo\n", "a": [1, {"b": None}]}) == (
        "z: |\n  one\n  two\na:\n- 1\n- b: null\n"
    )
