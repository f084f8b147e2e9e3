"""Grammars inside the running batch: what a tokenizer tells them, and their masks on the logits.

The one place where MLX and `lmxd.worker.constrain` meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import mlx.core as mx
from mlx_lm.tokenizer_utils import TokenizerWrapper

from lmxd.worker.constrain import Constraint, GrammarError, Lexicon, Masks
from lmxd.worker.mlx.detokenize import Vocabulary
from lmxd.worker.mlx.sampling import Row

__all__ = ["BatchMasks", "encoder", "lexicon"]

_BITS = 32


def lexicon(
    tokenizer: TokenizerWrapper, vocabulary: Vocabulary, size: int, markers: Iterable[str] = ()
) -> Lexicon | None:
    """The tokenizer as grammars see it; None where its tokens are not bytes or none is the end.

    size: of the logits; tokens beyond the tokenizer's are padding. markers: texts that grammars
    name as the token they are.
    """
    ends = sorted(token for token in tokenizer.eos_token_ids if token < size)
    if not vocabulary.bytewise or not ends:
        return None
    known = tokenizer.get_vocab()
    named = {known[marker] for marker in markers if marker in known}
    control = sorted(token for token in {*vocabulary.control, *ends, *named} if token < size)
    tokens = [vocabulary.text_bytes(token) for token in range(size)]
    for token in control:
        tokens[token] = vocabulary.raw(token)
    return Lexicon(tokens, control, ends, encoder(tokenizer))


def encoder(tokenizer: TokenizerWrapper) -> Callable[[str], Sequence[int]]:
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
        self._masks: Masks | None = None

    @staticmethod
    def needed(rows: Sequence[Row]) -> bool:
        """Whether any row is bound by anything; if none is, a step costs nothing more."""
        return any(row.constraint is not None and row.constraint.active for row in rows)

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
        self._masks = self._masks or Masks(logits.shape[-1])
        words = mx.array(cast("Any", self._masks.fill(constraints)))
        for row, constraint in zip(rows, constraints, strict=True):
            if constraint is not None and constraint.problem:
                row.error = GrammarError(constraint.problem)
        return mx.where(_bits(words, logits.shape[-1]), logits, -mx.inf)


def _bits(words: mx.array, width: int) -> mx.array:
    """Words of 32 bits to booleans."""
    bits = (words[:, :, None] >> mx.arange(_BITS, dtype=mx.uint32)) & 1
    return bits.reshape(words.shape[0], -1)[:, :width].astype(mx.bool_)
