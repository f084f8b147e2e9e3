"""One generation of the document: what it says, who wrote it, and what became of it.

The record of `generations`, and its form in `meta.json`. Pure but for `DocumentPath.of`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from schemas.edit import MISSING, Change

__all__ = ["DocumentPath", "Generation", "Outcome", "Status", "from_meta", "to_meta"]

FORMAT, VERSION = "lmxd/generation", 1

Status = Literal["intended", "accepted"]
"""Intended: kept before the file is touched, so that a crash between the two can be told."""
Outcome = Literal["current", "superseded", "converged", "crashed"]


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
    """One generation. `raw` is its text, `sha256` the digest of that.

    author: `file`, a manager, or `rollback`. base: the number it was made from, 0 for none.
    etag: digest of what it means, whatever its spelling. confirmed: the daemon lived ten minutes
    with it. converged: its plan became empty. crashed: it was left because the daemon died of it.
    manager: who asked for it over HTTP, "" for nobody.
    """

    number: int
    document: DocumentPath
    raw: bytes
    accepted_at: datetime
    author: str
    etag: str = ""
    note: str = ""
    base: int = 0
    changes: tuple[Change, ...] = ()
    status: Status = "accepted"
    confirmed: bool = False
    converged: bool = False
    crashed: bool = False
    manager: str = ""

    @property
    def sha256(self) -> str:
        """The digest of its bytes."""
        return hashlib.sha256(self.raw).hexdigest()

    @property
    def owner(self) -> str:
        """Whose its changes are."""
        return self.manager or self.author


def to_meta(generation: Generation) -> dict[str, object]:
    """Everything but the text, as JSON values."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "generation": generation.number,
        "sha256": generation.sha256,
        "document": generation.document.name,
        "real_path": generation.document.real,
        "accepted_at": generation.accepted_at.isoformat(),
        "author": generation.author,
        "manager": generation.manager,
        "etag": generation.etag,
        "note": generation.note,
        "base": generation.base,
        "changes": [_line(change) for change in generation.changes],
        "status": generation.status,
        "confirmed": generation.confirmed,
        "converged": generation.converged,
        "crashed": generation.crashed,
    }


def from_meta(meta: Mapping[str, Any], number: int, raw: bytes) -> Generation:
    """The generation whose first text is `raw`; raises ValueError, KeyError or TypeError when
    these two do not belong together.
    """
    if meta["generation"] != number or meta["sha256"] != hashlib.sha256(raw).hexdigest():
        raise ValueError("not the text of this generation")
    if meta["status"] not in ("intended", "accepted"):
        raise ValueError("unknown status")
    return Generation(
        number=number,
        document=DocumentPath(str(meta["document"]), str(meta["real_path"])),
        raw=raw,
        accepted_at=datetime.fromisoformat(meta["accepted_at"]).astimezone(UTC),
        author=str(meta["author"]),
        manager=str(meta.get("manager", "")),
        etag=str(meta["etag"]),
        note=str(meta["note"]),
        base=int(meta["base"]),
        changes=_changes(meta["changes"]),
        status=meta["status"],
        confirmed=bool(meta["confirmed"]),
        converged=bool(meta["converged"]),
        crashed=bool(meta["crashed"]),
    )


def _line(change: Change) -> dict[str, object]:
    line: dict[str, object] = {"path": list(change.path)}
    if change.before is not MISSING:
        line["before"] = change.before
    if change.after is not MISSING:
        line["after"] = change.after
    return line


def _changes(lines: Sequence[Mapping[str, Any]]) -> tuple[Change, ...]:
    return tuple(
        Change(tuple(line["path"]), line.get("before", MISSING), line.get("after", MISSING))
        for line in lines
    )
