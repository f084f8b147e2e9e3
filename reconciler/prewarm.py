"""How long before its window a model is loaded, by what loads of it took. Pure.

Only the length of time is decided here; that the memory is spare is seen to by admission and by
the memory lane, and that nothing is answered before the window opens by the routes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from reconciler.budget import Ledger
from reconciler.knowledge import spec_of
from reconciler.state import NO_FILES, ArtifactRef, DiskState, EffectiveModel, ModelKey
from reconciler.timetable import HORIZON
from schemas.desired import DesiredState
from schemas.schedule import Schedule

FACTOR = 1.5
MARGIN_S = 10.0
UNKNOWN_S = 60.0
READ = 200 * 1024 * 1024
"""Bytes a second that a load is taken to read while none was measured: a slow disk."""


@dataclass(frozen=True, slots=True)
class Loads:
    """Seconds that a load of each model takes, as far as anything is known of it."""

    seconds: Mapping[ModelKey, float]

    def of(self, key: str) -> float:
        """What to reckon with."""
        return self.seconds.get(ModelKey(key), UNKNOWN_S)

    def or_longer(self, before: Loads) -> Loads:
        """These, none of them shorter than before: what was loaded ahead is not early because it
        turned out to load quickly.
        """
        longest = {key: max(s, before.seconds.get(key, 0.0)) for key, s in self.seconds.items()}
        return Loads(longest)


NOTHING_KNOWN = Loads({})


def lead(window: Schedule, load_s: float) -> timedelta | None:
    """How long before its start a window has its models loaded; None: not before."""
    if window.prewarm == "none":
        return None
    asked = FACTOR * load_s + MARGIN_S if window.prewarm == "auto" else window.prewarm
    return min(timedelta(seconds=min(asked, 1e9)), HORIZON)


def loads(
    variants: Iterable[EffectiveModel], disk: Mapping[ArtifactRef, DiskState], ledger: Ledger
) -> Loads:
    """What is known of the loads of these models, each in every variant that a window makes of it:
    the slowest of the last five loads (of five, that is the 95th percentile); while none was
    measured, the time to read the files, at least a minute.
    """
    measured: dict[ModelKey, float] = {}
    estimated: dict[ModelKey, float] = {}
    for model in variants:
        files = disk.get(model.artifact, NO_FILES)
        estimated[model.key] = max(UNKNOWN_S, (files.total or 0) / READ)
        spec = spec_of(model, files)
        took = ledger.load_s(spec.spec_hash) if spec is not None else None
        if took is not None:
            measured[model.key] = max(measured.get(model.key, 0.0), took)
    return Loads(estimated | measured)


def contexts(document: DesiredState) -> Iterator[tuple[str, int]]:
    """Each model whose state a window sets, with every context that it may then have."""
    moved = {
        key
        for schedule in document.schedules.values()
        for key, changes in schedule.set.models.items()
        if changes.state is not None
    }
    for key in sorted(moved):
        sizes = {document.resolved(key).context}
        for schedule in document.schedules.values():
            changes = schedule.set.models.get(key)
            if changes is not None and changes.context is not None:
                sizes.add(changes.context)
        yield from ((key, size) for size in sorted(sizes))
