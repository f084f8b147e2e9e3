"""A query and a document as one text, in the ways that models were taught to read them."""

from __future__ import annotations

from typing import Protocol

from tokenizers import Tokenizer

from lmxd.worker.engine import Opening

__all__ = ["Pairs", "Prompted", "Together"]

# What Qwen3's rerankers were trained with, to the letter.
_BEFORE = (
    "<|im_start|>system\nJudge whether the Document meets the requirements based on the Query and"
    ' the Instruct provided. Note that the answer can only be "yes" or "no".<|im_end|>\n'
    "<|im_start|>user\n"
)
_TASK = "Given a web search query, retrieve relevant passages that answer the query"
_AFTER = "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"


class Pairs(Protocol):
    """Writes pairs for one model; called on the preparation thread only."""

    def write(self, query: str, document: str, most: int | None) -> Opening:
        """The pair in tokens, its document cut so that there are at most so many; None: whole."""


class Together:
    """Both texts with a separator between them, as the tokenizer knows it."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def write(self, query: str, document: str, most: int | None) -> Opening:
        """See Pairs."""
        found = self._tokenizer.encode(query, document)
        over = 0 if most is None else len(found.ids) - most
        if over > 0:
            mine = [place for place, of in enumerate(found.sequence_ids) if of == 1]
            gone = set(mine[-over:])
            keep = [place for place in range(len(found.ids)) if place not in gone]
        else:
            keep = list(range(len(found.ids)))
        return Opening(
            [found.ids[place] for place in keep],
            0,
            segments=[found.type_ids[place] for place in keep],
        )


class Prompted:
    """A question to a language model, to be answered with yes or no."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._before, self._after = self._encode(_BEFORE), self._encode(_AFTER)

    def write(self, query: str, document: str, most: int | None) -> Opening:
        """See Pairs."""
        asked = f"<Instruct>: {_TASK}\n<Query>: {query}\n<Document>:"
        body = self._encode(f"{asked} {document}")
        if most is not None:  # of the query nothing goes
            room = most - len(self._before) - len(self._after)
            body = body[: max(room, len(self._encode(asked)))]
        return Opening([*self._before, *body, *self._after], 0)

    def _encode(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids
