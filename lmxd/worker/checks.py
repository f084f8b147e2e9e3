"""What a request may ask for, whichever engine serves it: ranges and counts.

Called on the preparation thread. Only here, because the bounds hold for every dialect.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from schemas.errors import Code, RequestError
from schemas.inference import Request, Sampling

__all__ = ["check_counts", "check_echo", "check_sampling", "check_tokens", "invalid"]

_MOST_LOGPROBS = 20
_MOST_ANSWERS = 128
_MOST_SEQUENCES = 2048
# Logprobs that are told of one prompt, over all its answers: they are in one frame.
_MOST_TOLD = 250_000
_SHOWN = 5  # ids that are listed in a message

_RANGES = (
    ("temperature", 0, math.inf),
    ("top_p", 0, 1),
    ("min_p", 0, 1),
    ("top_k", 0, math.inf),
    ("xtc_probability", 0, 1),
    ("xtc_threshold", 0, 1),
    ("presence", -2, 2),
    ("frequency", -2, 2),
    ("repetition", 0.01, 10),
)
# What clients know a field as, where that is another name than ours.
_PARAMS = {
    "presence": "presence_penalty",
    "frequency": "frequency_penalty",
    "repetition": "repetition_penalty",
}
_MOST_BIAS = 100


def check_sampling(sampling: Sampling, vocabulary: int) -> None:
    """Raises RequestError for a number that is out of its range, or a token the model lacks."""
    for name, low, high in _RANGES:
        value = getattr(sampling, name)
        if value is not None:
            _check_range(_PARAMS.get(name, name), value, low, high)
    for token, bias in (sampling.logit_bias or {}).items():
        _check_range(f"logit_bias of token {token}", bias, -_MOST_BIAS, _MOST_BIAS, "logit_bias")
    check_tokens(sampling.logit_bias or (), vocabulary, "logit_bias")


def check_counts(request: Request) -> None:
    """Raises RequestError for a count that no request may have."""
    least = 0 if request.echo else 1
    if request.max_tokens is not None and request.max_tokens < least:
        raise invalid(
            f"max_tokens is {request.max_tokens}, it must be at least {least}", param="max_tokens"
        )
    _check_range("n", request.n, 1, _MOST_ANSWERS)
    if request.kind == "completion":
        answers = len(request.prompts) * request.n
        _check_range("the number of prompts times n", answers, 1, _MOST_SEQUENCES, "prompt")
    if request.logprobs is not None:
        _check_range("top_logprobs", request.logprobs, 0, _MOST_LOGPROBS)


def check_echo(request: Request, tokens: int) -> None:
    """Raises RequestError when the logprobs of a prompt of so many tokens are too many."""
    if not request.echo or request.logprobs is None:
        return
    told = tokens * (1 + request.logprobs) * request.n
    if told > _MOST_TOLD:
        raise invalid(
            f"echo with logprobs of {tokens} tokens is {told} values, the limit is {_MOST_TOLD}",
            hint="ask for fewer likely tokens or answers, or for a part of the prompt",
            param="logprobs",
        )


def check_tokens(tokens: Iterable[int], vocabulary: int, param: str) -> None:
    """Raises RequestError that names the ids the model's vocabulary does not have."""
    strange = [str(token) for token in tokens if not 0 <= token < vocabulary]
    if not strange:
        return
    more = f" and {len(strange) - _SHOWN} more" if len(strange) > _SHOWN else ""
    raise invalid(
        f"{param} has tokens that are not in the model's vocabulary of {vocabulary}:"
        f" {', '.join(strange[:_SHOWN])}{more}",
        hint="token ids are those of this model; /v1/tokenize tells them",
        param=param,
    )


def invalid(message: str, *, hint: str | None = None, param: str | None = None) -> RequestError:
    """A refusal that only another request can avoid."""
    return RequestError(Code.INVALID_REQUEST, message, hint=hint, param=param)


def _check_range(
    what: str, value: float, low: float, high: float, param: str | None = None
) -> None:
    # Written so that NaN fails too.
    if low <= value <= high and value < math.inf:
        return
    bounds = f"between {low} and {high}" if high < math.inf else f"at least {low}"
    raise invalid(f"{what} is {value}, it must be {bounds}", param=param or what)
