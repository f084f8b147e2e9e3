"""How many bytes of KV cache one token of context takes, from a model's configuration alone.

Pure. Follows what mlx-lm's caches keep: keys and values of each attention head that has its own,
one latent vector a layer where attention is compressed (MLA), a window where a layer slides,
and nothing that grows where a layer is linear, convolutional or a state space.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

REFERENCE_CONTEXT = 16 * 1024
"""A sliding layer keeps a window whatever the context is. Its share a token is exact at this
context (the default of the document) and too high above it."""

_NO_ATTENTION = {"mamba", "mamba2", "rwkv7", "falcon_mamba"}


@dataclass(frozen=True, slots=True)
class Layers:
    """How many layers keep everything, how many keep a window, and how long that window is."""

    full: int
    sliding: int = 0
    window: int = 0


def kv_per_token(text: Mapping[str, object], element: int, key_rows: int | None) -> int:
    """Bytes a token, rounded up.

    text: the language part of config.json. element: bytes of one number in the cache. key_rows:
    rows of the key projection as the weights have it, for configurations that leave defaults out.
    """
    layer = _layer_elements(text, key_rows) * element
    layers = layers_of(text)
    share = min(1.0, layers.window / REFERENCE_CONTEXT)
    return ceil(layer * (layers.full + layers.sliding * share))


def layers_of(text: Mapping[str, object]) -> Layers:
    """What kind of cache each layer has. First rule that fits: 1 kinds listed layer by layer,
    2 a pattern as text, 3 indexes or a period of the attention layers, 4 every n-th layer full and
    the others sliding, 5 no attention at all, 6 all full.
    """
    count = number(text, "num_hidden_layers", "n_layer", "n_layers", "num_layers") or 0
    count -= number(text, "num_kv_shared_layers") or 0
    window = number(text, "sliding_window", "attention_chunk_size") or 0
    kind = str(text.get("model_type", ""))
    if isinstance(kinds := text.get("layer_types"), list):  # 1
        names = [str(name) for name in kinds[:count]]
        full = sum("full" in name or name in {"attention", "global"} for name in names)
        sliding = sum("sliding" in name or "chunked" in name for name in names)
        return Layers(full, sliding, window) if window else Layers(full + sliding)
    if isinstance(pattern := text.get("hybrid_override_pattern"), str):  # 2
        return Layers(pattern.count("*"))
    if isinstance(indexes := text.get("full_attn_idxs"), list):  # 3
        return Layers(len(indexes))
    if interval := number(text, "full_attention_interval"):
        return Layers(count // interval)
    if period := number(text, "attn_layer_period"):
        return Layers(ceil((count - (number(text, "attn_layer_offset") or 0)) / period))
    defaults = {"gemma3": 6, "gemma3_text": 6, "gpt_oss": 2}
    every = number(text, "sliding_window_pattern") or defaults.get(kind)
    if window and every and every > 1:  # 4
        return Layers(count // every, count - count // every, window)
    return Layers(0) if kind in _NO_ATTENTION else Layers(count)  # 5, 6


def number(text: Mapping[str, object], *names: str) -> int | None:
    """The first of these fields that is a number; the largest where it is given layer by layer."""
    for name in names:
        value = text.get(name)
        if isinstance(value, list):
            value = max((part for part in value if isinstance(part, int)), default=None)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
    return None


def _layer_elements(text: Mapping[str, object], key_rows: int | None) -> int:
    """Numbers that one layer keeps for one token."""
    if latent := number(text, "kv_lora_rank"):
        return latent + (number(text, "qk_rope_head_dim") or 0)
    heads = number(text, "num_attention_heads", "n_head", "n_heads", "num_heads")
    if heads is None:
        return 2 * (key_rows or 0)
    shared = number(
        text, "num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num"
    )
    keys = 1 if shared is None and text.get("multi_query") is True else shared or heads
    width = number(text, "hidden_size", "n_embd", "d_model", "model_dim") or 0
    head = number(text, "head_dim") or width // heads
    return keys * (head + (number(text, "v_head_dim") or head))
