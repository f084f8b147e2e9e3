"""What the document sets for the whole daemon: bounds on requests, memory and disk, and its upkeep.

Pure records.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FlowLimits:
    """Bounds on requests: waiting ones in the whole daemon, longest wait, longest generation."""

    queue: int = 256
    wait_s: float = 120.0
    request_s: float = 1800.0
    body: int = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """`limits.memory`: a share of what the machine has (0..1], or a size; exactly one is set."""

    share: float | None = 0.9
    size: int | None = None


@dataclass(frozen=True, slots=True)
class DiskLimits:
    """What lmxd's own files may take at most, and what must stay free on their volume."""

    own: int | None = None
    free: int = 0


@dataclass(frozen=True, slots=True)
class Upkeep:
    """`reconcile`: what becomes of what changed outside lmxd, and of what the document dropped:
    whether files of removed models are deleted, and how many seconds after the removal.
    """

    drift: str = "enforce"
    prune_disk: bool = False
    retention_s: float = 7 * 86400.0
