"""A prompt processed apart from the batch, once, for all its answers.

For a prompt that several sequences share, and for one whose own logprobs are wanted: the batch
looks at no logits of a prompt. All tokens but the last go in here, in pieces, so that what decodes
meanwhile waits for a piece only; each sequence then joins the batch with a copy of the cache.
Owned by the engine thread.
"""

from __future__ import annotations

import copy
from typing import Any

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx_lm.models.cache import make_prompt_cache

from lmxd.worker.mlx.logprobs import Known, Told

__all__ = ["Prefill"]

# Logits of that many tokens are held at once where logprobs are wanted.
_SCORED = 128


class Prefill:
    """One prompt. users: sequences that wait for it. width: how many of the likeliest tokens are
    told at each place; None: no logprobs. alone: there is no room for a cache that waits, so the
    first sequence takes it and the others process the prompt themselves.
    """

    def __init__(self, tokens: list[int], users: int, width: int | None) -> None:
        self.alone = False
        self.known: list[Known] | None = None if width is None else []
        self._users = users
        self._tokens = tokens
        self._width = width or 0
        self._done = 0
        self._cache: list[Any] | None = None

    @property
    def complete(self) -> bool:
        """Whether all tokens but the last are processed."""
        return self._done == len(self._tokens) - 1

    @property
    def held(self) -> int:
        """Tokens in the cache."""
        return 0 if self._cache is None else self._done

    @property
    def kept(self) -> int:
        """Tokens in the cache that stays when one more sequence has joined."""
        gone = self.complete and self._cache is None
        return 0 if gone or self.alone or self._users < 2 else len(self._tokens)

    def advance(self, model: Module, most: int) -> None:
        """Processes at most `most` tokens more."""
        if self._cache is None:
            self._cache = make_prompt_cache(model)
        if self.known is not None:
            most = min(most, _SCORED)
        begin, end = self._done, min(self._done + most, len(self._tokens) - 1)
        logits = model(mx.array([self._tokens[begin:end]]), cache=self._cache)
        if self.known is not None:
            told = Told(logits[0], mx.array(self._tokens[begin + 1 : end + 1]), self._width)
            self.known += [told.at(place) for place in range(end - begin)]
        mx.eval([part.state for part in self._cache])
        mx.clear_cache()
        self._done = end

    def give(self) -> list[Any] | None:
        """The cache for one more sequence; None when there is none any more."""
        self._users -= 1
        if self._users and not self.alone:
            return copy.deepcopy(self._cache)
        cache, self._cache = self._cache, None
        return cache

    def drop(self) -> None:
        """Gives up the cache. A prompt that was not complete begins anew."""
        if not self.complete:
            self._done = 0
            if self.known is not None:
                self.known.clear()
        self._cache = None
