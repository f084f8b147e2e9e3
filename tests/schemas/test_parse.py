"""Every mistake becomes a sentence with a place, what was found, and the fix."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.desired import DesiredState
from schemas.errors import DocumentError, Problem
from schemas.parse import KeyProblem, parse, pointer


def problems(data: object, **texts: str) -> tuple[Problem, ...]:
    with pytest.raises(DocumentError) as caught:
        parse(DesiredState, data, {key.replace("__", "/"): text for key, text in texts.items()})
    assert caught.value.reason == "InvalidDocument"
    return caught.value.problems


def with_model(**fields: Any) -> dict[str, Any]:
    return {"version": 1, "models": {"m": {"source": "builtin:tiny-chat", **fields}}}


@pytest.mark.parametrize(
    ("data", "at", "message", "hint"),
    [
        ({}, "", "version is missing", "add `version: 1`"),
        ({"version": 2}, "/version", "2 is not 1", "write 1"),
        ({"version": "1"}, "/version", '"1" is not 1', "write 1"),
        ([], "", "a list is not a map", "write its fields as `name: value`"),
        ({"version": 1, "limts": {}}, "/limts", 'unknown key "limts"', 'did you mean "limits"?'),
        (
            {"version": 1, "models": {"m": {}}},
            "/models/m",
            "source is missing",
            "add for example `source: hf:org/repo`",
        ),
        (
            with_model(contxt="32k"),
            "/models/m/contxt",
            'unknown key "contxt"',
            'did you mean "context"?',
        ),
        (
            with_model(sampling={"zzz": 1}),
            "/models/m/sampling/zzz",
            'unknown key "zzz"',
            "keys here: temperature, top_p, top_k, min_p, max_tokens, stop, seed",
        ),
        (
            {"version": 1, "hosts": {"n": {"set": {"limit": {}}}}},
            "/hosts/n/set/limit",
            'unknown key "limit"',
            'did you mean "limits"?',
        ),
        (
            with_model(state="loadd"),
            "/models/m/state",
            '"loadd" is not one of absent, downloaded, on-demand, loaded',
            'did you mean "loaded"?',
        ),
        (
            with_model(pinned="yes"),
            "/models/m/pinned",
            '"yes" is not true or false',
            "write true, not quoted",
        ),
        (with_model(pinned=1), "/models/m/pinned", "1 is not true or false", None),
        (
            with_model(parallel="8"),
            "/models/m/parallel",
            '"8" is not a whole number',
            "write 8 without quotes",
        ),
        (with_model(parallel=True), "/models/m/parallel", "true is not a whole number", None),
        (with_model(parallel=0), "/models/m/parallel", "0 is out of range", "write at least 1"),
        (
            with_model(sampling={"top_p": 7}),
            "/models/m/sampling/top_p",
            "7 is out of range",
            "write at most 1.0",
        ),
        (with_model(warm="Hello"), "/models/m/warm", '"Hello" is not a list', 'write ["Hello"]'),
        (
            with_model(system=""),
            "/models/m/system",
            "must not be empty",
            "remove the key or write a value",
        ),
        (with_model(system=["x"]), "/models/m/system", "a list is not text", None),
        (
            with_model(revision=1234567),
            "/models/m/revision",
            "1234567 is not text",
            'quote it: "1234567"',
        ),
        (
            with_model(keep_alive=5),
            "/models/m/keep_alive",
            "5 has no unit: a duration is needed",
            'write "5s"',
        ),
        (
            {"version": 1, "limits": {"disk": 100}},
            "/limits/disk",
            "100 has no unit: a size is needed",
            'write "100GiB"',
        ),
        (
            {"version": 1, "models": {"a b": {"source": "builtin:tiny-chat"}}},
            "/models/a b",
            '"a b" is not a key: letters, digits, . _ -',
            'write "a-b"',
        ),
        (
            {"version": 1, "aliases": {"a/~b": ["x"]}},
            "/aliases/a~1~0b",
            '"a/~b" is not an alias: letters, digits, . _ : / @ - and one * at the end',
            'write it like "gpt-4o-mini" or "claude-*"',
        ),
        (
            with_model() | {"aliases": {"auto": ["m", 3]}},
            "/aliases/auto/1",
            "3 is not text",
            'quote it: "3"',
        ),
        (
            with_model() | {"aliases": {"auto": {"route": "task", "light": "m"}}},
            "/aliases/auto",
            "heavy is missing",
            "add `heavy:`",
        ),
    ],
)
def test_a_mistake_is_explained(data: object, at: str, message: str, hint: str | None) -> None:
    (problem,) = problems(data)
    assert (problem.pointer, problem.message, problem.hint) == (at, message, hint)


def test_null_never_has_a_meaning() -> None:
    found = problems(
        {"version": 1, "models": None, "limits": {"disk": None}, "aliases": {"a": [None]}}
    )
    assert [problem.pointer for problem in found] == ["/models", "/limits/disk", "/aliases/a/0"]
    assert {problem.message for problem in found} == {"has no value, and null has no meaning here"}


def test_a_null_that_a_model_would_take_is_refused_too() -> None:
    (problem,) = problems(with_model(context=None))
    assert problem.pointer == "/models/m/context"


def test_the_fix_shows_what_was_written_and_not_what_yaml_made_of_it() -> None:
    (problem,) = problems(with_model(revision=1.1), __models__m__revision="1.10")
    assert problem.hint == 'quote it: "1.10"'
    assert problem.message == "1.10 is not text"


def test_all_mistakes_are_found_at_once() -> None:
    data = with_model(state="x", parallel=0) | {"limits": {"wait": 5}, "extra": 1}
    assert len(problems(data)) == 4


def test_a_list_with_a_wrong_item_is_not_called_empty() -> None:
    when = [{"from": "22:00", "to": "22:00"}]
    data = {"version": 1, "timezone": "Europe/Paris", "schedules": {"n": {"when": when, "set": {}}}}
    (problem,) = problems(data)
    assert problem.pointer == "/schedules/n/when/0"


def test_problems_of_keys_are_told_from_those_of_values() -> None:
    key, value = problems({"version": 2, "limts": 1})[::-1]
    assert isinstance(key, KeyProblem)
    assert not isinstance(value, KeyProblem)


def test_long_values_are_cut() -> None:
    (problem,) = problems(with_model(state="x" * 10_000))
    assert len(problem.message) < 200


def test_pointers_are_escaped() -> None:
    assert pointer(("a/b", "c~d", 0)) == "/a~1b/c~0d/0"


NAMES = st.sampled_from(
    [*DesiredState.model_fields, "m", "source", "state", "set", "when", "draft"]
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, PLAIN, max_size=5))
def test_any_plain_value_is_accepted_or_explained(data: dict[str, Any]) -> None:
    try:
        parse(DesiredState, {"version": 1, **data})
    except DocumentError as error:
        found = error.problems
    else:
        return
    for problem in found:
        here: Any = {"version": 1, **data}
        for part in problem.pointer.split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            here = here[int(name)] if isinstance(here, list) else here[name]
        assert problem.message
        json.dumps(here)
