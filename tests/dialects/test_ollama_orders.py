"""Names and recipes of Ollama's verbs to what the document knows."""

from __future__ import annotations

from typing import Any

import pytest

from lmxd.dialects import ollama_orders
from schemas.errors import RequestError


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("hf.co/org/repo:Q4_K_M", "hf:org/repo:Q4_K_M"),
        ("https://huggingface.co/org/repo", "hf:org/repo"),
        ("org/repo", "org/repo"),
        ("builtin:tiny-chat", "builtin:tiny-chat"),
        ("day-coder", "day-coder"),
    ],
)
def test_sources(name: str, source: str) -> None:
    assert ollama_orders.source(name) == source


def test_keys() -> None:
    assert ollama_orders.key("mario:latest") == "mario"
    for bad in ("mario:7b", "org/mario", ":latest", "ü"):
        with pytest.raises(RequestError) as caught:
            ollama_orders.key(bad)
        assert caught.value.param == "model"


def test_a_recipe() -> None:
    body = {
        "model": "mario",
        "from": "day-coder",
        "system": "You are Mario.",
        "template": "{{ messages }}",
        "license": "MIT",
        "files": {},
        "parameters": {
            "temperature": 0.5,
            "num_predict": 9,
            "num_ctx": 4096,
            "stop": ["END"],
            "seed": 3,
        },
    }
    assert ollama_orders.fields(body) == {
        "state": "on-demand",
        "system": "You are Mario.",
        "template": "{{ messages }}",
        "sampling": {"temperature": 0.5, "max_tokens": 9, "stop": ["END"], "seed": 3},
        "context": 4096,
    }
    assert ollama_orders.fields({"model": "mario", "from": "x"}) == {"state": "on-demand"}


@pytest.mark.parametrize(
    "body",
    [
        {"system": 1},
        {"template": 1},
        {"template": "{{ .Prompt }}"},
        {"parameters": []},
        {"parameters": {"temperature": "x"}},
        {"parameters": {"num_ctx": 0}},
        {"parameters": {"repeat_penalty": 1.2}},
        {"files": {"a": "sha256:0"}},
        {"quantize": "q4_K_M"},
        {"adapters": {"a": "sha256:0"}},
        {"messages": [{"role": "user", "content": "x"}]},
        {"modelfile": "FROM x"},
    ],
)
def test_what_no_document_can_say_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as caught:
        ollama_orders.fields(body)
    assert caught.value.param
