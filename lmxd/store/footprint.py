"""What a folder's files say about the memory its model takes, without reading a weight.

Turns config.json and the safetensors headers into a `Footprint`; used when files are observed and
verified. Whether this lmxd has an engine for the architecture only a worker can say.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from lmxd.store.inventory import Stamp, stamp_of
from lmxd.store.kv_cache import kv_per_token
from lmxd.store.purpose import BESIDE, max_context, task_of
from lmxd.store.safetensors import INDEX, Weights, read_weights, weight_files
from reconciler.state import Footprint
from schemas.errors import ActionError


def read_footprint(folder: Path) -> Footprint:
    """The footprint of the model in a folder. Blocks for headers only.

    Raises ActionError: UnsupportedArchitecture (terminal) for a folder that is no model,
    ChecksumMismatch for weights that are cut or missing.
    """
    config = _read_object(folder / "config.json")
    architecture = config.get("model_type")
    if not isinstance(architecture, str) or not architecture:
        raise _unsupported(folder / "config.json", "says no model_type")
    nested = config.get("text_config")
    text = nested if isinstance(nested, dict) else config
    weights = read_weights(folder)
    task = task_of(folder, config)
    return Footprint(
        weights=weights.size,
        kv_per_token=kv_per_token(
            {"model_type": architecture, **text}, _element(text, weights), _key_rows(weights)
        )
        if task == "chat"
        else 0,
        max_context=max_context(folder, text),
        architecture=architecture,
        task=task,
        chat_template=_has_template(folder),
    )


class Footprints:
    """Footprints of folders, read again only when a file they come from looks different."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[Stamp | None, ...], Footprint]] = {}

    def of(self, folder: Path) -> Footprint:
        """As `read_footprint`, at the price of a few stats when nothing changed."""
        names = ("config.json", INDEX, "tokenizer_config.json", "chat_template.jinja", *BESIDE)
        sources = [*(folder / name for name in names), *weight_files(folder)]
        stamps = tuple(stamp_of(path) for path in sources)
        known = self._known.get(folder)
        if known is None or known[0] != stamps:
            known = self._known[folder] = (stamps, read_footprint(folder))
        return known[1]


def _read_object(path: Path) -> dict[str, object]:
    try:
        content: object = json.loads(path.read_bytes())
    except OSError as error:
        raise _unsupported(path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _unsupported(path, f"is not JSON: {str(error)[:100]}") from error
    if not isinstance(content, dict):
        raise _unsupported(path, "is not a JSON object")
    return content


def _element(text: Mapping[str, object], weights: Weights) -> int:
    stated = str(text.get("torch_dtype") or text.get("dtype") or "")
    return weights.element or (4 if stated == "float32" else 2)


def _key_rows(weights: Weights) -> int | None:
    """Rows of the language model's key projections; quantising packs columns, not rows."""
    for name, tensor in weights.tensors.items():
        other = "vision" in name or "visual" in name or "audio" in name
        if name.endswith(".k_proj.weight") and tensor.shape and not other:
            return tensor.shape[0]
    return None


def _has_template(folder: Path) -> bool:
    if any((folder / name).exists() for name in ("chat_template.jinja", "chat_template.json")):
        return True
    try:
        content: object = json.loads((folder / "tokenizer_config.json").read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and bool(content.get("chat_template"))


def _unsupported(path: Path, detail: str) -> ActionError:
    return ActionError(
        "UnsupportedArchitecture",
        f"{path} {detail}",
        hint="name a model with a config.json as Hugging Face transformers writes it",
        terminal=True,
    )
