"""Tensors by name, and the few layers that are made of them, quantised or not.

For models that are small enough to be written as a page of arithmetic; called by `bert` and
`pooling`. Names are those of the checkpoint, so nothing is renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import mlx.core as mx

__all__ = ["Weights", "read"]


@dataclass(frozen=True, slots=True)
class Weights:
    """The tensors of a checkpoint. prefix: what stands before all names that are asked for.

    group_size, bits: how tensors that have scales are packed.
    """

    tensors: Mapping[str, mx.array]
    prefix: str = ""
    group_size: int = 64
    bits: int = 4

    def __contains__(self, name: str) -> bool:
        return f"{self.prefix}{name}.weight" in self.tensors

    def below(self, prefix: str) -> Weights:
        """The same tensors, asked for by names without `prefix`."""
        return Weights(self.tensors, self.prefix + prefix, self.group_size, self.bits)

    def linear(self, name: str, x: mx.array) -> mx.array:
        """x W^T + b, b where there is one."""
        weight, scales = self._of(name, "weight"), self._maybe(name, "scales")
        if scales is None:
            y = x @ weight.T
        else:
            y = mx.quantized_matmul(
                x,
                weight,
                scales,
                self._maybe(name, "biases"),
                transpose=True,
                group_size=self.group_size,
                bits=self.bits,
            )
        bias = self._maybe(name, "bias")
        return y if bias is None else y + bias

    def rows(self, name: str, ids: mx.array) -> mx.array:
        """The rows of an embedding."""
        weight, scales = self._of(name, "weight"), self._maybe(name, "scales")
        if scales is None:
            return weight[ids]
        biases = self._maybe(name, "biases")
        return mx.dequantize(
            weight[ids],
            scales[ids],
            None if biases is None else biases[ids],
            group_size=self.group_size,
            bits=self.bits,
        )

    def height(self, name: str) -> int:
        """How many rows a tensor has: of an embedding its entries, of a layer its outputs."""
        return self._of(name, "weight").shape[0]

    def norm(self, name: str, x: mx.array, eps: float) -> mx.array:
        """Layer normalisation with scale and shift."""
        return mx.fast.layer_norm(x, self._of(name, "weight"), self._of(name, "bias"), eps)

    def _of(self, name: str, part: str) -> mx.array:
        return self.tensors[f"{self.prefix}{name}.{part}"]

    def _maybe(self, name: str, part: str) -> mx.array | None:
        return self.tensors.get(f"{self.prefix}{name}.{part}")


def read(folder: Path) -> dict[str, mx.array]:
    """All tensors of a folder's `model*.safetensors`, mapped and not yet read."""
    tensors: dict[str, mx.array] = {}
    for path in sorted(folder.glob("model*.safetensors")):
        tensors |= cast("dict[str, mx.array]", mx.load(str(path)))
    return tensors
