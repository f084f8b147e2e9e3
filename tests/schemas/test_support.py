"""Fields without effect in this version are named, and only when they ask for something."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.desired import DesiredState
from schemas.support import DOCUMENT, MODEL, unsupported


def document(**parts: Any) -> DesiredState:
    return DesiredState.model_validate({"version": 1, **parts})


def of_model(**fields: Any) -> tuple[str, ...]:
    model = {"source": "builtin:tiny-chat", **fields}
    models = {"m": model, "n": {"source": "builtin:tiny-chat"}}
    top, by_model = unsupported(document(models=models))
    assert top == ()
    assert by_model["n"] == ()
    return by_model["m"]


ASKING: dict[str, Any] = {
    "source": "hf:org/repo:Q4_K_M",
    "engine": "gguf",
    "task": "vision",
    "kv_cache": {"bits": 8},
    "prefix_cache": {"disk": "1GiB"},
    "warm": ["x"],
    "draft": {"model": "n"},
    "adapters": {"sql": "hf:org/sql"},
    "engine_options": {"threads": 2},
    "template": "chatml",
    "tokenizer": "hf:org/other",
    "canary": {"prompt": "2+2=", "expect": "4"},
    "predict": True,
    "preset": "qwen-coder",
    "build": {"convert": "mlx"},
}


BESIDE: dict[str, Any] = {"canary": {"task": "embed"}}
"""What else has to be set for a field to be asked for in vain."""


def test_the_table_of_models_is_covered_here() -> None:
    assert set(ASKING) == set(MODEL)


@pytest.mark.parametrize("name", sorted(ASKING))
def test_what_a_model_asks_for_in_vain_is_named(name: str) -> None:
    assert of_model(**BESIDE.get(name, {}), **{name: ASKING[name]}) == (f"/{name}",)


@pytest.mark.parametrize(
    "source", ["oci:reg.example/a:v1", f"https://h.example/m#sha256={'ab' * 32}"]
)
def test_sources_that_cannot_be_fetched_yet_are_named(source: str) -> None:
    assert of_model(source=source) == ("/source",)


@pytest.mark.parametrize(
    "fields",
    [
        {"source": "hf:org/repo", "revision": "main", "state": "loaded", "priority": 9},
        {"pinned": True, "suspend": True, "engine": "mlx", "task": "rerank", "context": "4k"},
        {"parallel": 2, "kv_memory": "1GiB", "keep_alive": "0s", "drain": "forever"},
        {"load_timeout": "10m", "sampling": {"seed": 1}, "system": "x", "license": "mit"},
        {"template": "{{ messages }}", "group": "big"},
        {"canary": {"prompt": "2+2=", "expect": "4"}},
        {"template": "default", "kv_cache": {"bits": 16}, "prefix_cache": {"memory": "0B"}},
        {"warm": [], "adapters": {}, "engine_options": {}, "build": {}, "predict": False},
    ],
)
def test_what_has_an_effect_or_asks_for_nothing_is_not_named(fields: dict[str, Any]) -> None:
    assert of_model(**fields) == ()


def test_what_is_not_set_asks_for_nothing() -> None:
    plain = document(models={"m": {"source": "builtin:tiny-chat"}}).resolved("m")
    assert [name for name, gap in MODEL.items() if gap.asks(plain)] == []


def test_defaults_count_for_every_model() -> None:
    models = {"m": {"source": "builtin:tiny-chat"}}
    named = unsupported(document(defaults={"predict": True}, models=models))[1]
    assert named == {"m": ("/predict",)}


DOCUMENTS: dict[str, dict[str, Any]] = {
    "/limits/bandwidth": {"limits": {"bandwidth": "1MiB/s"}},
    "/limits/download_window": {"limits": {"download_window": "22:00-06:00"}},
    "/policy/sources": {"policy": {"sources": ["hf:*"]}},
    "/policy/licenses": {"policy": {"licenses": "acknowledged"}},
    "/policy/max_download": {"policy": {"max_download": "1GiB"}},
    "/policy/approval": {"policy": {"approval": "required"}},
    "/keys": {"keys": {"bot": {"hash": f"sha256:{'0' * 64}"}}},
    "/webhooks": {"webhooks": {"w": {"url": "https://h.example"}}},
}

WINDOW: dict[str, Any] = {"when": [{"from": "22:00", "to": "06:00"}], "set": {}}


def with_window(**parts: Any) -> tuple[str, ...]:
    models = {"m": {"source": "builtin:tiny-chat"}}
    window = {**WINDOW, **parts}
    return unsupported(document(timezone="Europe/Paris", models=models, schedules={"n": window}))[0]


@pytest.mark.parametrize(
    ("parts", "named"),
    [
        ({}, ()),
        ({"prefetch": "0s", "prewarm": "none", "close": "drain"}, ()),
        ({"prefetch": "24h"}, ()),
        ({"prewarm": "auto", "close": "lazy"}, ()),
    ],
)
def test_what_a_window_asks_for_in_vain_is_named(
    parts: dict[str, Any], named: tuple[str, ...]
) -> None:
    assert with_window(**parts) == named


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_what_a_document_asks_for_in_vain_is_named(name: str) -> None:
    assert unsupported(document(**DOCUMENTS[name]))[0] == (name,)


def test_the_table_of_documents_is_covered_here() -> None:
    assert set(DOCUMENT) <= set(DOCUMENTS)


def test_supported_limits_are_not_named() -> None:
    limits = {"memory": "50%", "disk": "1TiB", "free_disk": "1GiB", "downloads": 1, "loaded": 2}
    flow = {"queue": 1, "wait": "1s", "request": "1m", "body": "1MiB"}
    plain = document(timezone="Europe/Paris", suspend=True, limits={**limits, **flow})
    rules = {"licenses": "any", "approval": "none", "protect": ["/models/m"]}
    neutral = document(
        reconcile={"drift": "adopt", "prune_disk": True, "retention": "1d"}, policy=rules
    )
    assert unsupported(plain) == unsupported(neutral) == ((), {})
