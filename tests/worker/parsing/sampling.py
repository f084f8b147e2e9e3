"""Random answers that a grammar allows, from a real tokenizer that knows the formats' markers."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from llguidance import LLMatcher, LLTokenizer
from llguidance.hf import from_tokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from transformers import AutoTokenizer

from tests.kit import tiny_tokenizer

LIMIT = 3000
"""Tokens after which an answer is no use to a test."""
_HASTE = ("/", '"', "}", "]", ")", "<", "\n", ",", "'")


class Sampler:
    """Draws answers. vocabulary: token ids by text; the markers are control tokens of it."""

    def __init__(self, folder: Path, markers: Sequence[str]) -> None:
        tiny_tokenizer.write(folder, kind="bytes", chat=False, pieces=())
        file = folder / "tokenizer.json"
        document = json.loads(file.read_text())
        self.vocabulary: dict[str, int] = document["model"]["vocab"]
        for marker in markers:
            self.vocabulary[marker] = len(self.vocabulary)
            added = dict(document["added_tokens"][0], id=self.vocabulary[marker], content=marker)
            document["added_tokens"].append(added)
        file.write_text(json.dumps(document))
        self.tokenizer: LLTokenizer = from_tokenizer(AutoTokenizer.from_pretrained(folder))
        self._special = {self.vocabulary[each]: each for each in markers}
        haste = [self.vocabulary[each] for each in _HASTE if each in self.vocabulary]
        self._haste = {*haste, *self._special, self.vocabulary["Ċ"], self.tokenizer.eos_token}

    def matcher(self, grammar: str) -> LLMatcher:
        """Compiled; an error of the grammar is the test's."""
        matcher = LLMatcher(self.tokenizer, LLMatcher.grammar_from_lark(grammar))
        assert not matcher.is_error(), f"{matcher.get_error()}\n{grammar}"
        return matcher

    def answer(self, grammar: str, seed: int) -> str | None:
        """One answer; None where it did not end in time."""
        matcher, dice = self.matcher(grammar), random.Random(seed)
        mask = allocate_token_bitmask(1, self.tokenizer.vocab_size)
        chosen: list[int] = []
        while not matcher.is_stopped() and len(chosen) < LIMIT:
            fill_next_token_bitmask(matcher, mask)
            bits = np.unpackbits(mask.view(np.uint8), bitorder="little")
            allowed = np.flatnonzero(bits[: self.tokenizer.vocab_size]).tolist()
            assert allowed, f"nothing may follow {self.text(chosen)!r}\n{grammar}"
            hasty = [each for each in allowed if each in self._haste]
            token = dice.choice(hasty if hasty and dice.random() < 0.3 else allowed)
            if token == self.tokenizer.eos_token:
                return self.text(chosen)
            assert matcher.consume_token(token), matcher.get_error()
            chosen.append(token)
        return self.text(chosen) if matcher.is_stopped() else None

    def text(self, tokens: Sequence[int]) -> str:
        """The text of tokens, markers shown."""
        out = b""
        for token in tokens:
            out += self._special.get(token, "").encode() or self.tokenizer.decode_bytes([token])
        return out.decode()


@cache
def sampler(markers: tuple[str, ...]) -> Sampler:
    """One for each set of markers; () is a vocabulary in which every marker is plain text."""
    return Sampler(Path(tempfile.mkdtemp()), markers)
