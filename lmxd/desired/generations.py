"""Every accepted generation of the document, kept in the state folder.

`generations/000018/{desired.yaml, meta.json}`: written whole under another name and then renamed,
so a number that exists is complete. Numbers only grow. Called by `document` in a thread: all of
this blocks.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lmxd.statefolder import sync_folder, write_durably
from schemas.errors import StartupError

__all__ = ["DocumentPath", "Generation", "Generations"]

KEEP = 50
_FORMAT, _VERSION = "lmxd/generation", 1


@dataclass(frozen=True, slots=True)
class DocumentPath:
    """Which document: by the name it goes by, and by the file that this is at the moment.

    Two, because a document behind a symlink (a ConfigMap, dotfiles) changes its real path with
    each edit, and one that is reached through another link keeps it.
    """

    name: str
    real: str

    @classmethod
    def of(cls, path: Path) -> DocumentPath:
        """Resolve a path as it is now; it need not exist. Blocks."""
        folder = os.path.realpath(path.parent)
        return cls(os.path.join(folder, path.name), os.path.realpath(path))

    def is_same(self, other: DocumentPath) -> bool:
        """Do both mean one document."""
        return self.name == other.name or self.real == other.real


@dataclass(frozen=True, slots=True)
class Generation:
    """One stored generation; `author` says who wrote it ("file")."""

    number: int
    sha256: str
    document: DocumentPath
    accepted_at: datetime
    author: str
    raw: bytes


class Generations:
    """The folder of generations. Blocks; one caller at a time.

    Args:
        folder: `generations/` in the state folder; created with the first generation.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self) -> int:
        """The highest number there is, readable or not; 0 for none."""
        return max(self._numbers(), default=0)

    def last_good(self, document: DocumentPath) -> Generation | None:
        """The newest complete generation of this document; raises StartupError on one that a
        newer lmxd wrote.
        """
        for number in sorted(self._numbers(), reverse=True):
            generation = self._load(number)
            if generation is not None and generation.document.is_same(document):
                return generation
        return None

    def store(
        self, raw: bytes, document: DocumentPath, *, accepted_at: datetime, author: str
    ) -> Generation:
        """Keep these bytes under the next number; raises OSError, then nothing was kept."""
        number = self.newest() + 1
        digest = hashlib.sha256(raw).hexdigest()
        generation = Generation(number, digest, document, accepted_at, author, raw)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".{number:06}.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        try:
            write_durably(draft / "desired.yaml", raw)
            write_durably(draft / "meta.json", json.dumps(_meta(generation), indent=1).encode())
            draft.rename(self._folder / f"{number:06}")
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        sync_folder(self._folder)
        self._forget_old()
        return generation

    def _forget_old(self) -> None:
        for number in sorted(self._numbers())[:-KEEP]:
            shutil.rmtree(self._folder / f"{number:06}", ignore_errors=True)

    def _numbers(self) -> list[int]:
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        return [int(name) for name in names if name.isdecimal()]

    def _load(self, number: int) -> Generation | None:
        """One generation, or None when a crash or a hand has left it incomplete."""
        folder = self._folder / f"{number:06}"
        try:
            meta: dict[str, Any] = json.loads((folder / "meta.json").read_bytes())
            raw = (folder / "desired.yaml").read_bytes()
            if meta["format"] == _FORMAT and meta["version"] > _VERSION:
                raise StartupError(
                    f"{folder} has version {meta['version']}, this lmxd knows {_VERSION}",
                    hint="start the newer lmxd that wrote it, or choose another --state-dir",
                )
            document = DocumentPath(meta["document"], meta["real_path"])
            at = datetime.fromisoformat(meta["accepted_at"]).astimezone(UTC)
            complete = meta["status"] == "accepted" and meta["generation"] == number
            author, digest = str(meta["author"]), str(meta["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        if not complete or hashlib.sha256(raw).hexdigest() != digest:
            return None
        return Generation(number, digest, document, at, author, raw)


def _meta(generation: Generation) -> dict[str, object]:
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "generation": generation.number,
        "sha256": generation.sha256,
        "document": generation.document.name,
        "real_path": generation.document.real,
        "accepted_at": generation.accepted_at.isoformat(),
        "author": generation.author,
        "status": "accepted",
    }
