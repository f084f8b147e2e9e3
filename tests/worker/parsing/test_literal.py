"""Values come out as the JSON they mean, whatever notation they came in."""

import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmxd.worker.parsing.literal import JSON, PYTHON, Dialect, read_value
from lmxd.worker.parsing.reader import Reader, whole

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def read(text: str, dialect: Dialect = JSON) -> str | None:
    """The JSON text; None where it is no value, or not only one."""
    parts: list[str] = []
    reader = Reader(text, ended=True)
    complete = whole(read_value(reader, parts.append, dialect)) and not whole(reader.space())
    return "".join(parts) if complete else None


@given(value=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_json_keeps_its_meaning(value, ascii_only, indent):
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    assert json.loads(read(text) or "") == value


@given(value=VALUES)
def test_python_keeps_its_meaning(value):
    assert json.loads(read(repr(value), PYTHON) or "") == ast.literal_eval(repr(value))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1",
        '{"a" 1}',
        "{1: 2}",
        "nul",
        "01",
        "1.",
        "--1",
        "[1 2]",
        '"a',
        "[,]",
        "NaN",
        "}",
    ],
)
def test_what_is_no_value(text):
    assert read(text) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1, 2,]", [1, 2]),
        ("{'a': 'it''s'}", None),
        ("{'a': 'say \"hi\"'}", {"a": 'say "hi"'}),
        ('"tab\there"', "tab\there"),
        ('"\\q \\\' \\/"', "\\q ' /"),
        ('"\\u12"', "\\u12"),
        ('"\\udc00 \\ud800x"', "� �x"),
    ],
)
def test_what_models_get_wrong(text, expected):
    came = read(text)
    assert (came and json.loads(came)) == expected


def test_python_has_escapes_and_tuples_of_its_own():
    assert json.loads(read("('\\x41\\n', 'a\\\nb')", PYTHON) or "") == ["A\n", "ab"]


def test_bare_words_are_strings_where_they_may_be():
    gemma = Dialect(quotes=('<|"|>', '"'), bare=True)
    came = read('{a:<|"|>x "y" \\n<|"|>,b:[1,true],c:two words}', gemma)
    assert json.loads(came or "") == {"a": 'x "y" \\n', "b": [1, True], "c": "two words"}


def test_depth_has_a_bound_that_readers_can_walk():
    assert read("[" * 64 + "]" * 64) is not None
    assert read("[" * 65 + "]" * 65) is None
