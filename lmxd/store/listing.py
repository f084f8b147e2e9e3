"""What a repository holds at a commit, and which of it a model served by MLX needs.

`choose` decides by names alone; sizes and digests come with the one tree listing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from lmxd.store.digest import Digest
from schemas.errors import ActionError

_SUFFIXES = {".json", ".jsonl", ".jinja", ".txt", ".model", ".tiktoken"}
_LAYER = re.compile(r"\d+_Dense")
_PAPERS = ("readme", "license", "licence", "notice", "usage_policy")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file of a commit. Its blob is named by its digest."""

    path: str
    size: int
    digest: Digest


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of a repository at a commit."""

    repo: str
    commit: str
    files: tuple[RemoteFile, ...]

    @property
    def total(self) -> int:
        """Bytes on disk: files of the same content are one blob."""
        return sum({file.digest.value: file.size for file in self.files}.values())


def is_safe(path: str) -> bool:
    """Whether a path from outside stays below the folder it is put in."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts and "\0" not in path


def is_needed(path: str) -> bool:
    """Whether a file belongs to an MLX model: weights that mlx-lm loads, settings, papers.

    Weights are `model*.safetensors` in the top folder, and in a folder of a layer that follows an
    embedding model (`2_Dense`): other safetensors (`consolidated`, adapters, other formats in
    subfolders) are copies that nothing loads.
    """
    name = PurePosixPath(path).name.lower()
    if name.startswith("."):
        return False
    if name.endswith(".safetensors"):
        folder = path.rpartition("/")[0]
        return name.startswith("model") and (not folder or _LAYER.fullmatch(folder) is not None)
    return PurePosixPath(name).suffix in _SUFFIXES or name.startswith(_PAPERS)


def choose(listing: Listing) -> Listing:
    """Only the files that are needed.

    Raises a terminal ActionError (UnsupportedArchitecture) when that is not a model.
    """
    files = tuple(file for file in listing.files if is_safe(file.path) and is_needed(file.path))
    paths = {file.path for file in files}
    if "config.json" not in paths:
        raise _not_a_model(listing, "no config.json")
    if not any(path.endswith(".safetensors") for path in paths):
        raise _not_a_model(listing, "no model*.safetensors")
    return Listing(listing.repo, listing.commit, files)


def _not_a_model(listing: Listing, lacks: str) -> ActionError:
    return ActionError(
        "UnsupportedArchitecture",
        f"hf:{listing.repo} at {listing.commit[:12]} has {lacks} "
        f"among its {len(listing.files)} files",
        hint="name a repository of an MLX or safetensors model",
        terminal=True,
    )
