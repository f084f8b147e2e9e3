"""What the document has dropped: a tombstone for each model whose key was removed. Pure.

Kept by the core and remembered over restarts, from the keys of the last accepted document and from
those of the present one, so that it does not matter how many edits came between two looks. A
tombstone deletes nothing: what becomes of its files is `prune`'s word.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.state import ArtifactRef, InstancePhase, ModelKey, Observed

MOST = 1000
"""So many tombstones are kept, those of the latest removals."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """A model that was removed: its files as it asked for them, when that was noticed, and by
    which generation. `shared`: another model had the same then or later, so that they are its own
    no more.
    """

    key: ModelKey
    artifact: ArtifactRef
    since: datetime
    generation: int
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Tombstones:
    """What is remembered of the document of that path: the files of its models, by key, when it
    was last looked at, and the models that were removed from it, the latest last.
    """

    document: str = ""
    present: Mapping[ModelKey, ArtifactRef] = field(default_factory=dict)
    removed: tuple[Tombstone, ...] = ()

    @property
    def artifacts(self) -> frozenset[ArtifactRef]:
        """The files of removed models."""
        return frozenset(stone.artifact for stone in self.removed)


def following(
    before: Tombstones,
    document: str,
    present: Mapping[ModelKey, ArtifactRef],
    generation: int,
    at: datetime,
) -> Tombstones:
    """What is to be remembered when the accepted document of that path names these models. A key
    that is there again has no tombstone; what was removed from a document of another path is no
    business of this one.
    """
    if document != before.document:
        return Tombstones(document, present)
    named = set(present.values())
    gone = tuple(
        Tombstone(key, artifact, at, generation, artifact in named)
        for key, artifact in before.present.items()
        if key not in present
    )
    stays = tuple(
        stone if stone.shared or stone.artifact not in named else replace(stone, shared=True)
        for stone in before.removed
        if stone.key not in present
    )
    if before.present == present and stays == before.removed:
        return before
    return Tombstones(document, present, (*stays, *gone)[-MOST:])


def remaining(
    before: Tombstones, observed: Observed, moving: Collection[ArtifactRef]
) -> Tombstones:
    """Without the tombstones of which nothing is left: no instance, and no files of ours that are
    theirs alone. `moving`: artifacts that something is done about at the moment.
    """
    if not before.removed:
        return before
    alive = {i.key for i in observed.instances if i.phase is not InstancePhase.DEAD}
    stays = tuple(
        stone
        for stone in before.removed
        if stone.key in alive
        or (not stone.shared and (stone.artifact in moving or _has_files(stone.artifact, observed)))
    )
    return before if len(stays) == len(before.removed) else replace(before, removed=stays)


def _has_files(artifact: ArtifactRef, observed: Observed) -> bool:
    disk = observed.disk.get(artifact)
    return disk is None or disk.ours > 0  # None: nobody has looked yet
