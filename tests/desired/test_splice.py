"""A change of one field is a diff of one line, in whatever way the file is written."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

import pytest

from lmxd.desired.read import parsed
from lmxd.desired.splice import spliced
from schemas.edit import MISSING, Change
from schemas.errors import Code, DocumentError, RequestError
from schemas.patch import changes, merged


def patch(text: str, asked: dict[str, Any]) -> str:
    data = parsed(text.encode()).data
    assert isinstance(data, dict)
    return spliced(text.encode(), changes(data, merged(data, asked))).decode()


def test_a_hand_aligned_file_stays_so() -> None:
    text = (
        "# top\nversion:   1\n\nlimits:\n    memory:  90%     # of RAM\n    queue:   256\n\n\n"
        "models:\n    a:\n        source:  hf:o/r     # where\n        state:   loaded\n"
        "        stop:\n        - x\n        - 'y'    # why\n\n"
        "    # the second\n    b: {source: hf:o/s}\n"
    )
    assert patch(text, {"limits": {"memory": "80%"}}) == text.replace("90%", "80%")
    assert patch(text, {"models": {"a": {"state": "on-demand"}}}) == text.replace(
        "state:   loaded", "state:   on-demand"
    )
    assert patch(text, {"models": {"a": {"stop": ["x", "z", "y"]}}}) == text.replace(
        "        - x\n", "        - x\n        - z\n"
    )
    assert patch(text, {"models": {"b": {"parallel": 4}}}) == text.replace(
        "{source: hf:o/s}", "{source: hf:o/s, parallel: 4}"
    )
    assert patch(text, {"models": {"a": {"context": "32k"}}}) == text.replace(
        "why\n", 'why\n        context: "32k"\n'
    )


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a: 1", 2, "a: 2"),
        ("a: 90%", "80%", "a: 80%"),
        ('a: "90%"', "80%", 'a: "80%"'),
        ("a: 'x'", "it's", "a: 'it''s'"),
        ("a: 'x'", "tab\there", 'a: "tab\\there"'),
        ("a: x", "yes", 'a: "yes"'),
        ("a: x", "22:00", 'a: "22:00"'),
        ("a: x", "1.10", 'a: "1.10"'),
        ("a: x", "2026-12-25", 'a: "2026-12-25"'),
        ("a: x", "null", 'a: "null"'),
        ("a: x", "", 'a: ""'),
        ("a: x", "b: c", 'a: "b: c"'),
        ("a: x", "b #c", 'a: "b #c"'),
        ("a: x", "*b", 'a: "*b"'),
        ("a: x", "😀 ü", 'a: "😀 ü"'),
        ("a: x", "\ufeff", 'a: "\\ufeff"'),
        ("a: 'x'", 5, "a: 5"),
        ("a: x", True, "a: true"),
        ("a: 1", 1e-7, "a: 1.0e-07"),
        ("a: [x]", "w", "a: w"),
        ("a: {x: 1}", [1, "b,c"], 'a: [1, "b,c"]'),
        ("a: x", {}, "a: {}"),
        ("a: x", [], "a: []"),
        ("a: x", ["w", "5m"], 'a: [w, "5m"]'),
        ("a:", "x", "a: x"),
        ("a: &n", "x", "a: &n x"),
        ("a: &n 1", 2, "a: &n 2"),
        ("a: !!str 1", 2, "a: 2"),
        ("a: &n !!str 1", 2, "a: &n 2"),
        ("? a\n: 1", 2, "? a\n: 2"),
        ("a: 0x10", 17, "a: 17"),
    ],
)
@pytest.mark.parametrize("behind", ["", "   # why", "  "])
def test_a_value_keeps_its_place_and_its_quotes(
    old: str, new: object, expected: str, behind: str
) -> None:
    frame = "version: 1\n{}{}\nz: 1\n"
    result = spliced(frame.format(old, behind).encode(), [Change(("a",), None, new)])
    assert result.decode() == frame.format(expected, behind)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("a: x # c", {"k": {"l": 1}}, "a: # c\n  k:\n    l: 1"),
        ("a: # c", [{"k": 1, "l": 2}], "a: # c\n  - k: 1\n    l: 2"),
        ("a: {} # c", {"k": "5m"}, 'a: # c\n  k: "5m"'),
        ("a: {x: 1} # c", {"k": {"l": []}}, "a: {k: {l: []}} # c"),
        ("a: x # c", "one\ntwo\n", "a: | # c\n  one\n  two"),
        ("a: x # c", "one\n\n two", "a: |- # c\n  one\n\n   two"),
        ('a: "x" # c', "one\ntwo\n", 'a: "one\\ntwo\\n" # c'),
        ("a: x # c", " one\ntwo", 'a: " one\\ntwo" # c'),
        ("a: x # c", "one\ntwo\n\n", 'a: "one\\ntwo\\n\\n" # c'),
        ("a: | # c\n    one\n    two", "one\n2\n", "a: | # c\n    one\n    2"),
        ("a: | # c\n    one\n    two", "one\n2", "a: |- # c\n    one\n    2"),
        ("a: > # c\n    one\n    two", "one\ntwo\n", "a: > # c\n    one\n\n    two"),
        ("a: |+ # c\n  one\n\n", "two\n", "a: | # c\n  two"),
        ("a: | # c\n  one", 5, "a: 5 # c"),
        ("a: | # c\n  one", {"k": 1}, "a: # c\n  k: 1"),
        ("a: # c\n  k: 1 # d\n  # e\n  l: 2", 5, "a: 5 # c\n  # d\n  # e"),
        ("a: # c\n  - k # d\n  - l", {"m": 1}, "a: # c\n  # d\n  m: 1"),
        ("a: &n # c\n  k: 1", "x", "a: &n x # c"),
        ("a:\n- &n # c\n  k: 1", [["x", ["w"]]], "a:\n- &n # c\n  - x\n  - [w]"),
        ("a: [ # c\n  x # d\n ] # e", 1, "# c\n# d\na: 1 # e"),
    ],
)
def test_a_value_of_another_kind_takes_its_place(old: str, new: object, expected: str) -> None:
    frame = "version: 1\n{}\nz: 1\n"
    result = spliced(frame.format(old).encode(), [Change(("a",), None, new)])
    assert result.decode() == frame.format(expected)


@pytest.mark.parametrize(
    ("old", "asked", "expected"),
    [
        ("{b: 1}", {"a": {"c": "x"}}, "{b: 1, c: x}"),
        ("{ b: 1 }", {"a": {"c": "x"}}, "{ b: 1, c: x }"),
        ("{b: 1,}", {"a": {"c": "x"}}, "{b: 1, c: x,}"),
        ("{b: 1, c: 2, d: 3}", {"a": {"c": None}}, "{b: 1, d: 3}"),
        ("{b: 1, c: 2, d: 3}", {"a": {"b": None, "c": None}}, "{d: 3}"),
        ("{b: 1, c: 2, d: 3}", {"a": {"c": None, "d": None}}, "{b: 1}"),
        ("{b: 1, c: 2}", {"a": {"b": None, "c": None}}, "{}"),
        ("{b: 1, c: 2}", {"a": {"b": None, "d": 4}}, "{c: 2, d: 4}"),
        ("{b: 1, c: 2,}", {"a": {"c": None}}, "{b: 1,}"),
        ('{"b": 1}', {"a": {"c": "x", "d": {"e": ["y"]}}}, '{"b": 1, "c": "x", "d": {"e": ["y"]}}'),
        ("{b: , c, d: 1}", {"a": {"b": 1, "c": 2}}, "{b: 1 , c: 2, d: 1}"),
        ("[x, y, z]", {"a": ["x", "z"]}, "[x, z]"),
        ("[x, y]", {"a": ["w", "x", "y", "z"]}, "[w, x, y, z]"),
        ("[x,   y]", {"a": ["x", "v"]}, "[x,   v]"),
        ("[x, {k: 1, l: 2}]", {"a": ["x", {"k": 1, "l": 3}]}, "[x, {k: 1, l: 3}]"),
        (
            "{\n  b: 1, # one\n  # two\n  c: 2 # three\n}",
            {"a": {"d": 3}},
            "{\n  b: 1, # one\n  # two\n  c: 2, # three\n  d: 3\n}",
        ),
        (
            "{\n  b: 1, # one\n  c: 2, # two\n}",
            {"a": {"d": 3}},
            "{\n  b: 1, # one\n  c: 2, # two\n  d: 3,\n}",
        ),
        ("{\n  b: 1, # one\n  c: 2\n}", {"a": {"c": None}}, "{\n  b: 1 # one\n}"),
    ],
)
def test_brackets_keep_their_form(old: str, asked: dict[str, Any], expected: str) -> None:
    frame = "version: 1\na: {} # c\nz: 1\n"
    assert patch(frame.replace("{}", old), asked) == frame.replace("{}", expected)


def test_comments_of_a_removed_pair_in_brackets_go_above() -> None:
    text = "version: 1\na: {\n  b: 1, # one\n  # two\n  c: 2\n}\n"
    assert patch(text, {"a": {"b": None}}) == ("version: 1\n# one\na: {\n  # two\n  c: 2\n}\n")


BLOCK = """\
# about everything
models:
  # about a
  a:
    x: 1 # one
    # nested
    y: 2

  # about b
  b:
    x: 3
  # about nothing
aliases: {}
"""


def test_a_removed_key_leaves_its_comments() -> None:
    assert patch(BLOCK, {"models": {"a": {"x": None}}}) == BLOCK.replace("x: 1 # one", "# one")
    assert patch(BLOCK, {"models": {"a": None}}) == BLOCK.replace(
        "  a:\n    x: 1 # one\n    # nested\n    y: 2\n", "  # one\n    # nested\n"
    )
    assert patch(BLOCK, {"models": {"a": None, "b": None}}) == (
        "# about everything\nmodels: {}\n  # about a\n  # one\n    # nested\n"
        "  # about b\n  # about nothing\naliases: {}\n"
    )


def test_a_new_key_comes_before_comments_that_belong_to_what_follows() -> None:
    assert patch(BLOCK, {"models": {"c": {"x": 4}}}) == BLOCK.replace(
        "    x: 3\n", "    x: 3\n  c:\n    x: 4\n"
    )
    assert patch(BLOCK, {"suspend": True}) == BLOCK + "suspend: true\n"
    assert patch(BLOCK + "\n\n# end\n\n\n", {"k": 1}) == BLOCK + "\n\n# end\n\nk: 1\n\n\n"
    assert patch(BLOCK + "...\n# end\n", {"k": 1}) == BLOCK + "k: 1\n...\n# end\n"
    assert patch("version: 1", {"a": {"b": {"c": 1}}}) == "version: 1\na:\n  b:\n    c: 1"
    assert patch("version: 1", {"a": "x\n"}) == "version: 1\na: |\n  x\n"


def test_new_lines_follow_the_habits_of_the_file() -> None:
    text = "version: 1\nmodels:\n    a:\n        x: 1\n        l:\n        - {k: 1}\n"
    new = {"models": {"b": {"l": [{"k": 1}], "m": {"n": 1}}}}
    assert patch(text, new) == (
        text + '    b:\n        l:\n        - k: 1\n        m:\n            "n": 1\n'
    )
    flow = "version: 1\nmodels:\n  a: {x: 1}\n"
    assert patch(flow, {"models": {"b": {"x": 1}}}) == flow + "  b: {x: 1}\n"


def test_json_stays_json() -> None:
    text = '{\n "version": 1,\n "models": {\n  "a": {"x": "y"}\n },\n "aliases": {}\n}'
    asked = {"models": {"a": {"z": "5m"}, "b": {"x": "é\n"}}, "aliases": {"n": "a"}, "on": [1.5]}
    assert patch(text, asked) == (
        '{\n "version": 1,\n "models": {\n'
        '  "a": {"x": "y", "z": "5m"},\n  "b": {"x": "é\\n"}\n },\n'
        ' "aliases": {"n": "a"},\n "on": [1.5]\n}'
    )


LISTS = """\
a:
# first
- x # one
- k: 1
  l: 2 # two
# third

-   - p
    - q # three
z: 1
"""


@pytest.mark.parametrize(
    ("new", "old_part", "new_part"),
    [
        (["x", {"k": 1, "l": 3}, ["p", "q"]], "l: 2", "l: 3"),
        (["x", ["p", "q"]], "- k: 1\n  l: 2 # two\n", "# two\n"),
        (["x", {"l": 2}, ["p", "q"]], "- k: 1\n  l: 2", "- l: 2"),
        (["x", {"k": 1, "l": 2}, ["q"]], "-   - p\n    - q", "-   - q"),
        (["x", {"k": 1, "l": 2}, ["p", "q", {"m": 1, "n": 2}]], "- q # three\n",
         '- q # three\n    - m: 1\n      "n": 2\n'),
        (["w", "x", {"k": 1, "l": 2}, ["p", "q"]], "# first\n", "- w\n# first\n"),
        (["x", {"k": 1, "l": 2}, ["o", "p", "q"]], "-   - p", "-   - o\n    - p"),
        (["x", {"k": 1, "l": 2}, 5], "-   - p\n    - q # three", "-   5 # three"),
        (["x", {"k": 1, "l": 2}, {"r": 1, "s": 2}], "-   - p\n    - q # three\n",
         "- r: 1 # three\n  s: 2\n"),
    ],
)  # fmt: skip
def test_items_that_stay_keep_their_text(new: list[Any], old_part: str, new_part: str) -> None:
    assert old_part in LISTS
    assert patch(LISTS, {"a": new}) == LISTS.replace(old_part, new_part)


def test_models_move_with_their_comments() -> None:
    text = "version: 1\n" + BLOCK
    data = parsed(text.encode()).data
    assert isinstance(data, dict)
    models = data["models"]
    wanted = {**data, "models": {"b": {"x": 4}, "c": {}, "a": models["a"]}}
    assert spliced(text.encode(), changes(data, wanted)).decode() == (
        "version: 1\n# about everything\nmodels:\n  # about b\n  b:\n    x: 4\n\n  c: {}\n"
        "  # about a\n  a:\n    x: 1 # one\n    # nested\n    y: 2\n"
        "  # about nothing\naliases: {}\n"
    )


@pytest.mark.parametrize(
    "text", ["\ufeffa: 1\r\nb: # c\r\n  - x\r\n\r\n", "--- # c\r\na: 1\r\n...\r\n"]
)
def test_bytes_around_stay(text: str) -> None:
    assert patch(text, {"a": {"k": 2}, "n": "x\ny\n"}).encode() == (
        text.replace("a: 1\r\n", "a:\r\n  k: 2\r\n")
        .replace("- x\r\n", '- x\r\n"n": |\r\n  x\r\n  y\r\n')
        .replace("...", '"n": |\r\n  x\r\n  y\r\n...')
        .encode()
    )


def test_comments_never_become_text_of_a_block_above() -> None:
    text = "a: |\n  text\nb:\n  c: 1\n  # deep\nz: 1\n"
    assert patch(text, {"b": None}) == "a: |\n  text\n# deep\nz: 1\n"


ALIASED = """\
version: 1
base: &base {x: 1, y: 2}
models:
  a: *base
  b:
    <<: *base
    x: 3
  c: {<<: [{z: 1}], w: 1}
  d: &unused {x: 1}
  e: [&item p, *item]
"""


@pytest.mark.parametrize(
    ("asked", "anchor", "lines"),
    [
        ({"base": {"x": 2}}, "base", [2, 4, 6]),
        ({"base": None}, "base", [2, 4, 6]),
        ({"base": 5}, "base", [2, 4, 6]),
        ({"models": {"a": {"x": 2}}}, "base", [2, 4, 6]),
        ({"models": {"a": 5}}, "base", [2, 4, 6]),
        ({"models": {"b": {"y": 5}}}, "base", [2, 4, 6]),
        ({"models": {"b": {"x": None}}}, "base", [2, 4, 6]),
        ({"models": {"c": {"z": 5}}}, "<<", [8]),
        ({"models": {"e": ["q", "q"]}}, "item", [10]),
        ({"models": {"e": ["q", "p"]}}, None, []),
        ({"models": {"e": ["p"]}}, None, []),
        ({"models": {"a": None}}, None, []),
        ({"models": {"b": {"x": 5, "w": 1}}}, None, []),
        ({"models": {"c": {"w": None}}}, None, []),
        ({"models": {"d": {"x": 5}}}, None, []),
        ({"models": None}, None, []),
    ],
)
def test_what_an_alias_stands_for_is_not_edited(
    asked: dict[str, Any], anchor: str | None, lines: list[int]
) -> None:
    if anchor is None:
        assert patch(ALIASED, asked) != ALIASED
        return
    with pytest.raises(RequestError) as caught:
        patch(ALIASED, asked)
    assert caught.value.code is Code.ALIASED_NODE
    assert caught.value.details == {"anchor": anchor, "lines": lines}


@pytest.mark.parametrize(
    ("text", "change", "words"),
    [
        ("a: 1\n", Change(("a",), 1, MISSING), "no key of the document would stay"),
        ("a: 1\n", Change(("a",), 1, "\ud800"), "half of a surrogate pair"),
        ("[a]\n", Change(("a",), 1, 2), "not a map"),
        ("a: |+\n  x\n\nb: 1\n\nc: 1\n", Change(("b",), 1, MISSING), "/a would not become"),
    ],
)
def test_what_cannot_be_edited_is_refused(text: str, change: Change, words: str) -> None:
    with pytest.raises(RequestError, match=words) as caught:
        spliced(text.encode(), [change])
    assert caught.value.code is Code.FILE_NOT_WRITABLE


def test_a_text_that_grows_over_the_limit_is_refused_as_such() -> None:
    with pytest.raises(DocumentError) as caught:
        spliced(b"a: 1\n", [Change(("a",), 1, "x" * 2**20)])
    assert caught.value.reason == "FileTooLarge"


EXAMPLE = Path(__file__).resolve().parents[2] / "desired-state.example.yaml"


@pytest.mark.parametrize(
    ("asked", "gone", "come"),
    [
        ({"models": {"tiny-chat": {"state": "on-demand"}}}, 1, 1),
        ({"models": {"tiny-chat": {"keep_alive": "10m"}}}, 0, 1),
        ({"models": {"other": {"source": "hf:a/b", "sampling": {"stop": ["x"]}}}}, 0, 4),
        ({"aliases": {"auto": ["other", "tiny-chat"]}, "limits": {"memory": "80%"}}, 1, 4),
        ({"aliases": {"gpt-4o-mini": None}}, 1, 0),
        ({"aliases": {"gpt-4o-mini": None, "auto": None}}, 3, 1),
        ({"suspend": True}, 0, 2),
    ],
)
def test_the_example_file_keeps_all_its_words(asked: dict[str, Any], gone: int, come: int) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    before, after = text.splitlines(), patch(text, asked).splitlines()
    found = [line[:2] for line in difflib.ndiff(before, after)]
    assert (found.count("- "), found.count("+ ")) == (gone, come)
