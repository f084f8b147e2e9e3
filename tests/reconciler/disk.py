"""What is on the hub and on the disk of the fake world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.actions import Failure
from reconciler.budget import WORKER_OVERHEAD
from reconciler.state import ArtifactRef, DiskPhase, DiskState, Footprint

SILENT = Failure("CanaryFailed", "it said nothing", terminal=True)


@dataclass
class Repo:
    """What is true of one source. `factor`: what is really resident, relative to its weights."""

    weights: int
    kv_per_token: int = 0
    factor: float = 1.0
    revision: str = "r1"
    whole: bool = True  # a download verifies by itself; False: a verification follows
    download_fault: Failure | None = None
    load_fault: Failure | None = None
    silent: bool = False  # answers no canary

    def measured(self) -> int:
        """Resident bytes after a load."""
        return int(self.weights * self.factor) + WORKER_OVERHEAD

    def complete(self, ours: int) -> DiskState:
        """All files are there and right."""
        footprint = Footprint(self.weights, self.kv_per_token, 32768, "llama")
        return DiskState(
            phase=DiskPhase.VERIFIED,
            path="/cache",
            revision=self.revision,
            have=self.weights,
            total=self.weights,
            ours=ours,
            footprint=footprint,
        )

    def trouble(self, *, asked: bool) -> Failure | None:
        """How a load ends; `asked`: with a canary."""
        return self.load_fault or (SILENT if asked and self.silent else None)


def look(disk: Mapping[ArtifactRef, DiskState], ref: ArtifactRef) -> DiskState:
    """How an artifact stands; a revision that another name brought is there too."""
    if ref in disk:
        return disk[ref]
    for other, state in disk.items():
        right = state.phase is DiskPhase.VERIFIED and state.revision == ref.revision
        if right and other.source == ref.source:
            return state
    return DiskState()
