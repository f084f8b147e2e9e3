"""What holds at an instant: the document with its defaults, and demand laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from reconciler.limits import MemoryLimit
from reconciler.resolve import NOTHING, fingerprint, resolve
from reconciler.state import Accepted, Demand, Effective, ModelKey, ModelState
from schemas.desired import DesiredState
from tests.reconciler.build import AT, GIB

DOCUMENT: Mapping[str, object] = {
    "version": 1,
    "limits": {"memory": "50%", "downloads": 3, "queue": 7, "wait": "9s", "disk": "1GiB"},
    "defaults": {"state": "on-demand", "keep_alive": "1m", "context": "4k"},
    "models": {
        "b": {"source": "hf:org/b", "system": "Be terse.", "sampling": {"temperature": 0.5}},
        "a": {"source": "hf:org/a", "revision": "main", "state": "loaded", "keep_alive": "forever"},
        "c": {"source": "hf:org/c", "state": "downloaded", "keep_alive": "0s"},
    },
    "aliases": {"z": "a", "auto": ["b", "a"]},
}


def accepted(document: Mapping[str, object], generation: int = 1) -> Accepted:
    parsed = DesiredState.model_validate(document)
    return Accepted(generation, "sha", parsed, document, AT)


def held(document: Mapping[str, object] = DOCUMENT, **demands: Demand) -> Effective:
    return resolve(accepted(document), AT, {ModelKey(k): d for k, d in demands.items()})


def test_before_any_document_nothing_is_wanted() -> None:
    assert resolve(None, AT, {}) == NOTHING
    assert NOTHING.models == ()


def test_defaults_are_applied_and_the_order_of_the_file_is_kept() -> None:
    found = held()
    assert [(m.key, m.order, m.state.value) for m in found.models] == [
        ("b", 0, "on-demand"), ("a", 1, "loaded"), ("c", 2, "downloaded"),
    ]  # fmt: skip
    first, second, _ = found.models
    assert (first.context, first.keep_alive_s, first.serving.system) == (4096, 60.0, "Be terse.")
    assert first.serving.sampling.temperature == 0.5
    assert (second.keep_alive_s, str(second.artifact)) == (float("inf"), "hf:org/a@main")


def test_what_is_not_set_is_served_as_what_is_set_to_its_default() -> None:
    spelled = {"source": "hf:org/c", "template": "default", "sampling": {"stop": []}}
    plain, same = (
        held({"version": 1, "models": {"c": fields}}).models[0]
        for fields in ({"source": "hf:org/c"}, spelled)
    )
    assert plain == same


def test_options_of_an_engine_that_is_not_there_have_no_effect() -> None:
    """They are named as unsupported, and neither reload nor stall the model."""
    plain = {"version": 1, "models": {"a": {"source": "hf:org/a", "state": "loaded"}}}
    entry = {"source": "hf:org/a", "state": "loaded", "engine_options": {"flash_attention": True}}
    (without,) = held(plain).models
    (having,) = held({"version": 1, "models": {"a": entry}}).models
    assert having.unsupported == ("/engine_options",)
    assert replace(having, unsupported=()) == without


def test_limits_and_names_are_taken_over() -> None:
    found = held()
    assert found.memory == MemoryLimit(share=0.5)
    assert (found.downloads, found.flow.queue, found.flow.wait_s) == (3, 7, 9.0)
    assert found.disk.own == GIB
    assert found.aliases == {"z": ("a",), "auto": ("b", "a")}
    sized = held({**DOCUMENT, "limits": {"memory": "4GiB"}})
    assert sized.memory == MemoryLimit(None, 4 * GIB)


def test_a_route_by_task_is_the_list_of_its_targets_and_known_as_a_route() -> None:
    route = {"route": "task", "light": "b", "heavy": "a", "fallback": ["c", "a"]}
    found = held({**DOCUMENT, "aliases": {"auto": route}})
    assert found.aliases["auto"] == ("b", "a", "c")
    assert (found.tasks["auto"].light, found.tasks["auto"].fallback) == ("b", ("c", "a"))
    assert found.unsupported == ()


@pytest.mark.parametrize(
    ("key", "demand", "raised"),
    [
        ("b", Demand(waiting=1, quiet_s=0), True),
        ("b", Demand(waiting=0, quiet_s=59.9), True),
        ("b", Demand(waiting=0, quiet_s=60.0), False),
        ("a", Demand(waiting=1, quiet_s=0), False),
        ("c", Demand(waiting=1, quiet_s=0), False),
    ],
)
def test_demand_raises_only_an_on_demand_model_and_only_for_its_keep_alive(
    key: str, demand: Demand, raised: bool
) -> None:
    model = held(DOCUMENT, **{key: demand}).model(ModelKey(key))
    assert model is not None
    assert model.demanded is raised


@pytest.mark.parametrize(
    ("keep_alive", "quiet_s", "raised"),
    [("0s", 0.0, True), ("0s", 0.1, False), ("forever", 1e9, True)],
)
def test_keep_alive_of_zero_lasts_while_in_use_and_forever_lasts(
    keep_alive: str, quiet_s: float, raised: bool
) -> None:
    document = {**DOCUMENT, "defaults": {"state": "on-demand", "keep_alive": keep_alive}}
    model = held(document, b=Demand(0, quiet_s)).model(ModelKey("b"))
    assert model is not None
    assert model.demanded is raised


def test_the_fingerprint_ignores_the_generation_and_sees_everything_else() -> None:
    same = resolve(accepted(DOCUMENT, 7), AT, {})
    assert fingerprint(held()) == fingerprint(same)
    assert fingerprint(held()) != fingerprint(held(b=Demand(1, 0)))
    first = held().models[0]
    for changed in (
        replace(first, priority=51),
        replace(first, state=ModelState.LOADED),
        replace(first, serving=replace(first.serving, system="Other.")),
    ):
        other = replace(held(), models=(changed, *held().models[1:]))
        assert fingerprint(other) != fingerprint(held())
