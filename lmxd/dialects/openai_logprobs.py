"""Logprobs in OpenAI's two shapes: a list of objects for chat, four lists for completions; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from schemas.inference import Alternative, TokenLogprob

_LEAST = -9999.0
"""What OpenAI writes for a token that cannot come: JSON has no infinity."""


def chat(tokens: Iterable[TokenLogprob]) -> dict[str, object]:
    """The `logprobs` of a choice of a chat completion."""
    content = [
        {**_entry(token), "top_logprobs": [_entry(other) for other in token.top]}
        for token in tokens
    ]
    return {"content": content, "refusal": None}


def _entry(token: TokenLogprob | Alternative) -> dict[str, object]:
    return {
        "token": token.text,
        "logprob": _LEAST if token.logprob is None else finite(token.logprob),
        "bytes": list(token.raw),
    }


def finite(logprob: float) -> float:
    """A logprob as JSON can write it."""
    return max(logprob, _LEAST)


def completion(tokens: Sequence[TokenLogprob], offset: int) -> dict[str, object]:
    """The `logprobs` of a choice of a completion, whose text starts with these tokens at
    character `offset`. The first token of an echoed prompt has no logprob and no rivals.
    """
    offsets: list[int] = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token.text)
    return {
        "tokens": [token.text for token in tokens],
        "token_logprobs": [
            None if token.logprob is None else finite(token.logprob) for token in tokens
        ],
        "top_logprobs": [_rivals(token) for token in tokens],
        "text_offset": offsets,
    }


def _rivals(token: TokenLogprob) -> dict[str, float] | None:
    """The likeliest tokens and the one that came; of two that read alike the likelier is told."""
    if token.logprob is None:
        return None
    found = {token.text: finite(token.logprob)}
    for other in reversed(token.top):
        found[other.text] = finite(other.logprob)
    return found
