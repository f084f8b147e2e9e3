"""Which database of time zones this machine uses: its version, for the status."""

from __future__ import annotations

import zoneinfo
from importlib import metadata
from pathlib import Path

NAMES = ("tzdata.zi", "version", "+VERSION")
"""Files beside the zones that hold the version: those of IANA, of macOS and of BSD."""


def zone_database(folders: tuple[str, ...] = zoneinfo.TZPATH) -> str:
    """Its version, like "2026a"; "" where it does not say. Reads small files: call it once."""
    for folder in folders:
        for name in NAMES:
            found = _version(Path(folder) / name)
            if found:
                return found
    if any(Path(folder).is_dir() for folder in folders):
        return ""
    try:  # the package is what Python falls back to
        return metadata.version("tzdata")
    except metadata.PackageNotFoundError:
        return ""


def _version(path: Path) -> str:
    """ "# version 2026a" or "2026a" -> "2026a"; the rest of the file is not read."""
    try:
        with path.open(encoding="ascii", errors="replace") as file:
            words = file.readline(80).split()
    except OSError:
        return ""
    return words[-1] if words else ""
