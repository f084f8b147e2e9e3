"""A folder's headers and configuration tell what its model takes; nothing is loaded for it."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from lmxd.store.footprint import Footprints, read_footprint
from lmxd.store.kv_cache import REFERENCE_CONTEXT, Layers, kv_per_token, layers_of
from schemas.errors import ActionError
from tests.kit.hub_weights import CONFIG, model_files, safetensors


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, body in files.items():
        (folder / name).write_bytes(body)
    return folder


def test_a_llama_with_grouped_heads(tmp_path: Path) -> None:
    found = read_footprint(write(tmp_path, model_files(512)))
    assert found.weights == 512 * 1024
    assert found.kv_per_token == 2 * (2 * 2 * 16) * 2  # layers, keys and values, heads, width, BF16
    assert (found.max_context, found.architecture) == (512, "llama")
    assert (found.engine, found.task, found.chat_template) == ("mlx", "chat", True)


def test_shards_are_counted_together_and_a_template_may_be_missing(tmp_path: Path) -> None:
    files = model_files(512, shards=4)
    files["tokenizer_config.json"] = b"{}"
    found = read_footprint(write(tmp_path, files))
    assert (found.weights, found.chat_template) == (512 * 1024, False)
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    assert read_footprint(tmp_path).chat_template


def test_quantised_weights_are_bytes_and_the_cache_has_the_type_of_the_norms(
    tmp_path: Path,
) -> None:
    files = model_files()
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {
        "layers.0.q.weight": ("U32", (64, 8)),
        "layers.0.q.scales": ("F32", (64, 1)),
        "layers.0.q.biases": ("F32", (64, 1)),
        "norm.weight": ("BF16", (64,)),
    }
    files["model.safetensors"] = safetensors(shapes)
    found = read_footprint(write(tmp_path, files))
    assert found.weights == 64 * 8 * 4 + 2 * 64 * 4 + 64 * 2
    assert found.kv_per_token == 2 * (2 * 2 * 16) * 4, "most floats are F32, whatever config says"


@pytest.mark.parametrize(
    ("config", "layers"),
    [
        ({"num_hidden_layers": 4}, Layers(4)),
        ({"n_layer": 3}, Layers(3)),
        (
            {
                "num_hidden_layers": 3,
                "sliding_window": 128,
                "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
            },
            Layers(1, 2, 128),
        ),
        (
            {"model_type": "gpt_oss", "num_hidden_layers": 6, "sliding_window": 128},
            Layers(3, 3, 128),
        ),
        (
            {
                "model_type": "gemma3_text",
                "num_hidden_layers": 26,
                "sliding_window": 512,
                "sliding_window_pattern": 6,
            },
            Layers(4, 22, 512),
        ),
        ({"model_type": "mistral", "num_hidden_layers": 4, "sliding_window": 4096}, Layers(4)),
        ({"num_hidden_layers": 48, "full_attention_interval": 4}, Layers(12)),
        ({"num_hidden_layers": 8, "layer_types": ["conv", "full_attention"] * 4}, Layers(4)),
        ({"num_hidden_layers": 32, "attn_layer_period": 8, "attn_layer_offset": 4}, Layers(4)),
        ({"num_hidden_layers": 5, "hybrid_override_pattern": "M-M*-"}, Layers(1)),
        ({"model_type": "mamba2", "num_hidden_layers": 24}, Layers(0)),
    ],
)
def test_which_layers_keep_what(config: dict[str, object], layers: Layers) -> None:
    assert layers_of(config) == layers


@pytest.mark.parametrize(
    ("config", "rows", "expected"),
    [
        # 30 layers of latent 512 and rope 64
        (
            {
                "num_hidden_layers": 30,
                "num_attention_heads": 16,
                "kv_lora_rank": 512,
                "qk_rope_head_dim": 64,
            },
            None,
            30 * 576 * 2,
        ),
        # every head has its own keys
        (
            {"num_hidden_layers": 2, "num_attention_heads": 8, "hidden_size": 512},
            None,
            2 * 1024 * 2,
        ),
        # one shared head
        ({"n_layer": 2, "n_head": 8, "n_embd": 512, "multi_query": True}, None, 2 * 128 * 2),
        # a stated head width wins over hidden size divided by heads
        (
            {
                "num_hidden_layers": 1,
                "num_attention_heads": 4,
                "num_key_value_heads": 1,
                "head_dim": 256,
                "hidden_size": 640,
            },
            None,
            512 * 2,
        ),
        # heads are left out: rows of the key projection tell
        ({"num_hidden_layers": 3}, 1024, 3 * 2048 * 2),
        ({"model_type": "mamba", "num_hidden_layers": 3}, None, 0),
    ],
)
def test_bytes_a_token(config: dict[str, object], rows: int | None, expected: int) -> None:
    assert kv_per_token(config, 2, rows) == expected


def test_sliding_layers_cost_their_window_at_the_reference_context() -> None:
    config: dict[str, object] = {
        "model_type": "gemma3_text",
        "num_hidden_layers": 6,
        "num_attention_heads": 1,
        "head_dim": 64,
        "sliding_window": 1024,
    }
    layer = 2 * 64 * 2
    exact = layer * (REFERENCE_CONTEXT + 5 * 1024)
    assert kv_per_token(config, 2, None) * REFERENCE_CONTEXT == exact


def test_language_settings_may_be_nested(tmp_path: Path) -> None:
    files = model_files()
    nested = {**CONFIG, "max_position_embeddings": 4096}
    files["config.json"] = json.dumps({"model_type": "gemma3", "text_config": nested}).encode()
    found = read_footprint(write(tmp_path, files))
    assert (found.architecture, found.max_context) == ("gemma3", 4096)


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("config.json", b"{", "UnsupportedArchitecture"),
        ("config.json", b"[]", "UnsupportedArchitecture"),
        ("config.json", b"{}", "UnsupportedArchitecture"),
        ("model.safetensors", b"", "ChecksumMismatch"),
        ("model.safetensors", struct.pack("<Q", 1 << 62) + b"{}", "ChecksumMismatch"),
        ("model.safetensors", struct.pack("<Q", 2) + b"{]", "ChecksumMismatch"),
        ("model.safetensors", struct.pack("<Q", 2) + b"[]", "ChecksumMismatch"),
        ("model.safetensors", struct.pack("<Q", 7) + b'{"w":1}', "ChecksumMismatch"),
        ("model.safetensors", model_files()["model.safetensors"][:-1], "ChecksumMismatch"),
        ("model.safetensors.index.json", b"{}", "ChecksumMismatch"),
        (
            "model.safetensors.index.json",
            b'{"weight_map": {"w": "model-9.safetensors"}}',
            "ChecksumMismatch",
        ),
    ],
)
def test_what_is_no_model_is_told_with_its_file(
    tmp_path: Path, name: str, body: bytes, reason: str
) -> None:
    write(tmp_path, {**model_files(), name: body})
    with pytest.raises(ActionError) as caught:
        read_footprint(tmp_path)
    assert caught.value.reason == reason
    assert str(tmp_path) in caught.value.message


def test_footprints_are_read_again_only_when_files_change(tmp_path: Path) -> None:
    known = Footprints()
    first = known.of(write(tmp_path, model_files(512)))
    assert known.of(tmp_path) is first
    write(tmp_path, model_files(256))
    assert known.of(tmp_path).weights == 256 * 1024
