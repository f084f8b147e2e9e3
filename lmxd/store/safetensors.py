"""What the safetensors files of a folder say about themselves, read from their headers alone.

A header is a little-endian length and a JSON object of names, dtypes, shapes and offsets at the
start of a file: enough to know how many bytes of weights there are, and that none are missing.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import ActionError

INDEX = "model.safetensors.index.json"
_HEADER_BYTES = 256 * 1024 * 1024
_FLOATS = {"F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor: its dtype as written, its shape, and the bytes it takes."""

    dtype: str
    shape: tuple[int, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Weights:
    """All tensors of a model."""

    tensors: dict[str, Tensor]

    @property
    def size(self) -> int:
        """Bytes of all tensors."""
        return sum(tensor.size for tensor in self.tensors.values())

    @property
    def element(self) -> int | None:
        """Bytes of one activation: MLX computes in the type that most float tensors have (norms
        and scales too, where weights are quantised). None when there is no float tensor.
        """
        kinds = Counter(t.dtype for t in self.tensors.values() if t.dtype in _FLOATS)
        return _FLOATS[kinds.most_common(1)[0][0]] if kinds else None


def weight_files(folder: Path) -> tuple[Path, ...]:
    """The weight files of a model: those its index names, else every `model*.safetensors`.

    They need not exist. Raises ActionError (UnsupportedArchitecture) for an index that is none.
    """
    index = folder / INDEX
    if not index.exists():
        return tuple(sorted(folder.glob("model*.safetensors")))
    try:
        content: object = json.loads(index.read_bytes())
    except (OSError, ValueError) as error:
        raise _broken(index, f"cannot be read: {error}") from error
    match content:
        case {"weight_map": dict(named)} if named:
            return tuple(folder / name for name in sorted({str(v) for v in named.values()}))
        case _:
            raise _broken(index, "names no weight files")


def read_weights(folder: Path) -> Weights:
    """All headers of a model. Raises ActionError when files are missing, cut or no safetensors."""
    files = weight_files(folder)
    if not files:
        raise ActionError(
            "UnsupportedArchitecture",
            f"{folder} has no model*.safetensors",
            hint="name the folder of an MLX or safetensors model",
            terminal=True,
        )
    tensors: dict[str, Tensor] = {}
    for path in files:
        tensors |= _read_header(path)
    return Weights(tensors)


def _read_header(path: Path) -> dict[str, Tensor]:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(_HEADER_BYTES, size):
                raise _broken(path, f"is no safetensors file ({size} bytes)")
            header: object = json.loads(file.read(length))
    except OSError as error:
        raise _broken(path, f"cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise _broken(path, f"has a header that is not JSON: {str(error)[:100]}") from error
    if not isinstance(header, dict):
        raise _broken(path, "has a header that is not an object")
    entries = [(name, body) for name, body in header.items() if name != "__metadata__"]
    spans = {str(name): _tensor(path, body) for name, body in entries}
    needed = 8 + length + max((end for _, end in spans.values()), default=0)
    if size < needed:
        raise _broken(path, f"has {size} bytes and its header speaks of {needed}")
    return {name: tensor for name, (tensor, _) in spans.items()}


def _tensor(path: Path, body: object) -> tuple[Tensor, int]:
    match body:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(start), int(end)]}:
            if 0 <= start <= end and all(isinstance(part, int) for part in shape):
                return Tensor(dtype, tuple(shape), end - start), end
    raise _broken(path, "has a header entry that is no tensor")


def _broken(path: Path, detail: str) -> ActionError:
    return ActionError(
        "ChecksumMismatch",
        f"{path} {detail}",
        hint="copy or download the file again",
    )
