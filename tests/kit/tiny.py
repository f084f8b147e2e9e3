"""Tiny models with random weights, on disk in milliseconds, for any test that needs a real one.

`make(folder, arch=...)` writes config, tokenizer and safetensors that mlx-lm loads. It uses numpy
only: importing mlx_lm would lower the open-file limit of the test process. `cached` keeps one
copy per set of options.

Weights have std 1/sqrt(fan_in) and the head is not tied, so that greedy output varies and tests
for equality mean something. `says=` makes a model that answers any greedy chat with that text:
layers that add nothing, and a head that maps each token to the next piece.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.kit import tiny_tokenizer

ARCHITECTURES = ("llama", "mistral", "phi3", "qwen3", "gemma3_text", "gpt_oss")
HIDDEN = 64
HEADS = 4
KV_HEADS = 2
HEAD_DIM = 16
WINDOW = 64

Weights = dict[str, np.ndarray[Any, np.dtype[np.float32]]]


def make(
    folder: Path,
    *,
    arch: str = "llama",
    context: int = 2048,
    seed: int = 0,
    chat: bool = True,
    tokenizer: str = "bytes",
    says: str | Sequence[str] | None = None,
    loop: bool = False,
    mib: int | None = None,
    hidden: int = HIDDEN,
    layers: int = 2,
    vocab: int | None = None,
    generation_config: dict[str, object] | None = None,
    control: Sequence[str] = (),
    bos: bool = False,
) -> Path:
    """Writes a model and gives its folder.

    context: max_position_embeddings. chat: False leaves out the chat template.
    tokenizer: `bytes` or `spm`. says: the answer to everything (llama only): a text without
    repeated bytes, or pieces, no two alike, each one token. loop: it says it for ever, else the
    end token follows. mib: pads a llama with zero weights to about that many MiB.
    hidden, layers, vocab: other sizes, for benchmarks. control, bos: see `tiny_tokenizer.write`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pieces = _pieces(says)
    size, ids = tiny_tokenizer.write(
        folder, kind=tokenizer, chat=chat, pieces=pieces, control=control, bos=bos
    )
    size = max(size, vocab or 0)
    inner = 2 * hidden if mib is None else max(1, mib * 2**20 // (4 * 3 * layers * hidden))
    config = _config(arch, size, context, hidden, layers, inner)
    weights = _weights(arch, config, np.random.default_rng(seed), zero_mlp=mib is not None)
    if ids:
        _script(weights, ids, tiny_tokenizer.END, newline=_newline(tokenizer), loop=loop)
    (folder / "config.json").write_text(json.dumps(config))
    if generation_config is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation_config))
    write_safetensors(folder / "model.safetensors", weights)
    return folder


def cached(base: Path, **options: Any) -> Path:
    """The model with these options under `base`, made at the first call; do not change it."""
    key = json.dumps(options, sort_keys=True, default=str)
    folder = base / f"tiny-{hashlib.sha256(key.encode()).hexdigest()[:16]}"
    if not folder.exists():
        draft = base / f"{folder.name}.{os.getpid()}"
        make(draft, **options)
        try:
            draft.rename(folder)
        except OSError:  # another test process was first
            shutil.rmtree(draft)
    return folder


def write_safetensors(path: Path, weights: Weights) -> None:
    """Writes f32 tensors in the safetensors format."""
    header: dict[str, object] = {"__metadata__": {"format": "mlx"}}
    offset = 0
    for name, tensor in weights.items():
        header[name] = {
            "dtype": "F32",
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + tensor.nbytes],
        }
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in weights.values():
            file.write(np.ascontiguousarray(tensor, dtype=np.float32).data)


def _pieces(says: str | Sequence[str] | None) -> list[bytes]:
    if says is None:
        return []
    pieces = (
        [bytes([b]) for b in says.encode()] if isinstance(says, str) else [s.encode() for s in says]
    )
    if len(set(pieces)) != len(pieces):
        raise ValueError("a model can say each piece only once: give longer pieces")
    return pieces


def _newline(tokenizer: str) -> int:
    """The id of the line feed, which is what the chat template ends with."""
    return len(tiny_tokenizer.SPECIAL) + ord("\n")


def _config(
    arch: str, vocab: int, context: int, hidden: int, layers: int, inner: int
) -> dict[str, object]:
    config: dict[str, object] = {
        "model_type": arch,
        "vocab_size": vocab,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "intermediate_size": inner,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": hidden // HEADS,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "max_position_embeddings": context,
        "tie_word_embeddings": False,
        "eos_token_id": tiny_tokenizer.END,
        "torch_dtype": "float32",
    }
    if arch == "gemma3_text":
        config |= {
            "sliding_window": WINDOW,
            "sliding_window_pattern": 2,
            "query_pre_attn_scalar": hidden // HEADS,
        }
    if arch == "gpt_oss":
        config |= {
            "sliding_window": WINDOW,
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "layer_types": ["sliding_attention", "full_attention"] * (layers // 2),
        }
    return config


def _weights(
    arch: str, config: dict[str, Any], rng: np.random.Generator, *, zero_mlp: bool
) -> Weights:
    hidden, inner, vocab = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    heads, kv = HEADS * config["head_dim"], KV_HEADS * config["head_dim"]
    # Gemma's norms multiply by 1 + weight.
    norm = np.zeros if arch == "gemma3_text" else np.ones

    def dense(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
        return rng.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(shape[-1]))

    weights: Weights = {
        "model.embed_tokens.weight": rng.standard_normal((vocab, hidden), dtype=np.float32),
        "lm_head.weight": dense(vocab, hidden),
        "model.norm.weight": norm(hidden, np.float32),
    }
    for index in range(config["num_hidden_layers"]):
        layer: Weights = {
            "input_layernorm.weight": norm(hidden, np.float32),
            "post_attention_layernorm.weight": norm(hidden, np.float32),
            "self_attn.o_proj.weight": dense(hidden, heads),
        }
        if arch == "phi3":
            layer["self_attn.qkv_proj.weight"] = dense(heads + 2 * kv, hidden)
            layer["mlp.gate_up_proj.weight"] = dense(2 * inner, hidden)
            layer["mlp.down_proj.weight"] = dense(hidden, inner)
        else:
            layer["self_attn.q_proj.weight"] = dense(heads, hidden)
            layer["self_attn.k_proj.weight"] = dense(kv, hidden)
            layer["self_attn.v_proj.weight"] = dense(kv, hidden)
        if arch in ("qwen3", "gemma3_text"):
            layer["self_attn.q_norm.weight"] = norm(config["head_dim"], np.float32)
            layer["self_attn.k_norm.weight"] = norm(config["head_dim"], np.float32)
        if arch == "gemma3_text":
            layer["pre_feedforward_layernorm.weight"] = norm(hidden, np.float32)
            layer["post_feedforward_layernorm.weight"] = norm(hidden, np.float32)
        if arch == "gpt_oss":
            layer |= _gpt_oss(config, heads, kv, dense)
        elif arch != "phi3":
            make_mlp = (lambda *shape: np.zeros(shape, np.float32)) if zero_mlp else dense
            layer["mlp.gate_proj.weight"] = make_mlp(inner, hidden)
            layer["mlp.up_proj.weight"] = make_mlp(inner, hidden)
            layer["mlp.down_proj.weight"] = make_mlp(hidden, inner)
        weights |= {f"model.layers.{index}.{name}": tensor for name, tensor in layer.items()}
    return weights


def _gpt_oss(config: dict[str, Any], heads: int, kv: int, dense: Any) -> Weights:
    hidden, inner, experts = (
        config["hidden_size"],
        config["intermediate_size"],
        config["num_local_experts"],
    )
    biases = {"q_proj": heads, "k_proj": kv, "v_proj": kv, "o_proj": hidden}
    return {
        **{f"self_attn.{name}.bias": dense(size) for name, size in biases.items()},
        "self_attn.sinks": dense(HEADS),
        "mlp.router.weight": dense(experts, hidden),
        "mlp.router.bias": dense(experts),
        "mlp.experts.gate_proj.weight": dense(experts, inner, hidden),
        "mlp.experts.gate_proj.bias": dense(experts, inner),
        "mlp.experts.up_proj.weight": dense(experts, inner, hidden),
        "mlp.experts.up_proj.bias": dense(experts, inner),
        "mlp.experts.down_proj.weight": dense(experts, hidden, inner),
        "mlp.experts.down_proj.bias": dense(experts, hidden),
    }


def _script(weights: Weights, ids: list[int], end: int, *, newline: int, loop: bool) -> None:
    """Turns the weights into a chain: line feed -> first piece -> ... -> end (or the first)."""
    for name in weights:
        if name.endswith(("o_proj.weight", "down_proj.weight")):
            weights[name][:] = 0
    embed, head = weights["model.embed_tokens.weight"], weights["lm_head.weight"]
    embed *= np.sqrt(embed.shape[1]) / np.linalg.norm(embed, axis=1, keepdims=True)
    head[:] = 0
    # The margin over every other token is so wide that sampling at temperature 1 says it too.
    for here, there in zip([newline, *ids], [*ids, ids[0] if loop else end], strict=True):
        head[there] += 4 * embed[here]
