"""From what stands at each token to one vector of length 1."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable

import mlx.core as mx

from lmxd.worker.embedding import layout
from lmxd.worker.embedding.batch import Batch, Tick
from lmxd.worker.embedding.weights import Weights, read

__all__ = ["Embedder", "cut"]

_TINY = 1e-12


class Embedder:
    """A network with the steps after it: one vector of length 1 for each text."""

    def __init__(self, body: Callable[[Batch, Tick], mx.array], steps: layout.Layout) -> None:
        self._body = body
        self._pooling = steps.pooling
        self._dense = [(Weights(read(each.folder)), each.activation) for each in steps.dense]

    def __call__(self, batch: Batch, tick: Tick) -> mx.array:
        """See `Network`."""
        x = self._pool(self._body(batch, tick).astype(mx.float32), batch)
        for weights, activation in self._dense:
            x = weights.linear("linear", x)
            x = mx.tanh(x) if activation == "tanh" else x
        x = x.astype(mx.float32)
        return x / mx.maximum(mx.linalg.norm(x, axis=-1, keepdims=True), _TINY)

    def _pool(self, hidden: mx.array, batch: Batch) -> mx.array:
        mask = batch.mask[:, :, None]
        match self._pooling:
            case "cls":
                return hidden[:, 0]
            case "last":
                return batch.last(hidden)
            case "max":
                return mx.where(mask, hidden, -math.inf).max(axis=1)
            case "mean":
                return mx.where(mask, hidden, 0).sum(axis=1) / batch.lengths[:, None]


def cut(vector: bytes, dimensions: int) -> bytes:
    """The first of the numbers of a vector (float32), made one of length 1 again."""
    numbers = array("f", vector[: 4 * dimensions])
    length = max(math.sqrt(math.fsum(number * number for number in numbers)), _TINY)
    return array("f", [number / length for number in numbers]).tobytes()
