"""The table of names as a list of models."""

from __future__ import annotations

from lmxd.dialects import openai_models
from reconciler.state import Live, ModelKey, ServingDefaults, Target
from tests.kit.fake_gate import routes

TABLE = routes(
    {"auto": ["big", "small"], "claude-*": ["gone"], "small": ["big"]},
    big=(Live.COMING, "big loads, 12 of 41 GiB"),
    small=Live.READY,
    later=(Live.ON_DEMAND, "loaded by a request"),
    stored=(Live.REFUSED, "stored is on disk only"),
)


def listed(*, only_ready: bool) -> dict[str, dict[str, object]]:
    body = openai_models.listing(TABLE, 1_700_000_000, only_ready=only_ready)
    assert body["object"] == "list"
    data = body["data"]
    assert isinstance(data, list)
    return {entry["id"]: entry for entry in data}


def test_every_name_and_every_alias_is_listed_once() -> None:
    found = listed(only_ready=False)
    assert list(found) == ["big", "later", "stored", "auto", "claude-*", "small"]
    assert found["big"] == {
        "id": "big",
        "object": "model",
        "created": 1_700_000_000,
        "owned_by": "lmxd",
        "lmxd": {
            "state": "coming",
            "ready": False,
            "key": "big",
            "reason": "big loads, 12 of 41 GiB",
        },
    }
    assert found["later"]["lmxd"] == {
        "state": "on-demand",
        "ready": False,
        "key": "later",
        "reason": "loaded by a request",
    }


def test_an_alias_is_as_near_as_its_nearest_model() -> None:
    found = listed(only_ready=False)
    assert found["auto"]["lmxd"] == {"state": "ready", "ready": True, "key": "small"}
    assert found["claude-*"]["lmxd"] == {"state": "refused", "ready": False}


def test_an_alias_hides_a_key_of_its_name() -> None:
    assert listed(only_ready=False)["small"]["lmxd"]["key"] == "big"  # type: ignore[index]


def test_only_ready() -> None:
    assert list(listed(only_ready=True)) == ["auto"]


def test_what_answers_says_how_much_it_takes() -> None:
    target = Target(ModelKey("small"), Live.READY, ServingDefaults(), parallel=8, context=4096)
    assert openai_models.entry("auto", target, 0)["max_model_len"] == 4096
