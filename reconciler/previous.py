"""What a model ran when it last answered, to be loaded again when what replaces it cannot be. Pure.

The one exception from the rule that what is loaded does not depend on the past: a model whose
wanted spec failed for good is served as it last answered, if its files are still there and there
is room that nobody else wants. It survives a restart, so that a restart in between changes
nothing; it is another spec as soon as another one answers, and gone with the model's key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reconciler.actions import InstanceSpec, Need
from reconciler.budget import Ledger
from reconciler.state import NO_FILES, ArtifactRef, DiskPhase, DiskState


@dataclass(frozen=True, slots=True)
class Proven:
    """A spec that answered, and the bytes that were reserved to load it."""

    spec: InstanceSpec
    reserve: int

    @property
    def artifacts(self) -> tuple[ArtifactRef, ArtifactRef]:
        """Its files as they were asked for, and exactly those that they were then."""
        artifact = self.spec.artifact
        return artifact, replace(artifact, revision=self.spec.revision)


def spec_again(proven: Proven, disk: Mapping[ArtifactRef, DiskState]) -> InstanceSpec | None:
    """What to load to have it again; None when its files are not there any more."""
    for artifact in proven.artifacts:
        found = disk.get(artifact, NO_FILES)
        right = found.phase is DiskPhase.VERIFIED and found.revision == proven.spec.revision
        if right and found.path is not None:
            return replace(proven.spec, path=found.path)
    return None


def to_check(proven: Proven, disk: Mapping[ArtifactRef, DiskState]) -> ArtifactRef | None:
    """Its files, when they are there and only have to be checked again."""
    for artifact in proven.artifacts:
        found = disk.get(artifact, DiskState())
        if found.phase is DiskPhase.COMPLETE and found.revision == proven.spec.revision:
            return artifact
    return None


def need_again(proven: Proven, ledger: Ledger) -> Need:
    """What it takes."""
    pool = proven.spec.kv_bytes
    measured = ledger.memory(proven.spec.spec_hash)
    if measured is not None:
        return Need(weights=measured, kv_pool=pool, basis="measured")
    return Need(weights=max(0, proven.reserve - pool), kv_pool=pool, basis="estimate")
