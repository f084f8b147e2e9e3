"""What a model is for and how long its texts may be, from the files beside its weights.

The daemon's side of the question: `task: auto` of the document becomes what this says. A language
model whose files do not say that it was trained for vectors is one that chats.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from lmxd.store.kv_cache import number

BESIDE = ("modules.json", "sentence_bert_config.json")
"""Files that this reads beside config.json."""

_MODULES, _LIMITS = BESIDE
_LEAST_CONTEXT = 2048
_ENCODERS = {"bert", "camembert", "roberta", "xlm-roberta"}
_PADDED = _ENCODERS - {"bert"}


def task_of(folder: Path, config: Mapping[str, object]) -> str:
    """`chat`, `embed` or `rerank`."""
    stated = config.get("architectures")
    names = [str(each) for each in stated] if isinstance(stated, list) else []
    if any(name.endswith("ForSequenceClassification") for name in names):
        return "rerank"
    if (folder / _MODULES).is_file() or config.get("use_bidirectional_attention"):
        return "embed"
    return "embed" if config.get("model_type") in _ENCODERS else "chat"


def max_context(folder: Path, text: Mapping[str, object]) -> int:
    """Tokens the model was made for; `text` is the language part of its config.json."""
    names = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len")
    own = number(text, *names, "seq_length", "n_ctx") or _LEAST_CONTEXT
    if text.get("model_type") in _PADDED:  # its places are numbered from behind its padding
        padding = number(text, "pad_token_id")
        own -= 1 + (1 if padding is None else padding)
    limit = _limit(folder / _LIMITS)
    return min(own, limit) if limit else own


def _limit(path: Path) -> int | None:
    try:
        content: object = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return number(content, "max_seq_length") if isinstance(content, dict) else None
