"""Language models read for what they hold instead of what they say next: Qwen3, Gemma, and any
other that mlx-lm knows.

A model that reads forward needs no mask for padding, which comes after all tokens. Gemma's
embedding models read both ways, sliding layers too; that is done here, over mlx-lm's layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
from mlx.nn.layers.base import Module
from mlx_lm.utils import _get_classes, load_model

from lmxd.worker.embedding.batch import Batch, Tick
from lmxd.worker.mlx.probe import versions
from schemas.errors import ActionError

__all__ = ["BothWays", "Forward", "Judge", "load", "reads_both_ways"]


def reads_both_ways(config: Mapping[str, Any]) -> bool:
    """Whether this is a Gemma that was made for embeddings."""
    return config["model_type"] == "gemma3_text" and bool(config.get("use_bidirectional_attention"))


def load(folder: Path) -> Module:
    """The model, mapped and not yet read. Raises ActionError for one that mlx-lm does not know."""
    module: Module = load_model(folder, lazy=True, get_model_classes=_classes)[0]
    return module


def _classes(config: dict[str, Any]) -> tuple[type[Module], type]:
    try:
        known, arguments = _get_classes(config)
    except ValueError as error:
        raise ActionError(
            "UnsupportedArchitecture",
            f"model type {config.get('model_type')!r} is neither an encoder of the BERT kind"
            f" nor known to mlx-lm {versions()['mlx-lm']}",
            hint="choose another model, or upgrade mlx-lm if a newer one knows it",
            terminal=True,
        ) from error

    class Headless(known):  # type: ignore[misc, valid-type]
        """The same model, from a checkpoint that may hold its body only."""

        def sanitize(self, weights: dict[str, mx.array]) -> dict[str, mx.array]:
            """Names as mlx-lm has them, and no output layer where the checkpoint has none."""
            if not any(name.startswith("model.") for name in weights):
                weights = {
                    name if name.startswith("lm_head.") else f"model.{name}": tensor
                    for name, tensor in weights.items()
                }
            found: dict[str, mx.array] = (
                super().sanitize(weights) if hasattr(known, "sanitize") else weights
            )
            if "lm_head.weight" not in found and "lm_head" in self:
                self.pop("lm_head")
            return found

    return Headless, arguments


class Forward:
    """A model in which every token sees those before it."""

    def __init__(self, module: Any) -> None:
        self._body = module.model

    def __call__(self, batch: Batch, tick: Tick) -> mx.array:
        """Rows, tokens, width."""
        hidden: mx.array = self._body(batch.tokens)
        tick(hidden)
        return hidden


class BothWays:
    """A Gemma in which every token sees all others, in sliding layers those near it."""

    def __init__(self, module: Any) -> None:
        self._body = module.model
        # Half the window lies behind a token and half before it.
        self._near = int(module.args.sliding_window) // 2
        self._pattern = int(module.args.sliding_window_pattern)
        self._scale = float(module.args.hidden_size) ** 0.5

    def __call__(self, batch: Batch, tick: Tick) -> mx.array:
        """Rows, tokens, width."""
        x = self._body.embed_tokens(batch.tokens)
        x = x * mx.array(self._scale, mx.bfloat16).astype(x.dtype)
        places = mx.arange(batch.tokens.shape[1])
        near = mx.abs(places[:, None] - places[None, :]) <= self._near
        whole = batch.mask[:, None, None, :]
        for number, layer in enumerate(self._body.layers, start=1):
            x = layer(x, whole if number % self._pattern == 0 else whole & near[None, None])
            tick(x)
        hidden: mx.array = self._body.norm(x)
        return hidden


class Judge:
    """A model that is asked whether a document fits, and how likely it says yes rather than no."""

    def __init__(self, module: Any, yes: int, no: int) -> None:
        self._module = module
        self._body = Forward(module)
        self._words = mx.array([yes, no])

    def __call__(self, batch: Batch, tick: Tick) -> mx.array:
        """See `Network`."""
        last = batch.last(self._body(batch, tick))
        module = self._module
        tied = "lm_head" not in module
        logits = module.model.embed_tokens.as_linear(last) if tied else module.lm_head(last)
        return mx.softmax(logits[:, self._words].astype(mx.float32), axis=-1)[:, 0]
