"""Which models a name stands for."""

from __future__ import annotations

import pytest

from lmxd.serving.names import exactly, lookup
from reconciler.state import ModelKey, Routes
from schemas.errors import Code, RequestError
from tests.kit.stage import target

ROUTES = Routes(
    names={
        "auto": (ModelKey("big"), ModelKey("small")),
        "small": (ModelKey("big"),),
        "tagged:latest": (ModelKey("big"),),
        "gpt-*": (ModelKey("small"),),
        "gpt-4*": (ModelKey("big"),),
        "*": (ModelKey("other"),),
    },
    sources={"org/Big-4bit": ModelKey("big"), "gpt-4/repo": ModelKey("small")},
    targets={ModelKey(key): target(key) for key in ("big", "small", "other")},
)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("auto", ("big", "small")),
        ("small", ("big",)),  # an alias comes before a key
        ("big", ("big",)),
        ("big:latest", ("big",)),
        ("auto:latest", ("big", "small")),
        ("tagged", ("big",)),
        ("org/Big-4bit", ("big",)),
        ("gpt-4/repo", ("small",)),  # a source comes before a glob
        ("gpt-3.5", ("small",)),
        ("gpt-4o", ("big",)),  # the longest glob
        ("gpt-4*", ("big",)),  # the glob's own name fits it as any other
        ("whatever", ("other",)),
    ],
)
def test_the_first_rule_that_knows_the_name(name: str, keys: tuple[str, ...]) -> None:
    assert lookup(ROUTES, name) == keys


def test_an_unknown_name_is_told_the_names_there_are() -> None:
    routes = Routes(names={"auto": (ModelKey("big"),)}, targets={ModelKey("big"): target("big")})
    with pytest.raises(RequestError) as caught:
        lookup(routes, "bigg")
    error = caught.value
    assert error.code is Code.MODEL_NOT_FOUND
    assert error.message == "there is no model 'bigg'; there is: auto, big"
    assert error.hint == "did you mean big?"
    assert (error.param, error.retry, error.details) == (
        "model",
        False,
        {"models": ["auto", "big"]},
    )


def test_a_long_list_and_a_long_name_are_cut() -> None:
    routes = Routes(targets={ModelKey(f"m{n:03}"): target(f"m{n:03}") for n in range(50)})
    with pytest.raises(RequestError) as caught:
        lookup(routes, "x" * 10_000)
    assert "and 30 more" in caught.value.message
    assert len(caught.value.message) < 500


def test_with_no_models_it_says_none() -> None:
    with pytest.raises(RequestError, match="there is: none"):
        lookup(Routes(), "m")


@pytest.mark.parametrize(
    ("name", "keys"),
    [("auto:latest", ("big", "small")), ("org/Big-4bit", ("big",)), ("gpt-4o", ()), ("gpt-*", ())],
)
def test_who_means_one_model_is_not_led_by_a_glob(name: str, keys: tuple[str, ...]) -> None:
    assert exactly(ROUTES, name) == keys
