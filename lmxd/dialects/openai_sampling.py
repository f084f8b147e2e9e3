"""How tokens are chosen and when it ends: what OpenAI's text APIs say alike; pure."""

from __future__ import annotations

from collections.abc import Mapping

from lmxd.dialects.fields import unsupported
from lmxd.dialects.validation import invalid
from schemas.inference import Sampling
from schemas.wire.openai import Queued, Sampled

_TIERS: Mapping[str, int] = {"auto": 0, "default": 0, "scale": 0, "flex": -1, "priority": 1}


def sampling(wire: Sampled) -> Sampling:
    """The choices of a request. Raises RequestError where two names of one thing differ."""
    return Sampling(
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=0 if wire.top_k == -1 else wire.top_k,
        min_p=wire.min_p,
        # Engines take unsigned seeds; a negative one keeps its own place in that range.
        seed=None if wire.seed is None else wire.seed % 2**64,
        xtc_probability=wire.xtc_probability,
        xtc_threshold=wire.xtc_threshold,
        presence=wire.presence_penalty,
        frequency=wire.frequency_penalty,
        repetition=_repetition(wire),
        logit_bias={int(token): bias for token, bias in (wire.logit_bias or {}).items()} or None,
    )


def _repetition(wire: Sampled) -> float | None:
    one, other = wire.repetition_penalty, wire.repeat_penalty
    if one is not None and other is not None and one != other:
        raise invalid("repeat_penalty", f"is {other}, and repetition_penalty, the same, is {one}")
    return other if one is None else one


def max_tokens(*asked: int | None) -> int | None:
    """The first bound that was given; None for no bound."""
    given = next((each for each in asked if each is not None), None)
    return None if given == -1 else given


def stop(given: str | list[str] | None) -> tuple[str, ...]:
    """An empty string stops nothing: clients send it for "no stop string"."""
    texts = [given] if isinstance(given, str) else given or []
    return tuple(text for text in texts if text)


def priority(wire: Queued) -> int:
    """Greater goes first. Raises RequestError for a tier nobody knows."""
    if wire.priority is not None:
        return wire.priority
    if wire.service_tier is None:
        return 0
    if wire.service_tier not in _TIERS:
        raise unsupported("service_tier", tuple(_TIERS))
    return _TIERS[wire.service_tier]
