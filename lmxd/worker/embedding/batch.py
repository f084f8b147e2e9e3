"""Texts of unequal length side by side: what every network here takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mlx.core as mx

from lmxd.worker.engine import Opening

__all__ = ["Batch", "Network", "Tick"]

Tick = Callable[[mx.array], None]
"""Called with what a network holds after each layer, so that a long pass shows that it lives."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows padded at their ends. lengths: tokens of each row. mask: where a token is."""

    tokens: mx.array
    segments: mx.array
    mask: mx.array
    lengths: mx.array

    @staticmethod
    def of(openings: Sequence[Opening]) -> Batch:
        """These texts; none of them is empty."""
        width = max(len(each.tokens) for each in openings)
        rows = [_padded(each.tokens, width) for each in openings]
        kinds = [_padded(each.segments, width) for each in openings]
        lengths = mx.array([len(each.tokens) for each in openings])
        mask = mx.arange(width)[None, :] < lengths[:, None]
        return Batch(mx.array(rows), mx.array(kinds), mask, lengths)

    def last(self, hidden: mx.array) -> mx.array:
        """What stands at each row's last token."""
        return hidden[mx.arange(hidden.shape[0]), self.lengths - 1]


Network = Callable[[Batch, Tick], mx.array]
"""One vector (of an `embed`) or one number (of a `rerank`) for each row, in float32."""


def _padded(values: Sequence[int], width: int) -> list[int]:
    return [*values, *([0] * (width - len(values)))]
