"""Encoders give what a second writing of them in numpy gives, alone and side by side."""

from __future__ import annotations

import json
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from tests.kit import tiny_bert
from tests.kit.embedding_engine import answer_to, embed, open_model, rerank, scores_of, vectors_of
from tests.kit.tiny import write_safetensors
from tests.kit.tiny_bert import Reference, tokens

TEXTS = ("a b c", "z", "q w e r t y u i o p a s d f g h j k l", "", "m m m m")


def floats(vectors: list[bytes]) -> np.ndarray:
    return np.array([np.frombuffer(each, "<f4") for each in vectors])


@pytest.mark.parametrize("pooling", ["mean_tokens", "cls_token", "max_tokens", "lasttoken"])
@pytest.mark.parametrize("family", ["bert", "xlm-roberta"])
def test_vectors_are_those_of_the_reference(tmp_path: Path, family: str, pooling: str) -> None:
    folder = tiny_bert.make(tmp_path / "m", family=family, pooling=pooling)
    found = floats(vectors_of(answer_to(open_model(folder), embed(*TEXTS))))
    expected = Reference(folder).vectors([tokens(text) for text in TEXTS], pooling)
    assert np.abs(found - expected).max() < 1e-5
    assert np.abs(np.linalg.norm(found, axis=1) - 1).max() < 1e-6


def test_tokens_are_embedded_as_they_are(tmp_path: Path) -> None:
    engine = open_model(tiny_bert.make(tmp_path / "m"))
    found = floats(vectors_of(answer_to(engine, embed("a b c", tuple(tokens("a b c")), (4, 5, 6)))))
    assert np.abs(found[0] - found[1]).max() < 1e-6
    assert np.abs(found[0] - found[2]).max() > 0.01, "without [CLS] and [SEP] it is another text"


def test_fewer_dimensions_are_the_first_ones_at_length_1(tmp_path: Path) -> None:
    engine = open_model(tiny_bert.make(tmp_path / "m"))
    whole = floats(vectors_of(answer_to(engine, embed("a b", "c"))))
    short = floats(vectors_of(answer_to(engine, embed("a b", "c", dimensions=5))))
    assert short.shape == (2, 5)
    expected = whole[:, :5] / np.linalg.norm(whole[:, :5], axis=1, keepdims=True)
    assert np.abs(short - expected).max() < 1e-6


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_scores_are_those_of_the_reference(tmp_path: Path, family: str) -> None:
    folder = tiny_bert.make(tmp_path / "m", family=family, rerank=True)
    documents = ("a b c", "x", "c b a d e f g h")
    found = scores_of(answer_to(open_model(folder, "rerank"), rerank("a b", *documents)))
    expected = [Reference(folder).score("a b", each) for each in documents]
    assert np.abs(np.array(found) - expected).max() < 1e-5
    assert len(set(found)) == 3


def test_a_cut_document_is_a_shorter_one(tmp_path: Path) -> None:
    folder = tiny_bert.make(tmp_path / "m", rerank=True, context=10)
    engine = open_model(folder, "rerank")
    found = scores_of(
        answer_to(engine, rerank("a b", "c d e f g h i j k", "c d e f g", truncate=True))
    )
    assert found[0] == pytest.approx(found[1], abs=1e-6)
    assert found[1] == pytest.approx(Reference(folder).score("a b", "c d e f g"), abs=1e-5)


@pytest.mark.parametrize("bits", [4, 8])
def test_quantised_weights_give_what_they_stand_for(tmp_path: Path, bits: int) -> None:
    folder = tiny_bert.make(tmp_path / "plain")
    packed = tiny_bert.make(tmp_path / "packed")
    config = json.loads((packed / "config.json").read_bytes())
    config["quantization"] = {"group_size": 32, "bits": bits}
    (packed / "config.json").write_text(json.dumps(config))
    whole: dict[str, np.ndarray] = {}
    small: dict[str, mx.array] = {}
    for name, tensor in tiny_bert.read_safetensors(folder / "model.safetensors").items():
        value = mx.array(tensor.astype(np.float32))
        if name.endswith(".weight") and value.ndim == 2 and value.shape[1] == tiny_bert.HIDDEN:
            parts = mx.quantize(value, group_size=32, bits=bits)
            stem = name.removesuffix("weight")
            small |= dict(zip((name, f"{stem}scales", f"{stem}biases"), parts, strict=True))
            value = mx.dequantize(*parts, group_size=32, bits=bits)
        else:
            small[name] = value
        whole[name] = np.array(value)
    write_safetensors(folder / "model.safetensors", whole)
    mx.save_safetensors(str(packed / "model.safetensors"), small)
    found = floats(vectors_of(answer_to(open_model(packed), embed(*TEXTS))))
    expected = Reference(folder).vectors([tokens(text) for text in TEXTS])
    assert np.abs(found - expected).max() < 1e-5
