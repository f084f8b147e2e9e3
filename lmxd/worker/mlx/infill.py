"""A completion between two texts, for models that have learnt to fill a gap.

They were taught with tokens of their own around what comes before the gap and what comes after
it, in the order before, after, middle. Which of these tokens a vocabulary has says how to ask.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mlx_lm.tokenizer_utils import TokenizerWrapper

__all__ = ["Infill"]

# Before, after, middle, and what ends the answer; of Qwen2.5-Coder and CodeGemma, StarCoder and
# Granite, SantaCoder, Code Llama, DeepSeek-Coder.
_STYLES = (
    (
        ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"),
        ("<|fim_pad|>", "<|endoftext|>", "<|file_sep|>", "<|file_separator|>", "<|repo_name|>"),
    ),
    (
        ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
        ("<fim_pad>", "<|endoftext|>", "<file_sep>", "<repo_name>"),
    ),
    (("<fim-prefix>", "<fim-suffix>", "<fim-middle>"), ("<fim-pad>", "<|endoftext|>")),
    (("▁<PRE>", "▁<SUF>", "▁<MID>"), ("▁<EOT>",)),
    (("<\uff5cfim▁begin\uff5c>", "<\uff5cfim▁hole\uff5c>", "<\uff5cfim▁end\uff5c>"), ("<|EOT|>",)),
)
# A letter that no vocabulary joins with what follows; see `prompt`.
_GUARD = "☺"


@dataclass(frozen=True, slots=True)
class Infill:
    """How one model is asked. ends: tokens that end an answer, if the model's own do not."""

    marks: tuple[int, int, int]
    ends: frozenset[int]

    @staticmethod
    def of(tokenizer: TokenizerWrapper) -> Infill | None:
        """None for a model whose vocabulary has no such tokens."""
        vocabulary: dict[str, int] = tokenizer.get_vocab()
        for (before, after, middle), ends in _STYLES:
            if before in vocabulary and after in vocabulary and middle in vocabulary:
                return Infill(
                    (vocabulary[before], vocabulary[after], vocabulary[middle]),
                    frozenset(vocabulary[end] for end in ends if end in vocabulary),
                )
        return None

    def prompt(
        self, before: Sequence[int], suffix: str, encode: Callable[[str], list[int]]
    ) -> list[int]:
        """The tokens to go on from, without those a tokenizer puts before every text."""
        start, after, middle = self.marks
        # Some vocabularies write a space before a text, which the suffix did not begin with.
        rest = encode(_GUARD + suffix)[len(encode(_GUARD)) :]
        return [start, *before, after, *rest, middle]
