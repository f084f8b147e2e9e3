"""Grammars inside the running batch: what a tokenizer tells them, and their masks on the logits.

The one place where MLX and `lmxd.worker.constrain` meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import mlx.core as mx
from mlx_lm.tokenizer_utils import TokenizerWrapper

from lmxd.worker.constrain import Constraint, GrammarError, Lexicon, Masks
from lmxd.worker.mlx.detokenize import Vocabulary
from lmxd.worker.mlx.sampling import Row

__all__ = ["BatchMasks", "lexicon"]

_BITS = 32


def lexicon(tokenizer: TokenizerWrapper, vocabulary: Vocabulary) -> Lexicon | None:
    """The tokenizer as grammars see it; None where its tokens are not bytes or none is the end."""
    size = 1 + max(tokenizer.get_vocab().values())
    ends = sorted(token for token in tokenizer.eos_token_ids if token < size)
    if not vocabulary.bytewise or not ends:
        return None
    control = sorted({*vocabulary.control, *ends})
    tokens = [vocabulary.text_bytes(token) for token in range(size)]
    for token in control:
        tokens[token] = vocabulary.raw(token)
    return Lexicon(tokens, control, ends, _encoder(tokenizer))


def _encoder(tokenizer: TokenizerWrapper) -> Callable[[str], Sequence[int]]:
    """Text in the middle of an answer to tokens: behind a line feed, since some vocabularies
    put a space before a text's first word.
    """
    encode: Callable[..., list[int]] = tokenizer.encode
    head = encode("\n", add_special_tokens=False)

    def behind_a_line(text: str) -> list[int]:
        tokens = encode("\n" + text, add_special_tokens=False)
        if tokens[: len(head)] == head:
            return tokens[len(head) :]
        return encode(text, add_special_tokens=False)

    return behind_a_line


class BatchMasks:
    """The masks of one batch, step by step."""

    def __init__(self) -> None:
        self._masks = Masks()

    @staticmethod
    def needed(rows: Sequence[Row]) -> bool:
        """Whether any row is bound to a grammar; if none is, a step costs nothing more."""
        return any(row.constraint is not None for row in rows)

    def apply(self, logits: mx.array, rows: Sequence[Row], tokens: Sequence[int]) -> mx.array:
        """The logits (B, V) with what the grammars forbid at minus infinity.

        tokens: what each row's next token comes after. A row whose grammar fails gets its error;
        the rows without a grammar keep their logits bit for bit.
        """
        constraints: list[Constraint | None] = []
        for row, token in zip(rows, tokens, strict=True):
            constraint = None if row.error is not None else row.constraint
            if constraint is not None:
                constraint.follow(token)
            constraints.append(constraint)
        if not any(constraints):
            return logits
        words = mx.array(cast("Any", self._masks.fill(constraints)))
        for row, constraint in zip(rows, constraints, strict=True):
            if constraint is not None and constraint.problem:
                row.error = GrammarError(constraint.problem)
        free = mx.array([constraint is None for constraint in constraints])[:, None]
        return mx.where(_bits(words, logits.shape[-1]) | free, logits, -mx.inf)


def _bits(words: mx.array, width: int) -> mx.array:
    """Words of 32 bits to booleans; what is beyond the tokenizer's tokens is padding: never."""
    bits = (words[:, :, None] >> mx.arange(_BITS, dtype=mx.uint32)) & 1
    bits = bits.reshape(words.shape[0], -1)[:, :width].astype(mx.bool_)
    if bits.shape[1] < width:
        bits = mx.pad(bits, [(0, 0), (0, width - bits.shape[1])])
    return bits
