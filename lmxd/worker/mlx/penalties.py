"""Bias and penalties: what is added to and taken from the logits before a token is chosen.

All rows that have some are handled in one vectorised call, and nothing waits for the device: the
newest token of a row, which its next one depends on, is not known on the host when a step is
computed. So what a row has said so far is counted on the device: from the host's tokens when the
batch changes, and from then on by adding the tokens that go into each step.

In this order: logit_bias is added; repetition divides positive and multiplies negative logits of
tokens of prompt or answer; presence and frequency are subtracted for tokens of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
import numpy as np

from lmxd.worker.mlx.sampling import Row

__all__ = ["Penalties"]


class Penalties:
    """The rows of one batch; remembers what they said until the batch changes."""

    def __init__(self) -> None:
        self._rows: list[Row] = []
        self._few: _Few | None = None

    def apply(
        self,
        logits: mx.array,
        rows: Sequence[Row],
        inputs: mx.array,
        tokens: Sequence[Sequence[int]],
    ) -> mx.array:
        """The logits (B, V) with what the rows ask for; the very same when they ask for nothing.

        inputs: the tokens (B,) that these logits follow. tokens: those before them, of each row.
        """
        if self._rows != rows:  # rows compare by identity
            self._rows = list(rows)
            places = [i for i, row in enumerate(rows) if row.penalised]
            told = [tokens[i] for i in places]
            self._few = _Few(places, self._rows, told, logits.shape[-1]) if places else None
        return logits if self._few is None else self._few.apply(logits, inputs)


class _Few:
    """The rows that have some bias or penalty."""

    def __init__(
        self,
        places: list[int],
        rows: Sequence[Row],
        tokens: Sequence[Sequence[int]],
        vocabulary: int,
    ) -> None:
        self._rows = [rows[i] for i in places]
        self._index = mx.array(places) if len(places) < len(rows) else None
        self._lines = mx.arange(len(places))
        self._bias = _bias(self._rows, vocabulary)
        self._repetition = _column([row.repetition for row in self._rows], neutral=1)
        self._presence = _column([row.presence for row in self._rows])
        self._frequency = _column([row.frequency for row in self._rows])
        self._seen: mx.array | None = None
        self._counts: mx.array | None = None
        if self._repetition is not None:
            self._seen = mx.array(_counts(tokens, vocabulary) > 0)
        if self._presence is not None or self._frequency is not None:
            answers = [_answer(row, known) for row, known in zip(self._rows, tokens, strict=True)]
            self._counts = mx.array(_counts(answers, vocabulary))

    def apply(self, logits: mx.array, inputs: mx.array) -> mx.array:
        """See Penalties.apply."""
        logits = logits.astype(mx.float32)  # alone or not: a row is rounded in the same way
        if self._index is None:
            return self._changed(logits, inputs)
        logits[self._index] = self._changed(logits[self._index], inputs[self._index])
        return logits

    def _changed(self, logits: mx.array, newest: mx.array) -> mx.array:
        if self._bias is not None:
            logits = logits + self._bias
        if self._repetition is not None and self._seen is not None:
            self._seen[self._lines, newest] = True
            less = mx.where(logits > 0, logits / self._repetition, logits * self._repetition)
            logits = mx.where(self._seen, less, logits)
        if self._counts is not None:
            self._count(newest)
            if self._presence is not None:
                logits = logits - self._presence * (self._counts > 0)
            if self._frequency is not None:
                logits = logits - self._frequency * self._counts
        return logits

    def _count(self, newest: mx.array) -> None:
        """The token that goes into a row's first step is the last one of its prompt."""
        assert self._counts is not None  # noqa: S101 - the caller looked
        own = mx.array([float(row.position > 0) for row in self._rows])
        self._counts = self._counts.at[self._lines, newest].add(own)


def _answer(row: Row, tokens: Sequence[int]) -> Sequence[int]:
    """The tokens that the row generated among these, which lack the newest."""
    return tokens[len(tokens) + 1 - row.position :] if row.position else ()


def _counts(tokens: Sequence[Sequence[int]], vocabulary: int) -> np.ndarray:
    """How often each token is among the tokens of each row."""
    lines = [np.bincount(np.array(each, np.int64), minlength=vocabulary) for each in tokens]
    return np.stack(lines).astype(np.float32)


def _bias(rows: Sequence[Row], vocabulary: int) -> mx.array | None:
    if not any(row.bias for row in rows):
        return None
    bias = np.zeros((len(rows), vocabulary), np.float32)
    for line, row in zip(bias, rows, strict=True):
        line[list(row.bias)] = list(row.bias.values())
    return mx.array(bias)


def _column(values: Sequence[float], neutral: float = 0) -> mx.array | None:
    """The values of the rows; None when all are neutral."""
    if all(value == neutral for value in values):
        return None
    return mx.array(list(values), dtype=mx.float32)[:, None]
