"""What lmxd knows about commits it downloaded or checked, and which of their files are its own.

One record a (cache, repository, commit), in `inventory/<sha>.json` of the state folder. A record
is written before the first byte of a download, and says for each blob and link whether
lmxd is the one that makes it: deletion later touches only those. A stamp says that a file was
checked and how it looked to `stat` then: another look means that it must be checked again.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from lmxd.statefolder import StateFolder
from lmxd.store.digest import Digest, digest_of_blob

FOLDER = "inventory"


@dataclass(frozen=True, slots=True)
class Stamp:
    """How a file looked when it was last found right."""

    size: int
    mtime_ns: int
    inode: int


def stamp_of(path: Path) -> Stamp | None:
    """How a file looks now (links followed); None when it is not there."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return Stamp(stat.st_size, stat.st_mtime_ns, stat.st_ino)


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of a commit. `digest` None: nobody said what it should be (not a link to a blob).

    own_blob, own_link: lmxd makes it and may delete it. stamp: set when it was found right.
    """

    path: str
    size: int
    digest: Digest | None
    own_blob: bool = False
    own_link: bool = False
    stamp: Stamp | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One commit of a repository in one cache folder.

    revisions: names this commit was asked for by (never the commit itself). at: ISO instant at
    which the record was made.
    """

    cache: str
    repo: str
    commit: str
    files: tuple[FileRecord, ...]
    revisions: frozenset[str] = frozenset()
    at: str = ""

    @property
    def name(self) -> str:
        """Where it lies in the state folder."""
        return record_name(self.cache, self.repo, self.commit)

    @property
    def total(self) -> int:
        """Bytes on disk when everything is there."""
        return sum(by_blob(self.files).values())


def record_name(cache: str, repo: str, commit: str) -> str:
    """The name of a record, the same for the same commit in the same cache."""
    subject = f"{cache}\n{repo}@{commit}"
    return f"{FOLDER}/{hashlib.sha256(subject.encode()).hexdigest()}"


def by_blob(files: Iterable[FileRecord]) -> dict[str, int]:
    """Sizes by blob name (by path where a file is no blob): equal files take their room once."""
    return {file.digest.value if file.digest else file.path: file.size for file in files}


@dataclass(slots=True)
class Inventory:
    """All records of one cache folder, in memory and in the state folder. Methods block.

    Any thread may call them. lmxd is the only writer of its state folder, so memory is right once
    it was read.
    """

    state: StateFolder
    cache: str
    _records: dict[str, Record] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _read: bool = False

    def all(self) -> tuple[Record, ...]:
        """Every record of this cache."""
        with self._lock:
            if not self._read:
                for path in sorted((self.state.path / FOLDER).glob("*.json")):
                    record = _decode(self.state.read(f"{FOLDER}/{path.stem}"))
                    if record is not None and record.cache == self.cache:
                        self._records[record.name] = record
                self._read = True
            return tuple(self._records.values())

    def of_repo(self, repo: str) -> tuple[Record, ...]:
        """The records of one repository."""
        return tuple(record for record in self.all() if record.repo == repo)

    def get(self, repo: str, commit: str) -> Record | None:
        """The record of a commit."""
        return next((record for record in self.of_repo(repo) if record.commit == commit), None)

    def commit_of(self, repo: str, revision: str) -> str | None:
        """The commit that lmxd last took a branch or tag for."""
        found = (record for record in self.of_repo(repo) if revision in record.revisions)
        return next((record.commit for record in found), None)

    def put(self, record: Record) -> None:
        """Write a record. A revision belongs to one record: it is taken from all others."""
        with self._lock:
            for other in self.of_repo(record.repo):
                if other.commit != record.commit and other.revisions & record.revisions:
                    self._store(replace(other, revisions=other.revisions - record.revisions))
            self._store(record)

    def change(self, repo: str, commit: str, edit: Callable[[FileRecord], FileRecord]) -> None:
        """Edit the files of a record that exists; no effect otherwise, or when nothing changes."""
        with self._lock:
            record = self.get(repo, commit)
            if record is None:
                return
            files = tuple(edit(file) for file in record.files)
            if files != record.files:
                self._store(replace(record, files=files))

    def drop(self, record: Record) -> None:
        """Forget a record; repeatable."""
        with self._lock:
            (self.state.path / f"{record.name}.json").unlink(missing_ok=True)
            self._records.pop(record.name, None)

    def _store(self, record: Record) -> None:
        self.state.write(record.name, _encode(record))
        self._records[record.name] = record


def _encode(record: Record) -> dict[str, object]:
    return {
        "cache": record.cache,
        "repo": record.repo,
        "commit": record.commit,
        "revisions": sorted(record.revisions),
        "at": record.at,
        "files": [
            {
                "path": file.path,
                "size": file.size,
                "digest": file.digest.value if file.digest else None,
                "own_blob": file.own_blob,
                "own_link": file.own_link,
                "stamp": [file.stamp.size, file.stamp.mtime_ns, file.stamp.inode]
                if file.stamp
                else None,
            }
            for file in record.files
        ],
    }


def _decode(body: dict[str, object] | None) -> Record | None:
    match body:
        case {
            "cache": str(cache),
            "repo": str(repo),
            "commit": str(commit),
            "revisions": list(revisions),
            "at": str(at),
            "files": list(files),
        }:
            made = tuple(file for entry in files if (file := _decode_file(entry)) is not None)
            names = frozenset(str(revision) for revision in revisions)
            return Record(cache, repo, commit, made, names, at)
        case _:
            return None


def _decode_file(entry: object) -> FileRecord | None:
    match entry:
        case {
            "path": str(path),
            "size": int(size),
            "digest": (str() | None) as name,
            "own_blob": bool(own_blob),
            "own_link": bool(own_link),
            "stamp": stamp,
        }:
            digest = digest_of_blob(name) if name else None
            return FileRecord(path, size, digest, own_blob, own_link, _decode_stamp(stamp))
        case _:
            return None


def _decode_stamp(entry: object) -> Stamp | None:
    match entry:
        case [int(size), int(mtime_ns), int(inode)]:
            return Stamp(size, mtime_ns, inode)
        case _:
            return None
