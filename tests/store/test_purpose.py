"""What a model is for is read from its files, and how long its texts may be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lmxd.store.digest import Algorithm, Digest
from lmxd.store.footprint import Footprints, read_footprint
from lmxd.store.listing import Listing, RemoteFile, choose
from lmxd.store.purpose import max_context, task_of
from tests.kit import tiny_bert
from tests.kit.hub_weights import model_files


@pytest.mark.parametrize(
    ("config", "task"),
    [
        ({"model_type": "bert", "architectures": ["BertModel"]}, "embed"),
        ({"model_type": "xlm-roberta", "architectures": ["XLMRobertaForMaskedLM"]}, "embed"),
        ({"model_type": "bert", "architectures": ["BertForSequenceClassification"]}, "rerank"),
        ({"model_type": "gemma3_text", "use_bidirectional_attention": True}, "embed"),
        ({"model_type": "gemma3_text", "use_bidirectional_attention": False}, "chat"),
        ({"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}, "chat"),
        ({"model_type": "qwen3", "architectures": "odd"}, "chat"),
    ],
)
def test_what_it_is_for(tmp_path: Path, config: dict[str, Any], task: str) -> None:
    assert task_of(tmp_path, config) == task


def test_a_language_model_with_modules_is_one_of_vectors(tmp_path: Path) -> None:
    for name, body in model_files(512).items():
        (tmp_path / name).write_bytes(body)
    footprints = Footprints()
    before = footprints.of(tmp_path)
    assert (before.task, before.kv_per_token > 0) == ("chat", True)
    (tmp_path / "modules.json").write_text("[]")
    after = footprints.of(tmp_path)
    assert (after.task, after.kv_per_token) == ("embed", 0)


def test_an_encoder_keeps_nothing_and_takes_what_its_authors_say(tmp_path: Path) -> None:
    found = read_footprint(tiny_bert.make(tmp_path / "m", context=64, limit=16))
    assert (found.task, found.kv_per_token, found.max_context) == ("embed", 0, 16)
    assert read_footprint(tiny_bert.make(tmp_path / "n", context=64)).max_context == 64


@pytest.mark.parametrize(
    ("config", "context"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 514}, 512),
        ({"model_type": "roberta", "max_position_embeddings": 513, "pad_token_id": 0}, 512),
        ({}, 2048),
    ],
)
def test_places_behind_the_padding_are_not_counted(
    tmp_path: Path, config: dict[str, Any], context: int
) -> None:
    (tmp_path / "sentence_bert_config.json").write_text("no JSON")
    assert max_context(tmp_path, config) == context


def test_files_of_the_layers_behind_come_with_the_model() -> None:
    names = {
        "config.json": True,
        "model.safetensors": True,
        "modules.json": True,
        "1_Pooling/config.json": True,
        "2_Dense/config.json": True,
        "2_Dense/model.safetensors": True,
        "2_Dense/pytorch_model.bin": False,
        "onnx/model.safetensors": False,
        "x/2_Dense/model.safetensors": False,
        "onnx/model.onnx": False,
    }
    files = tuple(RemoteFile(name, 1, Digest(Algorithm.SHA256, "0" * 64)) for name in names)
    found = choose(Listing("org/m", "0" * 40, files))
    assert {file.path for file in found.files} == {name for name, there in names.items() if there}
