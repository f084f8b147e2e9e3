"""Nodes know where they stand, to the character, whatever is written around them."""

from __future__ import annotations

import pytest

from lmxd.desired.nodes import AliasNode, ListNode, MapNode, Node, ScalarNode, compose
from schemas.errors import DocumentError

TEXT = """\
# 😀 a comment
a: &x 'one'   # c
"b" : !!str two
c: |
  three

  four

d: >+
  five

e:   # nothing
f: &y
g: # comment
  - *x
  -
  - {k: [1, 2,], l}   # d

# end
"""


def spans(node: Node) -> list[str]:
    """The texts of all values below a node, in order."""
    here = TEXT[node.span.start : node.span.end]
    if isinstance(node, MapNode):
        return [here, *(each for _, value in node.pairs for each in spans(value))]
    if isinstance(node, ListNode):
        return [here, *(each for item in node.items for each in spans(item))]
    return [here]


def test_a_span_is_what_was_written_for_a_value() -> None:
    root = compose(TEXT)
    assert isinstance(root, MapNode)
    flow = "{k: [1, 2,], l}"
    _, *found = spans(root)
    assert found == [
        "&x 'one'",
        "!!str two",
        "|\n  three\n\n  four",
        ">+\n  five\n",
        "",
        "&y",
        f"- *x\n  -\n  - {flow}",
        "*x",
        "",
        flow,
        "[1, 2,]",
        "1",
        "2",
        "",
    ]
    assert TEXT[root.span.start :].startswith("a: &x")
    assert TEXT[: root.span.end].endswith(flow)


def test_an_empty_value_stands_behind_its_colon() -> None:
    root = compose(TEXT)
    assert isinstance(root, MapNode)
    empty = {key.text: value for key, value in root.pairs}["e"]
    assert TEXT[: empty.span.end].endswith("\ne:")


def test_an_alias_is_a_node_of_its_own() -> None:
    root = compose("a: &x {k: v}\nb: *x\n")
    assert isinstance(root, MapNode)
    (_, target), (_, alias) = root.pairs
    assert isinstance(alias, AliasNode)
    assert isinstance(target, MapNode)
    assert (alias.name, alias.target is target, target.anchor) == ("x", True, "x")


def test_an_alias_may_be_a_key() -> None:
    root = compose("a: &x key\n*x : 1\n")
    assert isinstance(root, MapNode)
    assert [key.text for key, _ in root.pairs] == ["a", "key"]


def test_characters_that_json_escapes_in_halves_are_put_together() -> None:
    root = compose('"\\ud83d\\ude00"')
    assert isinstance(root, ScalarNode)
    assert root.text == "😀"


@pytest.mark.parametrize("text", ['a: "\\ud83d"', 'a: "\\ude00\\ud83d"'])
def test_half_a_character_is_refused_at_its_place(text: str) -> None:
    with pytest.raises(DocumentError) as caught:
        compose(text)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column) == (1, 4)
    assert "half of a surrogate pair" in problem.message
