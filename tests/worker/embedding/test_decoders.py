"""Language models as models of vectors and as judges: what comes is what the model holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import numpy as np
import pytest
from tokenizers import Tokenizer

from schemas.errors import ActionError, RequestError
from tests.kit import tiny
from tests.kit.embedding_engine import answer_to, embed, open_model, rerank, scores_of, vectors_of
from tests.kit.gemma_reference import GemmaReference
from tests.kit.mlx_engine import open_model as open_chat
from tests.kit.tiny_bert import read_safetensors

TEXTS = ("hello world", "the", "of and to in is that it was for hello " * 6)
WORDS = ("yes", "no")


def ids(folder: Path, text: str) -> list[int]:
    found: list[int] = Tokenizer.from_file(str(folder / "tokenizer.json")).encode(text).ids
    return found


def floats(engine: Any, *texts: str) -> np.ndarray:
    vectors = vectors_of(answer_to(engine, embed(*texts)))
    return np.array([np.frombuffer(each, "<f4") for each in vectors])


def configure(folder: Path, **fields: object) -> None:
    config = json.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_text(json.dumps(config | fields))


def write_modules(folder: Path, pooling: str, dense: int = 0) -> np.ndarray:
    """modules.json, a pooling, and a dense layer of that width; gives the weights of the layer."""
    steps = ["Transformer", "Pooling", *(["Dense"] if dense else []), "Normalize"]
    modules = []
    for index, step in enumerate(steps):
        path = "" if index == 0 else f"{index}_{step}"
        modules.append({"idx": index, "path": path, "type": f"sentence_transformers.models.{step}"})
        (folder / path).mkdir(exist_ok=True)
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling/config.json").write_text(json.dumps({f"pooling_mode_{pooling}": True}))
    weight = np.random.default_rng(1).standard_normal((dense, tiny.HIDDEN), dtype=np.float32)
    if dense:
        said = {"activation_function": "torch.nn.modules.linear.Identity"}
        (folder / "2_Dense/config.json").write_text(json.dumps(said))
        tiny.write_safetensors(folder / "2_Dense/model.safetensors", {"linear.weight": weight})
    return weight


@pytest.mark.parametrize("bare", [False, True])
def test_the_last_token_of_a_qwen_is_its_vector(tmp_path: Path, bare: bool) -> None:
    folder = tiny.make(tmp_path / "m", arch="qwen3")
    body = open_chat(folder).module.model
    last = [np.array(body(mx.array([ids(folder, text)]))[0, -1]) for text in TEXTS]
    if bare:  # as some are published: the body alone, by its own names
        weights = read_safetensors(folder / "model.safetensors")
        kept = {
            name.removeprefix("model."): tensor.astype(np.float32)
            for name, tensor in weights.items()
            if not name.startswith("lm_head")
        }
        tiny.write_safetensors(folder / "model.safetensors", kept)
    found = floats(open_model(folder), *TEXTS)
    for one, other in zip(found, last, strict=True):
        assert np.abs(one - other / np.linalg.norm(other)).max() < 1e-5


def test_a_gemma_reads_both_ways_within_its_windows(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path / "m", arch="gemma3_text", layers=4)
    configure(folder, use_bidirectional_attention=True, sliding_window=8)
    weight = write_modules(folder, "mean_tokens", dense=24)
    found = floats(open_model(folder), *TEXTS)
    reference = GemmaReference(folder)
    expected = [reference.hidden(ids(folder, text)).mean(axis=0) @ weight.T for text in TEXTS]
    assert found.shape == (3, 24)
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one - other / np.linalg.norm(other)).max() < 1e-5


def test_a_judge_says_how_likely_yes_is(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path / "m", arch="qwen3", control=WORDS)
    engine = open_model(folder, "rerank")
    assert engine.capabilities == ("rerank",)
    documents = ("hello", "the world " * 9)
    found = scores_of(answer_to(engine, rerank("world", *documents)))
    module = open_chat(folder).module
    words = [ids(folder, word)[0] for word in WORDS]
    for score, document in zip(found, documents, strict=True):
        prompt = engine.prepare(rerank("world", document), 0.0).openings[0].tokens
        text = Tokenizer.from_file(str(folder / "tokenizer.json")).decode(
            prompt, skip_special_tokens=False
        )
        assert f"<Query>: world\n<Document>: {document}<|im_end|>" in text
        assert text.endswith("assistant\n<think>\n\n</think>\n\n")
        logits = np.array(module(mx.array([prompt]))[0, -1])[words]
        assert score == pytest.approx(1 / (1 + np.exp(logits[1] - logits[0])), abs=1e-5)


def test_a_judge_reads_as_much_of_a_document_as_fits(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path / "m", arch="qwen3", control=WORDS)
    least = len(open_model(folder, "rerank").prepare(rerank("a", ""), 0.0).openings[0].tokens)
    engine = open_model(folder, "rerank", context=least + 4)
    with pytest.raises(RequestError, match="tokens"):
        engine.prepare(rerank("a", "hello " * 50), 0.0)
    (cut,) = engine.prepare(rerank("a", "hello " * 50, truncate=True), 0.0).openings
    assert len(cut.tokens) == least + 4
    with pytest.raises(RequestError, match="query"):
        engine.prepare(rerank("hello " * 50, "a", truncate=True), 0.0)


def test_a_model_without_the_words_is_no_judge(tmp_path: Path) -> None:
    with pytest.raises(ActionError, match="'yes' is not one of its tokens"):
        open_model(tiny.make(tmp_path / "m", arch="qwen3"), "rerank")


def test_an_unknown_architecture_is_named(tmp_path: Path) -> None:
    folder = tiny.make(tmp_path / "m")
    configure(folder, model_type="modernbert")
    with pytest.raises(ActionError, match="'modernbert' is neither an encoder") as caught:
        open_model(folder)
    assert caught.value.reason == "UnsupportedArchitecture"
