"""The ways in which somebody saves a document, each in one step of a test; or removes it."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["STYLES", "litter", "save"]

STYLES = ("in place", "in place", "atomic", "backup", "link")


def save(path: Path, raw: bytes | None, style: str) -> None:
    """Save as this kind of editor does; None removes the file."""
    if raw is None:
        path.unlink(missing_ok=True)
    elif style == "in place":
        Path(os.path.realpath(path)).write_bytes(raw)
    elif style == "atomic":
        _put(path.with_name(".draft"), raw).replace(path)
    elif style == "backup":
        backup = path.with_name(f"{path.name}~")
        if path.exists():
            path.rename(backup)
        path.write_bytes(raw)
        backup.unlink(missing_ok=True)
    else:
        number = sum(each.name.startswith("store-") for each in path.parent.iterdir())
        store = path.parent / f"store-{number}"
        store.mkdir()
        _put(store / path.name, raw)
        link = path.parent / ".link"
        link.symlink_to(store / path.name)
        link.replace(path)


def litter(path: Path) -> list[str]:
    """What lies beside the document, and beside what its links led to, and belongs to nobody."""
    known = (path.name, f"{path.name}.lmxd.lock")
    return sorted(
        str(each.relative_to(path.parent))
        for place in (path.parent, *path.parent.glob("store-*"))
        for each in place.iterdir()
        if each.name not in known and not each.name.startswith(("store-", "state"))
    )


def _put(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path
