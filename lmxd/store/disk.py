"""Whether a download fits on the disk: decided before its first byte, with both numbers said.

`fits` is pure; `room` looks at the volume.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from reconciler.limits import DiskLimits
from schemas.errors import ActionError
from schemas.quantities import format_bytes


@dataclass(frozen=True, slots=True)
class Room:
    """Bytes free on the volume, bytes of lmxd's own files, and bytes other downloads still need."""

    free: int
    own: int
    promised: int


def free_bytes(folder: Path) -> int:
    """Free bytes on the volume a folder is, or will be, on. Blocks for a stat; raises OSError."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_fits(what: str, needed: int, room: Room, limits: DiskLimits) -> None:
    """Raise an ActionError when `needed` more bytes would break a limit.

    DiskLimitReached: lmxd's own files would take more than `limits.disk`. DiskFull: less than
    `limits.free_disk` would stay free. Neither is terminal: room can be made.
    """
    if needed <= 0:
        return
    left = None if limits.own is None else limits.own - room.own - room.promised
    if left is not None and needed > left:
        raise ActionError(
            "DiskLimitReached",
            f"{what} needs {format_bytes(needed)}, and {format_bytes(max(left, 0))} is left of "
            f"limits.disk {format_bytes(limits.own or 0)}",
            hint="raise limits.disk, or set a model you no longer need to absent",
        )
    usable = room.free - room.promised - limits.free
    if needed > usable:
        kept = f" beside limits.free_disk {format_bytes(limits.free)}" if limits.free else ""
        raise ActionError(
            "DiskFull",
            f"{what} needs {format_bytes(needed)}, "
            f"and {format_bytes(max(usable, 0))} is free{kept}",
            hint="free some space on that volume, or set a model you no longer need to absent",
        )
