"""A Gemma that reads both ways, written a second time in numpy, in float64, one text at a time."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tests.kit.tiny_bert import Array, read_safetensors

__all__ = ["GemmaReference"]


class GemmaReference:
    """What the layers of `tests.kit.tiny` hold at each token. layer_types as `pattern` says: each
    that is no multiple of it slides.
    """

    def __init__(self, folder: Path) -> None:
        self._weights = read_safetensors(folder / "model.safetensors")
        self._config = json.loads((folder / "config.json").read_bytes())

    def hidden(self, ids: Sequence[int]) -> Array:
        """At the end, after the last norm."""
        config = self._config
        x = self._at("embed_tokens")[list(ids)] * math.sqrt(config["hidden_size"])
        places = np.arange(len(ids))
        near = np.abs(places[:, None] - places[None, :]) <= config["sliding_window"] // 2
        for number in range(config["num_hidden_layers"]):
            slides = (number + 1) % config["sliding_window_pattern"] != 0
            theta = 10_000.0 if slides else config["rope_theta"]
            x = self._layer(f"layers.{number}.", x, near if slides else near | True, theta)
        return self._norm("norm", x)

    def _at(self, name: str) -> Array:
        return self._weights[f"model.{name}.weight"]

    def _norm(self, name: str, x: Array) -> Array:
        scale = np.sqrt((x**2).mean(axis=-1, keepdims=True) + self._config["rms_norm_eps"])
        found: Array = x / scale * (1 + self._at(name))
        return found

    def _layer(self, name: str, x: Array, mask: np.ndarray, theta: float) -> Array:
        y = self._attend(f"{name}self_attn.", self._norm(f"{name}input_layernorm", x), mask, theta)
        x = x + self._norm(f"{name}post_attention_layernorm", y)
        y = self._norm(f"{name}pre_feedforward_layernorm", x)
        gate = y @ self._at(f"{name}mlp.gate_proj").T
        gate = gate * (1 + np.tanh(math.sqrt(2 / math.pi) * (gate + 0.044715 * gate**3))) / 2
        y = (gate * (y @ self._at(f"{name}mlp.up_proj").T)) @ self._at(f"{name}mlp.down_proj").T
        found: Array = x + self._norm(f"{name}post_feedforward_layernorm", y)
        return found

    def _attend(self, name: str, x: Array, mask: np.ndarray, theta: float) -> Array:
        width = self._config["head_dim"]

        def heads(part: str, count: int) -> Array:
            found: Array = (x @ self._at(f"{name}{part}_proj").T).reshape(len(x), count, width)
            return found.transpose(1, 0, 2)

        many, few = self._config["num_attention_heads"], self._config["num_key_value_heads"]
        query = _turned(self._norm(f"{name}q_norm", heads("q", many)), theta)
        key = _turned(self._norm(f"{name}k_norm", heads("k", few)), theta).repeat(many // few, 0)
        value = heads("v", few).repeat(many // few, 0)
        scale = self._config["query_pre_attn_scalar"] ** -0.5
        scores = np.where(mask, query @ key.transpose(0, 2, 1) * scale, -np.inf)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        seen = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        found: Array = seen.transpose(1, 0, 2).reshape(len(x), -1) @ self._at(f"{name}o_proj").T
        return found


def _turned(x: Array, theta: float) -> Array:
    """Rotary positions, halves paired."""
    half = x.shape[-1] // 2
    angles = np.arange(x.shape[1])[:, None] * theta ** (-np.arange(half) / half)
    one, two = x[..., :half], x[..., half:]
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([one * cos - two * sin, two * cos + one * sin], axis=-1)
