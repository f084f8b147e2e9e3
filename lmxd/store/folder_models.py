"""Models that are folders of this machine already: the `file:` and `builtin:` sides of `files`.

lmxd never writes or deletes there. A `file:` folder is checked for structure (nobody states digests
of it), a built-in one against the SHA256SUMS shipped with it. What was checked is remembered by how
the files look to stat, in memory only: checking again after a restart is quick.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Protocol

from lmxd.store.digest import Algorithm, Digest, matches
from lmxd.store.footprint import Footprints
from lmxd.store.inventory import stamp_of
from lmxd.store.listing import is_needed
from lmxd.store.safetensors import weight_files
from lmxd.store.snapshot import try_footprint
from lmxd.store.threads import in_thread
from lmxd.store.trouble import disk_errors
from reconciler.actions import Delete, Download, Verify
from reconciler.state import ArtifactRef, DiskPhase, DiskState
from schemas.errors import ActionError
from schemas.source import Source

SUMS = "SHA256SUMS"


class Place(Protocol):
    """Where folders of one kind of source are, and what makes one right."""

    def folder(self, source: Source) -> Path:
        """The folder of a source; it need not exist."""

    def lacks(self, source: Source) -> ActionError:
        """The error for a source whose folder is not there or not whole."""

    async def check(self, folder: Path) -> None:
        """Whether the files are what they should be. Raises ActionError or OSError."""


class FolderModels:
    """Artifacts that lie in a folder of their own."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._footprints = Footprints()
        self._checked: dict[Path, str] = {}

    def observe(self, artifact: ArtifactRef, source: Source) -> DiskState:
        """How the folder stands. Its revision is a digest of how its files look."""
        del artifact
        folder = self._place.folder(source)
        if not (folder / "config.json").is_file():
            return DiskState()
        revision, size = _look(folder)
        if not _is_whole(folder):
            return DiskState(DiskPhase.PARTIAL, revision=revision, have=size)
        footprint = try_footprint(self._footprints, folder)
        if footprint is None or self._checked.get(folder) != revision:
            return DiskState(DiskPhase.COMPLETE, None, revision, size, size, footprint=footprint)
        return DiskState(DiskPhase.VERIFIED, str(folder), revision, size, size, footprint=footprint)

    async def download(self, action: Download, source: Source) -> None:
        """There is nothing to download: raises ActionError when the folder is not whole."""
        del action
        if not await in_thread(_is_whole, self._place.folder(source)):
            raise self._place.lacks(source)

    async def verify(self, action: Verify, source: Source) -> None:
        """Check the files; see the port. Nothing is removed."""
        folder = self._place.folder(source)
        with disk_errors(str(action.artifact)):
            revision, _ = await in_thread(_look, folder)
            await self._place.check(folder)
            await in_thread(self._footprints.of, folder)
        self._checked[folder] = revision

    async def delete(self, action: Delete, source: Source) -> None:
        """Nothing there is ours."""


class LocalFolders:
    """`file:` sources: any folder of this machine."""

    def folder(self, source: Source) -> Path:
        """The folder that the source names; `~` is the home folder."""
        return Path(source.repo).expanduser()

    def lacks(self, source: Source) -> ActionError:
        """Not terminal: whoever copies the folder into place changes nothing lmxd watches."""
        folder = self.folder(source)
        missing = [path.name for path in _wanted_files(folder) if not path.exists()]
        return ActionError(
            "NotFound",
            f"{folder} lacks {', '.join(missing[:3]) or 'model*.safetensors'}"
            if folder.is_dir()
            else f"there is no folder {folder}",
            hint="put an MLX or safetensors model there; lmxd looks again by itself",
        )

    async def check(self, folder: Path) -> None:
        """Nobody states digests: the headers, read for the footprint, are all there is."""


class BuiltinFolders:
    """`builtin:` sources: folders of the package, each with SHA256SUMS."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def folder(self, source: Source) -> Path:
        """The folder of that name in the package."""
        return self._root / source.repo

    def lacks(self, source: Source) -> ActionError:
        """Terminal: the package does not change while it runs."""
        known = sorted(path.parent.name for path in self._root.glob(f"*/{SUMS}"))
        return ActionError(
            "NotFound",
            f"this lmxd has no built-in model {source.repo}, or not all of it",
            hint=f"built in: {', '.join(known) or 'none'}",
            terminal=True,
        )

    async def check(self, folder: Path) -> None:
        """Every file that SHA256SUMS names has that digest."""
        sums = await in_thread((folder / SUMS).read_text, "utf-8")
        for line in filter(None, sums.splitlines()):
            value, _, name = line.partition("  ")
            if not await matches(folder / name, Digest(Algorithm.SHA256, value)):
                raise ActionError(
                    "ChecksumMismatch",
                    f"{folder / name} does not have the sha256 that {SUMS} says",
                    hint="install lmxd again",
                    terminal=True,
                )


def file_models() -> FolderModels:
    """Models of `file:` sources."""
    return FolderModels(LocalFolders())


def builtin_models(root: Path) -> FolderModels:
    """Models of `builtin:` sources, below the package's folder for them."""
    return FolderModels(BuiltinFolders(root))


def _look(folder: Path) -> tuple[str, int]:
    """A digest of how the model's files look to stat, and their size in bytes."""
    hasher, size = hashlib.sha256(), 0
    for path in sorted(folder.iterdir()):
        stamp = stamp_of(path) if is_needed(path.name) and path.is_file() else None
        if stamp is not None:
            size += stamp.size
            hasher.update(f"{path.name}\0{stamp.size}\0{stamp.mtime_ns}\0{stamp.inode}\n".encode())
    return hasher.hexdigest()[:40], size


def _wanted_files(folder: Path) -> tuple[Path, ...]:
    try:
        return (folder / "config.json", *weight_files(folder))
    except ActionError:
        return (folder / "config.json",)


def _is_whole(folder: Path) -> bool:
    wanted = _wanted_files(folder)
    return len(wanted) > 1 and all(path.is_file() for path in wanted)
