"""How a commit stands in a cache: from its record and a few stats, never from a hash.

Also makes the record of a snapshot that somebody else downloaded: the names of its blobs are
their digests, so it can be checked without asking the hub.
"""

from __future__ import annotations

from pathlib import Path

from lmxd.store.cache import CachedRepo
from lmxd.store.digest import digest_of_blob
from lmxd.store.footprint import Footprints
from lmxd.store.inventory import FileRecord, Record, Stamp, stamp_of
from lmxd.store.listing import is_needed
from lmxd.store.safetensors import weight_files
from reconciler.state import DiskPhase, DiskState, Footprint
from schemas.errors import ActionError


def blob_name(file: FileRecord) -> str | None:
    """The name of the blob a file is, if it is one."""
    return file.digest.value if file.digest else None


def is_own(repo: CachedRepo, file: FileRecord) -> bool:
    """Whether the blob that is there now is the one lmxd made: a file that somebody deleted and
    fetched anew has another inode than the one that was checked.
    """
    if not file.own_blob or file.digest is None:
        return False
    now = stamp_of(repo.blob(file.digest.value))
    return now is None or file.stamp is None or now.inode == file.stamp.inode


def own_bytes(repo: CachedRepo, files: tuple[FileRecord, ...]) -> dict[Path, int]:
    """What lmxd's own blobs and partial files of these take on disk, by real place."""
    sizes: dict[Path, int] = {}
    for file in files:
        if file.digest is None:
            continue
        places = [repo.partial(file.digest.value)]
        if is_own(repo, file):
            places.append(repo.blob(file.digest.value))
        for place in places:
            if stamp := stamp_of(place):
                sizes[place] = stamp.size
    return sizes


def here_bytes(repo: CachedRepo, record: Record) -> dict[str, int]:
    """How much of each blob of a record is on disk, its partial file included."""
    here: dict[str, int] = {}
    for file in record.files:
        places = [repo.link(record.commit, file.path)]
        if file.digest:
            places += [repo.blob(file.digest.value), repo.partial(file.digest.value)]
        found = next((stamp for place in places if (stamp := stamp_of(place))), None)
        here[blob_name(file) or file.path] = min(found.size, file.size) if found else 0
    return here


def look(repo: CachedRepo, record: Record, footprints: Footprints) -> DiskState:
    """The state of a commit whose files are known.

    VERIFIED needs every file to look as it did when it was checked, and a footprint: what cannot
    be measured must not be loaded, and `verify` says why it cannot.
    """
    folder = repo.snapshot(record.commit)
    have = sum(here_bytes(repo, record).values())
    own = sum(own_bytes(repo, record.files).values())
    stamps = {file.path: stamp_of(repo.link(record.commit, file.path)) for file in record.files}
    if any(stamp is None for stamp in stamps.values()):
        phase = DiskPhase.PARTIAL if have else DiskPhase.ABSENT
        return DiskState(phase, None, record.commit, have, record.total, own)
    footprint = try_footprint(footprints, folder)
    if footprint is None or not all(is_checked(file, stamps[file.path]) for file in record.files):
        return DiskState(
            DiskPhase.COMPLETE, None, record.commit, have, record.total, own, footprint
        )
    return DiskState(
        DiskPhase.VERIFIED, str(folder), record.commit, have, record.total, own, footprint
    )


def is_checked(file: FileRecord, now: Stamp | None) -> bool:
    """Whether a file still looks as it did when its digest was right."""
    return file.stamp is not None and file.stamp == now


def try_footprint(footprints: Footprints, folder: Path) -> Footprint | None:
    """The footprint, or None when the files do not tell."""
    try:
        return footprints.of(folder)
    except ActionError:
        return None


def foreign_record(repo: CachedRepo, commit: str) -> Record:
    """The record of a snapshot lmxd has none of: nothing in it is ours, nothing checked."""
    folder = repo.snapshot(commit)
    files = []
    for link in sorted(folder.rglob("*")):
        path = link.relative_to(folder).as_posix()
        stamp = stamp_of(link)
        if stamp is None or not is_needed(path) or not link.is_file():
            continue
        digest = digest_of_blob(link.resolve().name) if link.is_symlink() else None
        files.append(FileRecord(path, stamp.size, digest))
    return Record(str(repo.cache), repo.repo, commit, tuple(files))


def is_whole(repo: CachedRepo, commit: str) -> bool:
    """Whether a snapshot has what a model needs, as far as its own index tells."""
    folder = repo.snapshot(commit)
    try:
        weights = weight_files(folder)
    except ActionError:
        return False
    return bool(weights) and all(path.exists() for path in (folder / "config.json", *weights))
