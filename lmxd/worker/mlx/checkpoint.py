"""Is this folder a whole model? Asked before anything of it is loaded.

Reads headers and sizes only: a file that is cut or a shard that is missing becomes one sentence
here and not an exception from the middle of a load. Digests were checked when the files came.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import msgspec

from schemas.errors import ActionError

__all__ = ["verify"]

_LENGTH = struct.Struct("<Q")
_HEADER_MAX = 100 * 1024 * 1024  # the format's own limit


class _Tensor(msgspec.Struct):
    data_offsets: tuple[int, int]


class _Index(msgspec.Struct):
    weight_map: dict[str, str]


def verify(folder: Path) -> None:
    """Raises ActionError(UnverifiedFiles), which names the file, unless the model is whole."""
    if not folder.is_dir():
        raise _broken(f"the model's folder {folder} is not there")
    if not (folder / "config.json").is_file():
        raise _broken(f"config.json is missing in {folder}")
    _read_config(folder / "config.json")
    for shard in _shards(folder):
        _check_shard(shard)


def _shards(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            names = set(msgspec.json.decode(index.read_bytes(), type=_Index).weight_map.values())
        except msgspec.DecodeError as error:
            raise _broken(f"{index.name} cannot be read: {error}") from error
        missing = sorted(name for name in names if not (folder / name).is_file())
        if missing:
            raise _broken(
                f"{len(missing)} of {len(names)} weight files are missing,"
                f" the first is {missing[0]}"
            )
        return [folder / name for name in sorted(names)]
    shards = sorted(folder.glob("model*.safetensors"))
    if not shards:
        raise _broken(f"no model*.safetensors in {folder}")
    return shards


def _check_shard(path: Path) -> None:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(_LENGTH.size)
        length = _LENGTH.unpack(start)[0] if len(start) == _LENGTH.size else _HEADER_MAX + 1
        if length > min(_HEADER_MAX, size - _LENGTH.size):
            raise _broken(f"{path.name} has {size} bytes and no whole safetensors header")
        header = file.read(length)
    try:
        parts = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
        parts.pop("__metadata__", None)
        ends = [msgspec.json.decode(raw, type=_Tensor).data_offsets[1] for raw in parts.values()]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _broken(f"the header of {path.name} cannot be read: {error}") from error
    expected = _LENGTH.size + length + max(ends, default=0)
    if size != expected:
        raise _broken(f"{path.name} has {size} bytes, its header says {expected}")


def _read_config(path: Path) -> None:
    try:
        config = json.loads(path.read_bytes())
    except ValueError as error:
        raise _broken(f"config.json cannot be read: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise _broken("config.json names no model_type")


def _broken(message: str) -> ActionError:
    return ActionError(
        "UnverifiedFiles", message, hint="delete the folder and download it again", terminal=True
    )
