"""The disk of the fake world, as a pass sees it."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.state import ArtifactRef, DiskPhase, DiskState


def look(disk: Mapping[ArtifactRef, DiskState], ref: ArtifactRef) -> DiskState:
    """How an artifact stands; a revision that another name brought is there too."""
    if ref in disk:
        return disk[ref]
    for other, state in disk.items():
        right = state.phase is DiskPhase.VERIFIED and state.revision == ref.revision
        if right and other.source == ref.source:
            return state
    return DiskState()
