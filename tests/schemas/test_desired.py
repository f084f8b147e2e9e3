"""The document's models: defaults, references between parts, and what each field costs."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from schemas.alias import alias_targets
from schemas.base import Invalid
from schemas.desired import DesiredState, Limits
from schemas.model import FIELD_CLASSES, Model, ModelFields
from schemas.quantities import Share


def document(**parts: Any) -> DesiredState:
    return DesiredState.model_validate({"version": 1, **parts})


def faults(**parts: Any) -> list[tuple[tuple[str | int, ...], str]]:
    with pytest.raises(ValidationError) as caught:
        document(**parts)
    (details,) = caught.value.errors()
    cause = details["ctx"]["error"]
    assert isinstance(cause, Invalid)
    return [(fault.at, fault.message) for fault in cause.faults]


TINY = {"tiny": {"source": "builtin:tiny-chat"}}


def test_the_smallest_document_wants_nothing() -> None:
    empty = document()
    assert empty.models == {}
    assert empty.limits == Limits()
    assert empty.limits.memory == Share(0.9)
    assert empty.limits.wait == 120
    assert empty.limits.body == 32 * 1024**2


def test_values_arrive_as_plain_numbers() -> None:
    model = document(
        limits={"memory": "8GiB"},
        models={
            "m": {
                "source": "hf:org/repo",
                "context": "32k",
                "kv_memory": "4GiB",
                "keep_alive": "forever",
                "load_timeout": "10m",
            }
        },
    ).models["m"]
    assert (model.context, model.kv_memory) == (32768, 4 * 1024**3)
    assert (model.keep_alive, model.drain, model.load_timeout) == (math.inf, 300, 600)
    assert model.artifact == ("hf:org/repo", None)


def test_defaults_lie_under_models_field_by_field() -> None:
    desired = document(
        defaults={"state": "loaded", "parallel": 4, "sampling": {"temperature": 0.2, "seed": 1}},
        models={
            "a": {"source": "builtin:tiny-chat"},
            "b": {"source": "builtin:tiny-chat", "parallel": 8, "sampling": {"seed": 2}},
        },
    )
    a, b = desired.resolved("a"), desired.resolved("b")
    assert (a.state, a.parallel, a.sampling.temperature, a.sampling.seed) == ("loaded", 4, 0.2, 1)
    # 8 is also the built-in default, and still the model's own word.
    assert (b.state, b.parallel, b.sampling.temperature, b.sampling.seed) == ("loaded", 8, 0.2, 2)


def test_defaults_hold_every_field_but_the_source() -> None:
    assert set(Model.model_fields) - set(ModelFields.model_fields) == {"source"}
    with pytest.raises(ValidationError):
        document(defaults={"source": "builtin:tiny-chat"})


def test_every_field_of_a_model_has_a_cost() -> None:
    assert {name for name in FIELD_CLASSES if "." not in name} == set(Model.model_fields)


def test_the_order_of_models_is_kept() -> None:
    models = {key: {"source": "builtin:tiny-chat"} for key in ("z", "a", "m")}
    assert list(document(models=models).models) == ["z", "a", "m"]


def test_aliases_lead_to_models_in_order() -> None:
    route = {"route": "task", "light": "tiny", "heavy": "big", "fallback": ["tiny"]}
    desired = document(
        models={**TINY, "big": {"source": "hf:org/big"}},
        aliases={"one": "tiny", "list": ["big", "tiny"], "claude-*": route, "*": "tiny"},
    )
    assert alias_targets(desired.aliases["one"]) == ("tiny",)
    assert alias_targets(desired.aliases["list"]) == ("big", "tiny")
    assert alias_targets(desired.aliases["claude-*"]) == ("tiny", "big")


def test_a_name_that_is_too_long_is_told_how_long_it_may_be() -> None:
    (key,) = faults(models={"k" * 129: {"source": "builtin:tiny-chat"}})
    (alias,) = faults(models=TINY, aliases={"a" * 257: "tiny"})
    assert key[1].endswith("has 129 characters, a key has at most 128")
    assert alias[1].endswith("has 257 characters, an alias has at most 256")
    assert document(models=TINY, aliases={"a" * 256: "tiny"})


def test_an_alias_may_have_the_name_of_a_model() -> None:
    assert document(models=TINY, aliases={"tiny": ["tiny"]}).aliases == {"tiny": ("tiny",)}


def test_all_unknown_targets_are_found() -> None:
    route = {"route": "task", "light": "tiny", "heavy": "h", "fallback": ["tiny", "f"]}
    assert faults(models=TINY, aliases={"a": "x", "b": ["tiny", "y"], "c": route}) == [
        (("aliases", "a"), 'there is no model "x"'),
        (("aliases", "b", 1), 'there is no model "y"'),
        (("aliases", "c", "heavy"), 'there is no model "h"'),
        (("aliases", "c", "fallback", 1), 'there is no model "f"'),
    ]


def test_an_unknown_target_has_the_hint_that_helps() -> None:
    """The nearest model; the word that it is an alias; else the models there are."""
    aliases = {"near": "tini", "chain": "near", "far": "qwertz"}
    with pytest.raises(ValidationError) as caught:
        document(models=TINY, aliases=aliases)
    (details,) = caught.value.errors()
    assert [fault.hint for fault in details["ctx"]["error"].faults] == [
        'did you mean "tiny"?',
        '"near" is an alias; name the models it leads to',
        "models here: tiny",
    ]


WHEN = [{"from": "22:00", "to": "06:00"}]


def test_schedules_need_a_timezone_and_models_that_exist() -> None:
    overlay = {"models": {"x": {"state": "loaded"}}, "aliases": {"a": "y"}}
    assert faults(models=TINY, schedules={"night": {"when": WHEN, "set": overlay}}) == [
        ((), "schedules need a timezone for the document"),
        (("schedules", "night", "set", "models", "x"), 'there is no model "x"'),
        (("schedules", "night", "set", "aliases", "a"), 'there is no model "y"'),
    ]


def test_hosts_lay_over_models_that_exist() -> None:
    assert faults(models=TINY, hosts={"studio-*": {"set": {"models": {"x": {}}}}}) == [
        (("hosts", "studio-*", "set", "models", "x"), 'there is no model "x"')
    ]


@pytest.mark.parametrize(
    ("model", "at"),
    [
        ({"draft": {"model": "x"}}, ("models", "m", "draft", "model")),
        ({"draft": {"model": "m"}}, ("models", "m", "draft", "model")),
        ({"engine": "mlx", "engine_options": {"threads": 2}}, ("models", "m", "engine_options")),
    ],
)
def test_a_model_refers_to_what_makes_sense(model: dict[str, Any], at: tuple[str, ...]) -> None:
    ((found, _),) = faults(models={"m": {"source": "builtin:tiny-chat", **model}})
    assert found == at


def test_a_draft_in_defaults_has_to_exist() -> None:
    assert faults(defaults={"draft": {"model": "x"}}) == [
        (("defaults", "draft", "model"), 'there is no model "x"')
    ]


def test_the_document_cannot_be_changed() -> None:
    with pytest.raises(ValidationError):
        document().suspend = True  # type: ignore[misc]
