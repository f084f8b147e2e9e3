"""JSON Patch against the examples of its standard; all of it or nothing."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from schemas.errors import Code, PatchError, PatchTestFailed
from schemas.patch import patched

# RFC 6902, appendix A.
WORKS: list[tuple[dict[str, Any], list[Any], dict[str, Any]]] = [
    (
        {"foo": "bar"},
        [{"op": "add", "path": "/baz", "value": "qux"}],
        {"foo": "bar", "baz": "qux"},
    ),
    (
        {"foo": ["bar", "baz"]},
        [{"op": "add", "path": "/foo/1", "value": "qux"}],
        {"foo": ["bar", "qux", "baz"]},
    ),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    (
        {"foo": ["bar", "qux", "baz"]},
        [{"op": "remove", "path": "/foo/1"}],
        {"foo": ["bar", "baz"]},
    ),
    (
        {"baz": "qux", "foo": "bar"},
        [{"op": "replace", "path": "/baz", "value": "boo"}],
        {"baz": "boo", "foo": "bar"},
    ),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [
            {"op": "test", "path": "/baz", "value": "qux"},
            {"op": "test", "path": "/foo/1", "value": 2},
        ],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    (
        {"foo": "bar"},
        [{"op": "add", "path": "/child", "value": {"grandchild": {}}}],
        {"foo": "bar", "child": {"grandchild": {}}},
    ),
    (
        {"foo": "bar"},
        [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}],
        {"foo": "bar", "baz": "qux"},
    ),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    (
        {"foo": ["bar"]},
        [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}],
        {"foo": ["bar", ["abc", "def"]]},
    ),
    ({"a": {"b": 1}}, [{"op": "copy", "from": "/a", "path": "/c"}], {"a": {"b": 1}, "c": {"b": 1}}),
    ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
    ({"": {"": 1}}, [{"op": "replace", "path": "//", "value": 2}], {"": {"": 2}}),
    ({"a": 1}, [{"op": "move", "from": "/a", "path": "/a"}], {"a": 1}),
    ({"a": 1}, [{"op": "test", "path": "/a", "value": 1.0}], {"a": 1}),
    ({"a": None}, [{"op": "test", "path": "/a", "value": None}], {"a": None}),
]


@pytest.mark.parametrize(("data", "operations", "wanted"), WORKS)
def test_a_json_patch_does_what_the_standard_says(
    data: dict[str, Any], operations: list[Any], wanted: dict[str, Any]
) -> None:
    before = copy.deepcopy(data)
    assert patched(data, operations) == wanted
    assert data == before


FAILS: list[tuple[dict[str, Any], Any, Code, str, str]] = [
    ({}, "x", Code.INVALID_REQUEST, "", "operation 1 is not a map"),
    ({}, {"path": "/a"}, Code.INVALID_REQUEST, "", "has no op that is one of add"),
    ({}, {"op": "spam", "path": "/a"}, Code.INVALID_REQUEST, "", "has no op"),
    ({}, {"op": ["add"], "path": "/a"}, Code.INVALID_REQUEST, "", "has no op"),
    ({}, {"op": "add", "value": 1}, Code.INVALID_REQUEST, "", 'no JSON pointer in "path"'),
    ({}, {"op": "add", "path": "a", "value": 1}, Code.INVALID_REQUEST, "", "no JSON pointer"),
    ({}, {"op": "add", "path": "/~2", "value": 1}, Code.INVALID_REQUEST, "", "no JSON pointer"),
    ({}, {"op": "add", "path": "/a"}, Code.INVALID_REQUEST, "/a", 'has no "value"'),
    ({}, {"op": "copy", "path": "/a"}, Code.INVALID_REQUEST, "/a", 'has no "from"'),
    (
        {"a": {"b": 1}},
        {"op": "move", "from": "/a", "path": "/a/b"},
        Code.INVALID_REQUEST,
        "/a/b",
        "into itself",
    ),
    ({"a": 1}, {"op": "remove", "path": ""}, Code.INVALID_REQUEST, "", "leaves no map"),
    ({}, {"op": "add", "path": "", "value": [1]}, Code.INVALID_REQUEST, "", "leaves no map"),
    ({"a": [1]}, {"op": "remove", "path": "/a/x"}, Code.INVALID_REQUEST, "/a/x", "has indexes"),
    ({"a": [1]}, {"op": "remove", "path": "/a/-"}, Code.INVALID_REQUEST, "/a/-", "has indexes"),
    ({"a": [1]}, {"op": "remove", "path": "/a/00"}, Code.INVALID_REQUEST, "/a/00", "has indexes"),
    ({}, {"op": "remove", "path": "/a"}, Code.VALIDATION_FAILED, "/a", "/a does not exist"),
    ({}, {"op": "replace", "path": "/a", "value": 1}, Code.VALIDATION_FAILED, "/a", "not exist"),
    (
        {},
        {"op": "add", "path": "/a/b", "value": 1},
        Code.VALIDATION_FAILED,
        "/a",
        "/a does not exist",
    ),
    (
        {"a": 1},
        {"op": "add", "path": "/a/b", "value": 1},
        Code.VALIDATION_FAILED,
        "/a/b",
        "not exist",
    ),
    (
        {"a": [1]},
        {"op": "add", "path": "/a/2", "value": 1},
        Code.VALIDATION_FAILED,
        "/a/2",
        "not exist",
    ),
    ({"a": [1]}, {"op": "remove", "path": "/a/1"}, Code.VALIDATION_FAILED, "/a/1", "not exist"),
    ({}, {"op": "copy", "from": "/x", "path": "/a"}, Code.VALIDATION_FAILED, "/x", "/x does not"),
]


@pytest.mark.parametrize(("data", "operation", "code", "pointer", "words"), FAILS)
def test_what_cannot_be_applied_is_refused_with_its_pointer(
    data: dict[str, Any], operation: Any, code: Code, pointer: str, words: str
) -> None:
    with pytest.raises(PatchError) as caught:
        patched(data, [operation])
    assert (caught.value.code, caught.value.pointer) == (code, pointer)
    assert words in caught.value.message


@pytest.mark.parametrize(
    ("found", "wanted"), [("1", 1), (1, True), (0, False), ([1, 2], [2, 1]), ({"x": 1}, {"x": "1"})]
)
def test_a_test_that_finds_another_value_fails(found: object, wanted: object) -> None:
    with pytest.raises(PatchTestFailed) as caught:
        patched({"a": found}, [{"op": "test", "path": "/a", "value": wanted}])
    assert caught.value.code is Code.FIELD_CONFLICT
    assert caught.value.pointer == "/a"
    assert caught.value.message == "operation 1: /a holds another value"


def test_a_failing_operation_leaves_nothing_of_those_before_it() -> None:
    data = {"a": {"b": [1]}}
    operations = [
        {"op": "add", "path": "/a/b/-", "value": 2},
        {"op": "test", "path": "/a/b/1", "value": 3},
    ]
    with pytest.raises(PatchTestFailed, match="operation 2"):
        patched(data, operations)
    assert data == {"a": {"b": [1]}}


def test_a_value_that_is_copied_stands_alone() -> None:
    value = {"x": [1]}
    operations = [
        {"op": "add", "path": "/a", "value": value},
        {"op": "copy", "from": "/a", "path": "/b"},
        {"op": "add", "path": "/b/x/-", "value": 2},
    ]
    assert patched({}, operations) == {"a": {"x": [1]}, "b": {"x": [1, 2]}}
    assert value == {"x": [1]}


def test_a_list_that_is_copied_into_itself_is_stopped() -> None:
    """Forty lines would ask for a million million values."""
    doubling = [{"op": "copy", "from": "/a", "path": "/a/-"}] * 40
    with pytest.raises(PatchError, match=r"operation \d+ copies more than a document can hold"):
        patched({"a": [1]}, doubling)
    text = {"op": "copy", "from": "/t", "path": "/a/-"}
    with pytest.raises(PatchError, match="operation 3 copies more") as caught:
        patched({"a": [1], "t": "x" * 500_000}, [text] * 3)
    assert (caught.value.code, caught.value.pointer) == (Code.VALIDATION_FAILED, "/a/-")


@pytest.mark.parametrize("kind", ["add", "copy", "move"])
def test_no_patch_makes_what_nobody_can_walk(kind: str) -> None:
    inner: dict[str, Any] = {"x": 1}
    for _ in range(40):
        inner = {"x": inner}
    way = [{"op": "add", "path": "/b" * depth, "value": {}} for depth in range(1, 41)]
    last = {"op": kind, "from": "/a", "path": "/b" * 41, "value": inner}
    with pytest.raises(PatchError, match="operation 41 nests more than 64 levels deep"):
        patched({"a": inner}, [*way, last])
    assert patched({"a": inner}, [*way[:20], {**last, "path": "/b" * 21}])


def test_a_model_that_is_moved_to_where_it_is_keeps_its_place() -> None:
    data: dict[str, Any] = {"models": {"one": {}, "two": {}}}
    found = patched(data, [{"op": "move", "from": "/models/one", "path": "/models/one"}])
    assert list(found["models"]) == ["one", "two"]  # type: ignore[call-overload]
