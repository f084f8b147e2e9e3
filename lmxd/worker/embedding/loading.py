"""A verified folder to a network that gives vectors or scores, and what goes with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import mlx.core as mx
import transformers
from mlx.utils import tree_flatten
from tokenizers import Tokenizer

from lmxd.worker.embedding import bert, decoder, layout
from lmxd.worker.embedding.batch import Network
from lmxd.worker.embedding.pairs import Pairs, Prompted, Together
from lmxd.worker.embedding.pooling import Embedder
from lmxd.worker.embedding.weights import Weights, read
from lmxd.worker.engine import Report
from lmxd.worker.mlx import checkpoint
from lmxd.worker.mlx.loading import read_tensors, translated
from schemas.errors import ActionError

__all__ = ["Model", "load"]

_ELSEWHERE = 2048
"""Tokens a model is given that says nothing of how many it takes."""


@dataclass(frozen=True, slots=True)
class Model:
    """A loaded model.

    network: see `Network`. pairs: how a query and a document become one text; None: this model
    gives vectors. context: most tokens of a text. vocabulary: tokens from 0 that it knows.
    parameters: how many numbers it has, to tell long work from short.
    """

    network: Network
    tokenizer: Tokenizer
    pairs: Pairs | None
    context: int
    vocabulary: int
    parameters: int
    tokenizer_sha: str


@dataclass(frozen=True, slots=True)
class _Parts:
    network: Network
    pairs: Pairs | None
    context: int
    vocabulary: int
    tensors: list[mx.array]


def load(folder: Path, task: str, report: Report) -> Model:
    """Loads; raises ActionError with one of the reasons of `schemas.frames.LoadFailed`."""
    checkpoint.verify(folder)
    with translated(folder):
        config = layout.settings(folder / "config.json")
        tokenizer = _tokenizer(folder)
        encoder = config["model_type"] in bert.FAMILIES
        parts = (_encoder if encoder else _decoder)(folder, config, tokenizer, task)
        read_tensors(parts.tensors, report)
        return Model(
            parts.network,
            tokenizer,
            parts.pairs,
            parts.context,
            min(parts.vocabulary, tokenizer.get_vocab_size()),
            sum(tensor.size for tensor in parts.tensors),
            hashlib.sha256(tokenizer.to_str().encode()).hexdigest(),
        )


def _encoder(folder: Path, config: dict[str, Any], tokenizer: Tokenizer, task: str) -> _Parts:
    tensors = read(folder)
    packed = config.get("quantization") or {}
    weights = Weights(tensors, "", int(packed.get("group_size", 64)), int(packed.get("bits", 4)))
    body = bert.Encoder(config, weights)
    steps = layout.read(folder, "mean")
    context = min(body.context, steps.limit or body.context)
    network: Network
    pairs: Pairs | None = None
    if task == "rerank":
        network, pairs = bert.Scorer(body, weights), Together(tokenizer)
    else:
        network = Embedder(body, steps)
    return _Parts(network, pairs, context, body.vocabulary, list(tensors.values()))


def _decoder(folder: Path, config: dict[str, Any], tokenizer: Tokenizer, task: str) -> _Parts:
    module = decoder.load(folder)
    steps = layout.read(folder, "mean" if decoder.reads_both_ways(config) else "last")
    own = config.get("max_position_embeddings")
    context = own if isinstance(own, int) and own > 0 else _ELSEWHERE
    network: Network
    pairs: Pairs | None = None
    if task == "rerank":
        yes, no = (_word(tokenizer, word) for word in ("yes", "no"))
        network, pairs = decoder.Judge(module, yes, no), Prompted(tokenizer)
    elif decoder.reads_both_ways(config):
        network = Embedder(decoder.BothWays(module), steps)
    else:
        network = Embedder(decoder.Forward(module), steps)
    parameters = module.parameters()  # type: ignore[no-untyped-call]
    tensors = [tensor for _, tensor in cast("list[tuple[str, mx.array]]", tree_flatten(parameters))]
    vocabulary = int(config["vocab_size"])
    return _Parts(network, pairs, min(context, steps.limit or context), vocabulary, tensors)


def _word(tokenizer: Tokenizer, word: str) -> int:
    token = tokenizer.token_to_id(word)
    if token is None:
        raise ActionError(
            "UnsupportedArchitecture",
            f"this model cannot judge documents: {word!r} is not one of its tokens",
            hint="name a reranker, or set task to chat or embed",
            terminal=True,
        )
    return token


def _tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer, which neither cuts nor pads by itself."""
    path = folder / "tokenizer.json"
    if path.is_file():
        found = Tokenizer.from_file(str(path))
    else:
        load_any: Callable[..., Any] = transformers.AutoTokenizer.from_pretrained
        found = load_any(folder, local_files_only=True).backend_tokenizer
    found.no_truncation()
    found.no_padding()
    return found
