"""How much memory there is: the machine's, or less where a container limits it. Blocks."""

from __future__ import annotations

from pathlib import Path

import psutil

CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def total_memory(limits: tuple[Path, ...] = CGROUP_LIMITS) -> int:
    """Bytes of memory this process may count on; `limits` are files of control groups."""
    machine = int(psutil.virtual_memory().total)
    return min([machine, *(size for path in limits if (size := _limit(path)) is not None)])


def boot_id() -> str:
    """Differs after each start of the machine."""
    return str(int(psutil.boot_time()))


def _limit(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() and int(text) > 0 else None
