"""Any change of any text: what is asked comes about, and not a word more."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmxd.desired.read import parsed
from lmxd.desired.splice import spliced
from schemas.patch import changes
from tests.kit.handwritten import Handwritten, change

SEEDS = st.integers(0, 2**32)


@settings(max_examples=250, deadline=None)
@given(SEEDS, SEEDS)
def test_any_change_of_any_text_is_made_and_touches_nothing_else(seed: int, other: int) -> None:
    document = Handwritten.of(seed)
    wanted = change(random.Random(other), document.data)
    if not isinstance(wanted, dict) or not wanted.keys() & document.data.keys():
        return
    asked = changes(document.data, wanted)

    result = spliced(document.raw, asked)

    text = result.decode()
    assert changes(wanted, _values(result)) == ()
    assert sorted(re.findall(r"#\tc[0-9]+\.", text)) == sorted(document.comments)
    touched = {each.path[0] for each in asked}
    for key, section in document.sections.items():
        assert key in touched or section.rstrip("\r\n") in text
    crlf = b"\r\n" in document.raw
    assert "\n" not in text.replace("\r\n", "") if crlf else "\r" not in text
    assert spliced(result, asked) == result
    assert asked or result == document.raw


@settings(max_examples=100, deadline=None)
@given(SEEDS, SEEDS)
def test_one_scalar_is_one_line(seed: int, other: int) -> None:
    """Of all values that stand on one line of their own, one gets another one."""
    document = Handwritten.of(seed)
    dice = random.Random(other)
    data = _values(document.raw)
    paths = list(_scalars((), data))
    if not paths:
        return
    path = dice.choice(paths)
    result = spliced(document.raw, changes(data, _with(data, path, 4711)))
    before, after = document.raw.split(b"\n"), result.split(b"\n")
    assert sum(line not in before for line in after) == 1


@pytest.mark.parametrize("seed", range(40))
def test_a_change_and_its_reverse_keep_the_meaning_and_all_comments(seed: int) -> None:
    document = Handwritten.of(seed)
    wanted = change(random.Random(~seed), document.data)
    if not isinstance(wanted, dict) or not wanted.keys() & document.data.keys():
        return
    there = spliced(document.raw, changes(document.data, wanted))
    back = spliced(there, changes(wanted, document.data))
    assert changes(document.data, _values(back)) == ()
    assert sorted(re.findall(r"#\tc[0-9]+\.", back.decode())) == sorted(document.comments)


def _values(raw: bytes) -> dict[str, object]:
    data = parsed(raw).data
    assert isinstance(data, dict)
    return data


def _scalars(path: tuple[str, ...], data: dict[str, object]) -> list[tuple[str, ...]]:
    found = []
    for key, value in data.items():
        if isinstance(value, dict):
            found += _scalars((*path, key), value)
        elif isinstance(value, bool | int | float) or (
            isinstance(value, str) and value and "\n" not in value
        ):
            found.append((*path, key))
    return found


def _with(data: dict[str, object], path: tuple[str, ...], value: object) -> dict[str, object]:
    key, *rest = path
    below = data[key]
    inner = _with(below, tuple(rest), value) if rest and isinstance(below, dict) else value
    return {**data, key: inner}
