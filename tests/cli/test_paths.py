"""Paths into a document find what stands there, or name the nearest key."""

from __future__ import annotations

import pytest

from lmxd.cli.paths import find, keys
from schemas.errors import LmxdError

DOCUMENT = {
    "models": {
        "tiny": {"state": "loaded"},
        "qwen2.5": {"state": "absent"},
        "qwen2": {"5": "decoy"},
        "a": {"b": {"c": 1}},
        "a.b": {"c": 2},
    },
    "aliases": {"auto": ["tiny", "qwen2.5"], "x/y": "tiny", "~": "tiny"},
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("models.tiny.state", "loaded"),
        ("/models/tiny/state", "loaded"),
        ("models.qwen2.5.state", "absent"),
        ("/models/qwen2.5/state", "absent"),
        ("/models/qwen2/5", "decoy"),
        ("models.a.b.c", 2),
        ("aliases.auto.1", "qwen2.5"),
        ("/aliases/x~1y", "tiny"),
        ("/aliases/~0", "tiny"),
        ("", DOCUMENT),
    ],
)
def test_a_path_finds_its_value(path: str, value: object) -> None:
    assert find(DOCUMENT, path) == value


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("models.tiny.stat", "there is no stat at models.tiny", "did you mean state?"),
        ("model", "there is no model in the document", "did you mean models?"),
        ("aliases.auto.2", "there is no item 2 at aliases.auto; it has 2", None),
        ("aliases.auto.x", "there is no item x at aliases.auto; it has 2", None),
        ("models.tiny.state.x", "there is nothing below models.tiny.state", "it is 'loaded'"),
        ("/models/tiny/", "there is no empty key at models.tiny", "keys there: state"),
        ("/models/qwen2/6", "there is no 6 at models.qwen2", "keys there: 5"),
    ],
)
def test_a_wrong_path_says_what_is_there(path: str, message: str, hint: str | None) -> None:
    with pytest.raises(LmxdError) as caught:
        find(DOCUMENT, path)
    assert (caught.value.message, caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("models.llama-3.2.source", ("models", "llama-3.2", "source")),
        ("models.llama-3.2-1.5b.sampling.top_p", ("models", "llama-3.2-1.5b", "sampling", "top_p")),
        ("models.state.state", ("models", "state", "state")),
        ("models.llama-3.2", ("models", "llama-3.2")),
        ("models.qwen2.5.context", ("models", "qwen2.5", "context")),
        ("aliases.gpt-3.5-turbo", ("aliases", "gpt-3.5-turbo")),
        ("schedules.night.set.models.llama-3.2.state",
         ("schedules", "night", "set", "models", "llama-3.2", "state")),
        ("schedules.a.set.aliases.b.5", ("schedules", "a", "set", "aliases", "b.5")),
        ("limits.memory", ("limits", "memory")),
        ("/models/new.one/state", ("models", "new.one", "state")),
    ],
)  # fmt: skip
def test_a_name_that_is_new_may_hold_dots(path: str, found: tuple[str, ...]) -> None:
    assert keys(DOCUMENT, path) == found
