"""The layout of one repository in a Hugging Face cache, as huggingface_hub makes and reads it.

    models--org--name/blobs/<digest>                  the bytes
    models--org--name/snapshots/<commit>/<path>       a relative link to a blob
    models--org--name/refs/<branch>                   the commit a branch was last seen at
    .locks/models--org--name/<digest>.lock            held by whoever writes a blob

We make links and refs ourselves once every blob is in place and checked: the hub's own
`snapshot_download` would ask the network once more for each file, in threads nobody can
cancel. Methods block, but only for stat-sized work.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lmxd.store.listing import is_safe
from lmxd.store.partial import SUFFIX, partial_path

PREFIX = "models--"


def is_commit(revision: str) -> bool:
    """Whether a revision is a full commit, which never moves."""
    return re.fullmatch(r"[0-9a-f]{40}", revision) is not None


@dataclass(frozen=True, slots=True)
class CachedRepo:
    """One repository below a cache folder."""

    cache: Path
    repo: str

    @property
    def folder(self) -> Path:
        """The repository's own folder."""
        return self.cache / (PREFIX + self.repo.replace("/", "--"))

    def blob(self, name: str) -> Path:
        """Where a blob is, or will be."""
        return self.folder / "blobs" / name

    def partial(self, name: str) -> Path:
        """Where a blob lies while we fetch it."""
        return partial_path(self.blob(name))

    def lock(self, name: str) -> Path:
        """The hub's own lock for a blob."""
        return self.cache / ".locks" / self.folder.name / f"{name}.lock"

    def snapshot(self, commit: str) -> Path:
        """The folder to load a commit from."""
        return self.folder / "snapshots" / commit

    def link(self, commit: str, path: str) -> Path:
        """The place of a file in a snapshot."""
        return self.snapshot(commit) / path

    def commit_of(self, revision: str) -> str | None:
        """The commit a branch or tag was last seen at, by whoever used this cache."""
        if not is_safe(revision):
            return None
        try:
            commit = (self.folder / "refs" / revision).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
        return commit if is_commit(commit) else None

    def set_ref(self, revision: str, commit: str) -> None:
        """Remember which commit a branch or tag was. Atomic; raises OSError."""
        place = self.folder / "refs" / revision
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_name(f".{place.name}{SUFFIX}")
        fresh.write_text(commit, "utf-8")
        fresh.replace(place)

    def make_link(self, commit: str, path: str, name: str) -> None:
        """Point a snapshot's file at a blob. Atomic, repeatable; raises OSError."""
        place = self.link(commit, path)
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_name(f".{place.name}{SUFFIX}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(os.path.relpath(self.blob(name), place.parent))
        fresh.replace(place)

    def linked_blobs(self) -> set[Path]:
        """The real paths of all blobs that any snapshot of this repository links to."""
        return {link.resolve() for link in _files(self.folder / "snapshots") if link.exists()}

    def drop_link(self, commit: str, path: str) -> None:
        """Remove a snapshot's file and the folders that are empty then; repeatable."""
        place = self.link(commit, path)
        place.unlink(missing_ok=True)
        remove_empty(place.parent, self.folder)

    def drop_dangling_refs(self, commit: str) -> None:
        """Remove the refs to a commit whose snapshot is gone; repeatable."""
        if self.snapshot(commit).exists():
            return
        for ref in list(_files(self.folder / "refs")):
            if self.commit_of(ref.relative_to(self.folder / "refs").as_posix()) == commit:
                ref.unlink(missing_ok=True)
                remove_empty(ref.parent, self.folder)


def cached_repos(cache: Path) -> Iterator[CachedRepo]:
    """The model repositories below a cache folder."""
    if not cache.is_dir():
        return
    for folder in sorted(cache.glob(f"{PREFIX}*")):
        yield CachedRepo(cache, folder.name.removeprefix(PREFIX).replace("--", "/"))


def has_partials(cache: Path) -> bool:
    """Whether any download into this cache was left unfinished, by whomever."""
    return any(True for _ in cache.glob(f"{PREFIX}*/blobs/*.incomplete"))


def remove_empty(folder: Path, stop: Path) -> None:
    """Remove a folder and its parents up to and with `stop`, as far as they are empty."""
    while folder == stop or stop in folder.parents:
        try:
            folder.rmdir()
        except OSError:
            return
        folder = folder.parent


def _files(folder: Path) -> Iterator[Path]:
    for place, _, names in os.walk(folder):
        for name in names:
            yield Path(place, name)
