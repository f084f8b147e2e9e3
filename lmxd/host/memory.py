"""How much memory there is: the machine's, or less where a container limits it. Blocks."""

from __future__ import annotations

from pathlib import Path

import psutil

CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_USED = {"memory.max": "memory.current", "memory.limit_in_bytes": "memory.usage_in_bytes"}


def total_memory(limits: tuple[Path, ...] = CGROUP_LIMITS) -> int:
    """Bytes of memory this process may count on; `limits` are files of control groups."""
    machine = int(psutil.virtual_memory().total)
    return min([machine, *(size for path in limits if (size := _limit(path)) is not None)])


def free_memory(limits: tuple[Path, ...] = CGROUP_LIMITS) -> int:
    """Bytes that this process and its children could still get without anybody swapping."""
    machine = int(psutil.virtual_memory().available)
    return min([machine, *(left for path in limits if (left := _left(path)) is not None)])


def boot_id() -> str:
    """Differs after each start of the machine."""
    return str(int(psutil.boot_time()))


def _left(limit: Path) -> int | None:
    """What a control group may still take; its file cache goes as soon as memory is needed."""
    most = _limit(limit)
    used = _limit(limit.with_name(_USED[limit.name])) if limit.name in _USED else None
    if most is None or used is None:
        return None
    try:
        lines = limit.with_name("memory.stat").read_text().splitlines()
        cache = int(dict(line.split() for line in lines).get("inactive_file", 0))
    except (OSError, ValueError):
        cache = 0
    return max(0, most - used + cache)


def _limit(path: Path) -> int | None:
    try:
        text = path.read_text().strip()
    except OSError:
        return None
    return int(text) if text.isdigit() and int(text) > 0 else None
