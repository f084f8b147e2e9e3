"""Patches against the examples of their standards, and what a patch comes to."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.edit import MISSING, Change
from schemas.patch import applied, changes, merged, same, touched

# RFC 7396, appendix A, where document and result are maps.
MERGES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    (
        {"title": "Goodbye!", "author": {"givenName": "John", "familyName": "Doe"}},
        {"title": "Hello!", "phoneNumber": "+01", "author": {"familyName": None}},
        {"title": "Hello!", "author": {"givenName": "John"}, "phoneNumber": "+01"},
    ),
]


@pytest.mark.parametrize(("data", "patch", "wanted"), MERGES)
def test_a_merge_patch_does_what_the_standard_says(
    data: dict[str, Any], patch: dict[str, Any], wanted: dict[str, Any]
) -> None:
    before = copy.deepcopy(data)
    assert merged(data, patch) == wanted
    assert data == before


def test_keys_that_stay_keep_their_place_and_new_ones_follow() -> None:
    result = merged({"c": 1, "a": 2, "b": 3}, {"z": 1, "a": 5, "c": None, "y": 1})
    assert list(result) == ["a", "b", "z", "y"]


def test_a_merge_patch_touches_its_leaves() -> None:
    patch = {"limits": {"queue": 1, "wait": None}, "models": {"m": {}}, "aliases": {"a": ["m"]}}
    assert touched(patch) == (
        ("limits", "queue"),
        ("limits", "wait"),
        ("models", "m"),
        ("aliases", "a"),
    )
    assert touched({}) == ()


def test_changes_are_leaves_and_whole_lists_and_maps_that_come_or_go() -> None:
    before = {"a": {"x": 1, "y": [1, 2]}, "b": {"z": 1}, "c": 1}
    after = {"a": {"x": 2, "y": [1, 3]}, "c": 1, "d": {"e": {}}}
    assert changes(before, after) == (
        Change(("a", "x"), 1, 2),
        Change(("a", "y"), [1, 2], [1, 3]),
        Change(("b",), {"z": 1}, MISSING),
        Change(("d",), MISSING, {"e": {}}),
    )


def test_another_order_of_models_is_a_change_and_of_other_maps_is_none() -> None:
    one, other = {"a": {"x": 1, "y": 2}, "b": {}}, {"b": {}, "a": {"y": 2, "x": 1}}
    assert changes({"models": one}, {"models": other}) == (Change(("models",), one, other),)
    assert changes({"aliases": one}, {"aliases": other}) == ()
    assert changes({"models": {"a": 1}}, {"models": {"a": 1, "b": 2}}) == (
        Change(("models", "b"), MISSING, 2),
    )
    assert [each.path for each in changes({"models": {"a": 1}}, {"models": {"b": 2, "a": 1}})] == [
        ("models",)
    ]


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (True, 1, False),
        (False, 0, False),
        ([True], [1], False),
        ({"a": 0}, {"a": False}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ([1, 2], [2, 1], False),
        ("1", 1, False),
        (None, False, False),
        ([], {}, False),
    ],
)
def test_equal_is_what_json_says(one: object, other: object, equal: bool) -> None:
    assert same(one, other) is equal


KEYS = st.sampled_from(["models", "a", "b", "c/d", "~"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
MAPS = st.dictionaries(KEYS, VALUES, max_size=4)


@given(MAPS, MAPS)
def test_changes_lead_from_one_map_to_the_other(one: dict[str, Any], other: dict[str, Any]) -> None:
    found = changes(one, other)
    before = copy.deepcopy(one)
    result = applied(one, found)
    assert changes(result, other) == ()
    assert one == before
    assert not any(same(each.before, each.after) and each.path != ("models",) for each in found)


@given(MAPS, MAPS)
def test_a_merge_patch_changes_only_what_it_touches(
    data: dict[str, Any], patch: dict[str, Any]
) -> None:
    leaves = touched(patch)
    for change in changes(data, merged(data, patch)):
        assert any(
            leaf[: len(change.path)] == change.path or change.path[: len(leaf)] == leaf
            for leaf in leaves
        )
