"""Logits to logprobs, for the tokens that somebody wants them of, without a synchronisation.

They are of the model's own distribution: before bias, penalties, filters and temperature. Whoever
makes a `Told` evaluates it together with the tokens it is about, and looks at the values when it
looks at the tokens, so nobody waits for them.
"""

from __future__ import annotations

from typing import Any, cast

import mlx.core as mx

__all__ = ["LEAST", "Known", "Scored", "Told"]

LEAST = -9999.0
"""What is said of a token without any probability: JSON knows no infinity."""

Known = tuple[float, list[tuple[int, float]]]
"""The logprob of one token, and the likeliest ids at its place with theirs, likeliest first."""

Scored = tuple[float | None, list[tuple[int, float]]]
"""The same, or a first token, which nothing foretold."""


class Told:
    """Logprobs of `tokens` (N,), one for each row of `logits` (N, V); not evaluated.

    width: how many of the likeliest tokens of each row are told too.
    """

    def __init__(self, logits: mx.array, tokens: mx.array, width: int) -> None:
        logits = logits.astype(mx.float32)
        total = mx.logsumexp(logits, axis=-1, keepdims=True)
        chosen = mx.take_along_axis(logits, tokens[:, None], axis=-1)
        self.arrays = [_finite(chosen - total)[:, 0]]
        if width:
            best = _best(logits, min(width, logits.shape[-1]))
            self.arrays += [best, _finite(mx.take_along_axis(logits, best, axis=-1) - total)]
        self._known: list[Known] | None = None

    def at(self, place: int) -> Known:
        """What is told of the token at `place`; evaluates what is not."""
        if self._known is None:
            self._known = self._read()
        return self._known[place]

    def _read(self) -> list[Known]:
        chosen: list[float] = cast("Any", self.arrays[0].tolist())
        if len(self.arrays) == 1:
            return [(value, []) for value in chosen]
        ids, values = (cast("list[list[Any]]", array.tolist()) for array in self.arrays[1:])
        rivals = (list(zip(*pair, strict=True)) for pair in zip(ids, values, strict=True))
        return list(zip(chosen, rivals, strict=True))


def _best(logits: mx.array, width: int) -> mx.array:
    """Ids of the `width` likeliest tokens of each row, likeliest first."""
    if width < logits.shape[-1]:
        some = mx.argpartition(-logits, kth=width - 1, axis=-1)[:, :width]
        order = mx.argsort(-mx.take_along_axis(logits, some, axis=-1), axis=-1)
        return mx.take_along_axis(some, order, axis=-1)
    return mx.argsort(-logits, axis=-1)


def _finite(logprobs: mx.array) -> mx.array:
    return mx.maximum(logprobs, LEAST)
