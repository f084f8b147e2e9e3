"""A verified folder to a model in memory, with progress in bytes.

Weights are mapped lazily and evaluated piece by piece, so progress is what has really been read.
Code that comes with a model is never run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx.utils import tree_flatten
from mlx_lm import tokenizer_utils
from mlx_lm.models.cache import CacheList, make_prompt_cache
from mlx_lm.utils import _get_classes, load_model

from lmxd.worker.mlx import checkpoint
from lmxd.worker.mlx.pool import CacheCost, Layer
from lmxd.worker.mlx.probe import versions
from schemas.errors import ActionError
from schemas.inference import Sampling

__all__ = ["Model", "load", "read_tensors", "translated"]

_PIECE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Model:
    """What the engine needs of a loaded model.

    context: the model's own; None: it says nothing. vocabulary: tokens from 0 that it knows.
    width: of its logits, which may have padding.
    """

    module: Module
    tokenizer: tokenizer_utils.TokenizerWrapper
    context: int | None
    defaults: Sampling
    cost: CacheCost
    tokenizer_sha: str
    vocabulary: int
    width: int


def load(folder: Path, report: Callable[[int, int], None]) -> Model:
    """Loads; raises ActionError with one of the reasons of `schemas.frames.LoadFailed`."""
    checkpoint.verify(folder)
    with translated(folder):
        return _load(folder, report)


@contextmanager
def translated(folder: Path) -> Iterator[None]:
    """Whatever is raised while a model loads leaves as ActionError."""
    try:
        yield
    except ActionError:
        raise
    except MemoryError as error:
        raise _out_of_memory(folder, error) from error
    except Exception as error:
        if isinstance(error, RuntimeError) and "alloc" in str(error).lower():
            raise _out_of_memory(folder, error) from error
        # The first line: mlx-lm lists every parameter of a mismatch.
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ActionError(
            "LoadFailed", f"{folder.name} cannot be loaded: {reason[:500]}", terminal=True
        ) from error


def _load(folder: Path, report: Callable[[int, int], None]) -> Model:
    module, config = load_model(folder, lazy=True, get_model_classes=_classes)
    tokenizer = tokenizer_utils.load(folder, eos_token_ids=config.get("eos_token_id"))
    _read_weights(module, report)
    cost, width = _measure(module)
    return Model(
        module=module,
        tokenizer=tokenizer,
        context=_context(config),
        defaults=_defaults(folder / "generation_config.json"),
        cost=cost,
        tokenizer_sha=_tokenizer_sha(folder, tokenizer),
        vocabulary=min(width, max(tokenizer.get_vocab().values()) + 1),
        width=width,
    )


def _classes(config: dict[str, Any]) -> tuple[type[Module], type]:
    try:
        classes: tuple[type[Module], type] = _get_classes(config)
    except ValueError as error:
        raise ActionError(
            "UnsupportedArchitecture",
            f"model type {config.get('model_type')!r} is not known to"
            f" mlx-lm {versions()['mlx-lm']}",
            hint="choose another model, or upgrade mlx-lm if a newer one knows it",
            terminal=True,
        ) from error
    return classes


def _read_weights(module: Module, report: Callable[[int, int], None]) -> None:
    parameters = module.parameters()  # type: ignore[no-untyped-call]
    tensors = [tensor for _, tensor in cast("list[tuple[str, mx.array]]", tree_flatten(parameters))]
    read_tensors(tensors, report)


def read_tensors(tensors: Sequence[mx.array], report: Callable[[int, int], None]) -> None:
    """Evaluates mapped tensors piece by piece, and reports bytes done and bytes in all."""
    total = sum(tensor.nbytes for tensor in tensors)
    done = 0
    report(done, total)
    piece: list[mx.array] = []
    for place, tensor in enumerate(tensors, start=1):
        piece.append(tensor)
        size = sum(part.nbytes for part in piece)
        if size >= _PIECE or place == len(tensors):
            mx.eval(piece)
            piece.clear()
            done += size
            report(done, total)


def _measure(module: Module) -> tuple[CacheCost, int]:
    """Runs two tokens through the model: what its caches then hold, and how many logits it has."""
    caches = make_prompt_cache(module)
    logits = module(mx.array([[0, 0]]), cache=caches)
    mx.eval(logits)
    return CacheCost(tuple(layer for cache in caches for layer in _layers(cache))), logits.shape[-1]


def _layers(cache: Any) -> list[Layer]:
    if isinstance(cache, CacheList):
        return [layer for part in cache.caches for layer in _layers(part)]
    keys, values = getattr(cache, "keys", None), getattr(cache, "values", None)
    if not isinstance(keys, mx.array) or not isinstance(values, mx.array):
        return [Layer(0, constant=int(cache.nbytes))]
    token = sum(part.shape[1] * part.shape[3] * part.itemsize for part in (keys, values))
    return [Layer(token, window=getattr(cache, "max_size", None))]


def _context(config: dict[str, Any]) -> int | None:
    for part in (config, config.get("text_config") or {}):
        value = part.get("max_position_embeddings")
        if isinstance(value, int) and value > 0:
            return value
    return None


def _defaults(path: Path) -> Sampling:
    """What the model's authors recommend; an unreadable file recommends nothing."""
    try:
        said = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return Sampling()
    if not isinstance(said, dict):
        return Sampling()

    def number(name: str) -> float | None:
        value = said.get(name)
        return value if isinstance(value, (int, float)) and value >= 0 else None

    top_k = number("top_k")
    return Sampling(
        temperature=number("temperature"),
        top_p=number("top_p"),
        top_k=None if top_k is None else int(top_k),
        min_p=number("min_p"),
    )


def _tokenizer_sha(folder: Path, tokenizer: tokenizer_utils.TokenizerWrapper) -> str:
    """Digest of the tokenizer: of its file, or of its vocabulary where there is no single file."""
    for name in ("tokenizer.json", "tokenizer.model", "tiktoken.model"):
        if (folder / name).is_file():
            return hashlib.sha256((folder / name).read_bytes()).hexdigest()
    vocabulary = json.dumps(tokenizer.get_vocab(), sort_keys=True)
    return hashlib.sha256(vocabulary.encode()).hexdigest()


def _out_of_memory(folder: Path, error: BaseException) -> ActionError:
    return ActionError(
        "OutOfMemory",
        f"{folder.name} does not fit into the memory left: {error}",
        hint="unload another model, or choose a smaller quantisation",
    )
