"""The KV pool: how much memory sequences take together, and whether one more fits.

Pure arithmetic. mlx-lm pads all sequences of a batch to the longest one, so the pool is counted
that way too: rows x the longest. Layers with a window stop growing at it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["CacheCost", "Layer", "Pool"]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer's cache: bytes a token, for at most `window` tokens, and bytes whatever happens."""

    token_bytes: int
    window: int | None = None
    constant: int = 0


@dataclass(frozen=True, slots=True)
class CacheCost:
    """What one sequence's cache takes."""

    layers: tuple[Layer, ...]

    def size(self, length: int) -> int:
        """Bytes for a sequence of `length` tokens."""
        return sum(
            layer.constant + layer.token_bytes * min(length, layer.window or length)
            for layer in self.layers
        )

    def longest(self, capacity: int, most: int) -> int:
        """The longest sequence, of at most `most` tokens, that takes at most `capacity` bytes."""
        low, high = 0, most
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.size(middle) <= capacity else (low, middle - 1)
        return low


@dataclass(frozen=True, slots=True)
class Pool:
    """The bytes all sequences share. `context`: the longest sequence; always fits alone."""

    cost: CacheCost
    capacity: int
    context: int

    @staticmethod
    def of(cost: CacheCost, kv_bytes: int, context: int) -> Pool:
        """A pool of `kv_bytes`, or of one whole context when that is 0."""
        if kv_bytes <= 0:
            return Pool(cost, cost.size(context), context)
        return Pool(cost, kv_bytes, cost.longest(kv_bytes, context))

    def fits(self, lengths: Iterable[int]) -> bool:
        """Whether sequences of these lengths can be in the batch together."""
        known = list(lengths)
        if len(known) <= 1:
            return True
        return len(known) * self.cost.size(max(known)) <= self.capacity

    def reserve(self, remaining: int) -> int:
        """Tokens of room a sequence must find beyond its prompt to be let in.

        Enough that it is not put out again at once, little enough that requests without a
        max_tokens do not each hold a whole context.
        """
        return min(remaining, max(16, min(256, self.context // 16)))
