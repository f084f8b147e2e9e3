"""Partial files that nobody will finish are removed, once, when the daemon starts.

A blob's lock is held by whoever is writing it, and a process that died holds none. Ours
(`*.lmxd.incomplete`) are resumed, so they go only when no record names them, or when
nobody wants them any more and they are old. The hub's own (`*.incomplete`) are never resumed by
anybody (acquire.md 1.3); they go when they are old too.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path

from lmxd.store.blob_lock import is_free
from lmxd.store.cache import CachedRepo, cached_repos
from lmxd.store.inventory import Record
from lmxd.store.partial import SUFFIX

OLD = timedelta(days=1)
_HUB_SUFFIX = ".incomplete"


def sweep(
    cache: Path, wanted: Iterable[Record], records: Iterable[Record], now: datetime
) -> tuple[Path, ...]:
    """Remove orphans below a cache folder; what was removed. Blocks; skips what it may not."""
    named = _blobs(cache, records)
    kept = _blobs(cache, wanted)
    removed: list[Path] = []
    for repo in cached_repos(cache):
        for path in sorted((repo.folder / "blobs").glob(f"*{_HUB_SUFFIX}")):
            try:
                if _is_orphan(repo, path, named, kept, now) and is_free(repo.lock(_blob(path))):
                    path.unlink()
                    removed.append(path)
            except OSError:
                continue  # gone by itself, or not ours to touch: the next start looks again
    return tuple(removed)


def _is_orphan(
    repo: CachedRepo,
    path: Path,
    named: set[Path],
    kept: set[Path],
    now: datetime,
) -> bool:
    old = now.timestamp() - path.stat().st_mtime > OLD.total_seconds()
    if not path.name.endswith(SUFFIX):
        return old
    blob = repo.blob(_blob(path))
    return blob not in named or (old and blob not in kept)


def _blob(path: Path) -> str:
    """The blob a partial file is for: `<blob>.<anything>.incomplete`."""
    return path.name.partition(".")[0]


def _blobs(cache: Path, records: Iterable[Record]) -> set[Path]:
    return {
        CachedRepo(cache, record.repo).blob(file.digest.value)
        for record in records
        for file in record.files
        if file.digest
    }
