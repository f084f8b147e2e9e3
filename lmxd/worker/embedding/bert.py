"""Encoders of the BERT kind: BERT, MiniLM, RoBERTa and XLM-R, and their heads that score a pair.

Plain MLX arithmetic over the tensors of a checkpoint. Attention goes both ways, so padding is
masked and a text is always read whole.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import mlx.core as mx

from lmxd.worker.embedding.batch import Batch, Tick
from lmxd.worker.embedding.weights import Weights
from schemas.errors import ActionError

__all__ = ["FAMILIES", "Encoder", "Scorer"]

FAMILIES = ("bert", "camembert", "roberta", "xlm-roberta")
_WORDS = "embeddings.word_embeddings"


def _gelu_by_tanh(x: mx.array) -> mx.array:
    return x * (1 + mx.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))) / 2


_ACTIVATIONS: Mapping[str, Callable[[mx.array], mx.array]] = {
    "gelu": lambda x: x * (1 + mx.erf(x / math.sqrt(2))) / 2,
    "gelu_new": _gelu_by_tanh,
    "gelu_pytorch_tanh": _gelu_by_tanh,
    "relu": lambda x: mx.maximum(x, 0),
    "silu": lambda x: x * mx.sigmoid(x),
}


class Encoder:
    """Tokens to what stands at each of them after the last layer."""

    def __init__(self, config: Mapping[str, Any], weights: Weights) -> None:
        self._weights = weights.below(_prefix(weights))
        self._layers = int(config["num_hidden_layers"])
        self._heads = int(config["num_attention_heads"])
        self._eps = float(config.get("layer_norm_eps", 1e-12))
        self._activation = _activation(str(config.get("hidden_act", "gelu")))
        # The RoBERTa kind numbers places from behind the id of its padding.
        plain = config["model_type"] == "bert"
        padding = config.get("pad_token_id")
        self._first = 0 if plain else 1 + (1 if padding is None else int(padding))
        if config.get("position_embedding_type", "absolute") != "absolute":
            raise _unsupported("position_embedding_type", config["position_embedding_type"])

    @property
    def context(self) -> int:
        """Most tokens of a text."""
        return self._weights.height("embeddings.position_embeddings") - self._first

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return self._weights.height(_WORDS)

    def __call__(self, batch: Batch, tick: Tick) -> mx.array:
        """Rows, tokens, width."""
        x = self._embed(batch)
        mask = batch.mask[:, None, None, :]
        for number in range(self._layers):
            x = self._layer(self._weights.below(f"encoder.layer.{number}."), x, mask)
            tick(x)
        return x

    def pooled(self, hidden: mx.array) -> mx.array:
        """BERT's own summary of a text: a layer over its first token."""
        return mx.tanh(self._weights.linear("pooler.dense", hidden[:, 0]))

    def _embed(self, batch: Batch) -> mx.array:
        places = mx.arange(self._first, self._first + batch.tokens.shape[1])
        x = self._weights.rows(_WORDS, batch.tokens)
        x = x + self._weights.rows("embeddings.position_embeddings", places)
        x = x + self._weights.rows("embeddings.token_type_embeddings", batch.segments)
        return self._weights.norm("embeddings.LayerNorm", x, self._eps)

    def _layer(self, weights: Weights, x: mx.array, mask: mx.array) -> mx.array:
        y = weights.linear("attention.output.dense", self._attend(weights, x, mask))
        x = weights.norm("attention.output.LayerNorm", x + y, self._eps)
        y = self._activation(weights.linear("intermediate.dense", x))
        return weights.norm("output.LayerNorm", x + weights.linear("output.dense", y), self._eps)

    def _attend(self, weights: Weights, x: mx.array, mask: mx.array) -> mx.array:
        rows, length, width = x.shape
        queries, keys, values = (
            weights.linear(f"attention.self.{name}", x)
            .reshape(rows, length, self._heads, -1)
            .transpose(0, 2, 1, 3)
            for name in ("query", "key", "value")
        )
        scale = 1 / math.sqrt(width // self._heads)
        y = mx.fast.scaled_dot_product_attention(queries, keys, values, scale=scale, mask=mask)
        return y.transpose(0, 2, 1, 3).reshape(rows, length, width)


class Scorer:
    """A pair of texts to how well the second fits the first, from 0 to 1."""

    def __init__(self, encoder: Encoder, weights: Weights) -> None:
        self._encoder = encoder
        self._weights = weights
        self._last = "classifier" if "classifier" in weights else "classifier.out_proj"
        if self._last not in weights:
            raise _unsupported("head", "none; a model that scores pairs has a classifier")
        labels = weights.height(self._last)
        if labels != 1:
            raise _unsupported("head", f"{labels} labels; a model that scores pairs has one")

    def __call__(self, batch: Batch, tick: Tick) -> mx.array:
        """See `Network`."""
        hidden = self._encoder(batch, tick)
        if self._last == "classifier":
            summary = self._encoder.pooled(hidden)
        else:
            summary = mx.tanh(self._weights.linear("classifier.dense", hidden[:, 0]))
        return mx.sigmoid(self._weights.linear(self._last, summary).astype(mx.float32))[:, 0]


def _prefix(weights: Weights) -> str:
    """What the checkpoint writes before the encoder's names, such as `bert.`."""
    for name in weights.tensors:
        if name.endswith(f"{_WORDS}.weight"):
            return name.removesuffix(f"{_WORDS}.weight")
    raise _unsupported("checkpoint", f"without {_WORDS}")


def _activation(name: str) -> Callable[[mx.array], mx.array]:
    found = _ACTIVATIONS.get(name)
    if found is None:
        raise _unsupported("hidden_act", name)
    return found


def _unsupported(what: str, value: object) -> ActionError:
    return ActionError(
        "UnsupportedArchitecture", f"this encoder has a {what} of {value}", terminal=True
    )
