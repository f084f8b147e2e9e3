"""How people write sources, and the keys that new ones get."""

from __future__ import annotations

import pytest

from reconciler.naming import new_key, source_of
from schemas.errors import Code, RequestError


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("hf:org/name", "hf:org/name"),
        ("org/name", "hf:org/name"),
        ("org/name:Q4_K_M", "hf:org/name:Q4_K_M"),
        ("https://huggingface.co/org/name", "hf:org/name"),
        ("https://hf.co/org/name/", "hf:org/name"),
        ("file:/models/mine", "file:/models/mine"),
        ("builtin:tiny-chat", "builtin:tiny-chat"),
        ("oci:ghcr.io/org/name:tag", "oci:ghcr.io/org/name:tag"),
    ],
)
def test_a_source_as_people_write_it(text: str, source: str) -> None:
    assert source_of(text) == source


@pytest.mark.parametrize(
    "text", ["name", "", "/models/mine", "~/mine", "org/", "/name", "a b/c", "https://hf.co/org"]
)
def test_what_is_no_source_is_a_model_that_is_not_there(text: str) -> None:
    with pytest.raises(RequestError) as caught:
        source_of(text)
    assert caught.value.code is Code.MODEL_NOT_FOUND
    assert caught.value.hint


@pytest.mark.parametrize(
    ("source", "taken", "key"),
    [
        ("hf:org/Llama-3.2-3B", (), "Llama-3.2-3B"),
        ("hf:org/name", ("name",), "name-2"),
        ("hf:org/name", ("name", "name-2"), "name-3"),
        ("hf:org/name:Q4_K_M", (), "name"),
        ("file:/models/My model (1)", (), "My-model-1"),
        ("file:/models/„“", (), "model"),
        ("builtin:tiny-chat", (), "tiny-chat"),
        ("oci:ghcr.io/org/name:tag", (), "name"),
    ],
)
def test_a_key_is_the_last_part_and_a_number(source: str, taken: tuple[str, ...], key: str) -> None:
    assert new_key(source, taken) == key


def test_a_key_is_not_longer_than_keys_may_be() -> None:
    long = "x" * 200
    first = new_key(f"file:/models/{long}", ())
    second = new_key(f"file:/models/{long}", (first,))
    assert (len(first), len(second)) == (128, 128)
    assert second.endswith("-2")
