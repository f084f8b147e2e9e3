"""What the files beside the weights say of a model of vectors: how tokens become one vector.

Reads the layout that sentence-transformers writes: modules.json names steps, each with a folder.
Without it a model that reads both ways is averaged over its tokens, and of one that reads forward
its last token is taken.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from schemas.errors import ActionError

__all__ = ["Dense", "Layout", "Pooling", "read", "settings"]

Pooling = Literal["cls", "mean", "max", "last"]
_NAMES: Mapping[str, Pooling] = {
    "cls_token": "cls",
    "mean_tokens": "mean",
    "max_tokens": "max",
    "lasttoken": "last",
}
_WORDS: Mapping[str, Pooling] = {"cls": "cls", "mean": "mean", "max": "max", "lasttoken": "last"}


@dataclass(frozen=True, slots=True)
class Dense:
    """A layer that follows the pooling. activation: None is none."""

    folder: Path
    activation: Literal["tanh"] | None


@dataclass(frozen=True, slots=True)
class Layout:
    """The steps after the network. limit: most tokens that the authors allow, None: no word."""

    pooling: Pooling
    dense: tuple[Dense, ...]
    limit: int | None


def read(folder: Path, fallback: Pooling) -> Layout:
    """The layout of a model. Raises ActionError (UnsupportedArchitecture) for unknown steps."""
    pooling, dense = fallback, []
    for module in _modules(folder / "modules.json"):
        path = folder / str(module.get("path", ""))
        match str(module.get("type", "")).rpartition(".")[2]:
            case "Transformer" | "Normalize":  # every vector is made one of length 1
                continue
            case "Pooling":
                pooling = _pooling(settings(path / "config.json"))
            case "Dense":
                dense.append(_dense(path))
            case other:
                raise _unsupported(f"modules.json has a step {other!r}")
    limit = settings(folder / "sentence_bert_config.json").get("max_seq_length")
    return Layout(pooling, tuple(dense), limit if isinstance(limit, int) and limit > 0 else None)


def settings(path: Path) -> dict[str, Any]:
    """A JSON object; empty when there is no such file. Raises ActionError when it is none."""
    if not path.is_file():
        return {}
    found = _json(path)
    if not isinstance(found, dict):
        raise _unsupported(f"{path.name} is not a JSON object")
    return found


def _modules(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    found = _json(path)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise _unsupported("modules.json is not a list of objects")
    return found


def _json(path: Path) -> object:
    try:
        found: object = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise _unsupported(f"{path} cannot be read: {error}") from error
    return found


def _pooling(said: Mapping[str, object]) -> Pooling:
    word = said.get("pooling_mode")
    if isinstance(word, str) and word in _WORDS:
        return _WORDS[word]
    chosen = [name for name, value in said.items() if value is True and "pooling_mode_" in name]
    names = [name.removeprefix("pooling_mode_") for name in chosen]
    if len(names) != 1 or names[0] not in _NAMES:
        raise _unsupported(f"the pooling {' + '.join(names) or word or 'of nothing'}")
    return _NAMES[names[0]]


def _dense(folder: Path) -> Dense:
    said = str(settings(folder / "config.json").get("activation_function", "Identity"))
    name = said.rpartition(".")[2]
    if name not in ("Identity", "Tanh"):
        raise _unsupported(f"{folder.name} has the activation {name}")
    if not (folder / "model.safetensors").is_file():
        raise ActionError(
            "UnverifiedFiles",
            f"{folder.name}/model.safetensors is missing",
            hint="delete the folder and download it again",
            terminal=True,
        )
    return Dense(folder, "tanh" if name == "Tanh" else None)


def _unsupported(what: str) -> ActionError:
    return ActionError(
        "UnsupportedArchitecture", f"{what}, which this version cannot do", terminal=True
    )
