"""Fields of Ollama's API that are known and not read, and the options that are; pure.

Options that say how a runner is loaded (num_ctx, num_gpu and so on) are advice here: what a model
is loaded with stands in the document, and no request reloads it.
"""

from __future__ import annotations

import math
import re
from typing import NamedTuple

from lmxd.dialects.fields import Table
from lmxd.dialects.validation import invalid
from schemas.inference import Sampling
from schemas.wire.ollama import OllamaOptions

__all__ = ["EMBEDDED", "GENERATED", "MESSAGE", "OPTIONS", "Chosen", "chosen", "seconds"]

GENERATED = Table(
    unserved={
        "images": ([],),
        "context": ([],),
        "width": (0,),
        "height": (0,),
        "steps": (0,),
    },
    advisory=frozenset({"shift", "truncate"}),
)
"""Fields of a request that none of the shapes declares."""

EMBEDDED = Table(unserved={}, advisory=frozenset())
"""The same of a request for embeddings."""

MESSAGE = Table(unserved={"images": ([],)}, advisory=frozenset())

OPTIONS = Table(
    unserved={"mirostat": (0,), "tfs_z": (1,), "typical_p": (1,)},
    advisory=frozenset(
        {
            "embedding_only",
            "f16_kv",
            "logits_all",
            "low_vram",
            "main_gpu",
            "mirostat_eta",
            "mirostat_tau",
            "num_batch",
            "num_ctx",
            "num_gpu",
            "num_keep",
            "num_thread",
            "numa",
            "penalize_newline",
            "repeat_last_n",
            "use_mlock",
            "use_mmap",
            "vocab_only",
        }
    ),
)

_UNITS = {
    "h": 3600.0,
    "m": 60.0,
    "s": 1.0,
    "ms": 1e-3,
    "us": 1e-6,
    "µs": 1e-6,
    "ns": 1e-9,
}
_PART = re.compile(r"(\d{1,12}(?:\.\d{0,9})?|\.\d{1,9})(h|ms|m|s|us|µs|ns)")
_DURATION = re.compile(rf"([+-]?)((?:{_PART.pattern})+)")
_NUMBER = re.compile(r"[+-]?\d{1,12}(?:\.\d{0,9})?")


class Chosen(NamedTuple):
    """What options come to."""

    sampling: Sampling
    max_tokens: int | None
    stop: tuple[str, ...]


def chosen(options: OllamaOptions | None, ignored: list[str]) -> Chosen:
    """The options that have an effect; `ignored` gets the names of those nobody knows.

    Raises RequestError (unsupported_parameter).
    """
    if options is None:
        return Chosen(Sampling(), None, ())
    ignored += OPTIONS.sift(options.model_extra or {}, "options.")
    stop = [options.stop] if isinstance(options.stop, str) else options.stop or []
    most = options.num_predict
    sampling = Sampling(
        temperature=options.temperature,
        top_k=None if options.top_k is None else max(0, options.top_k),
        top_p=options.top_p,
        min_p=options.min_p,
        seed=_seed(options.seed),
        repetition=options.repeat_penalty,
        presence=options.presence_penalty,
        frequency=options.frequency_penalty,
    )
    bound = most if most is not None and most > 0 else None  # -1 and -2 say: as many as fit
    return Chosen(sampling, bound, tuple(text for text in stop if text))


def _seed(seed: int | None) -> int | None:
    """-1 asks for another one each time; engines take unsigned ones."""
    return None if seed is None or seed == -1 else seed % 2**64


def seconds(value: float | str | None) -> float | None:
    """How long a model is to be kept after a request; below 0 is for ever, None says nothing.

    Raises RequestError (invalid_request).
    """
    found = _seconds(value) if isinstance(value, str) else value
    if found is None:
        if value is None or value == "":
            return None
        hint = 'write it like "5m", 300 (seconds), 0 (not at all) or -1 (for ever)'
        raise invalid("keep_alive", f"is {str(value)[:40]!r}, which is no duration", hint=hint)
    return math.inf if found < 0 else found


def _seconds(text: str) -> float | None:
    """A duration as Go writes it, or a number of seconds."""
    if _NUMBER.fullmatch(text):
        return float(text)
    whole = _DURATION.fullmatch(text)
    if whole is None:
        return None
    total = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(whole[2]))
    return -total if whole[1] == "-" else total
