"""What a seed begins with: a machine, what is on the hub and on disk, a night, and a document."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.loop.memory import Remembered
from reconciler.state import ArtifactRef
from tests.reconciler.world import GIB, MIB
from tests.simulation.documents import SOURCES, Data, document, quiet
from tests.simulation.moods import ANYTHING, Mood
from tests.simulation.world import Simulated, Source

NIGHTS = (
    ("Europe/Paris", datetime(2026, 3, 28, 20, 45, tzinfo=UTC)),
    ("Europe/Paris", datetime(2026, 10, 24, 19, 45, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 4, 4, 10, 45, tzinfo=UTC)),
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 11, 15, tzinfo=UTC)),
    ("America/Santiago", datetime(2026, 9, 6, 1, 15, tzinfo=UTC)),
    ("Africa/Cairo", datetime(2026, 4, 23, 19, 45, tzinfo=UTC)),
    ("Asia/Kolkata", datetime(2026, 11, 20, 16, 15, tzinfo=UTC)),
)
"""Zones, and an evening there: of a night in which clocks change, and of one in which not."""
PLAIN = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scene:
    """Everything about a seed that does not move by itself."""

    sources: dict[str, Source]
    foreign: frozenset[ArtifactRef]
    own: frozenset[ArtifactRef]
    probed: bool
    zone: str | None
    at: datetime
    mood: Mood
    document: Data

    def world(self, remembered: Remembered | None = None) -> Simulated:
        """The world as the seed finds it."""
        sources = {name: Source(**vars(each)) for name, each in self.sources.items()}
        world = Simulated(
            sources,
            probed=self.probed,
            at=self.at,
            foreign=self.foreign,
            remembered=remembered or Remembered(),
        )
        for artifact in sorted(self.foreign):
            world.disk[artifact] = world.repo(artifact).complete(0)
        for artifact in sorted(self.own):
            repo = world.repo(artifact)
            world.disk[artifact] = repo.complete(repo.weights)
        return world


def scene(rng: random.Random, kind: Mood) -> Scene:
    """Draw a scene for histories of that mood, in which everything may happen."""
    sources = {name: _source(rng) for name in SOURCES}
    there = [ArtifactRef(f"hf:{name}") for name in SOURCES if rng.random() < 0.6]
    foreign = frozenset(each for each in there if rng.random() < 0.3)
    own = frozenset(there) - foreign
    zone, at = rng.choice(NIGHTS) if rng.random() < kind.hours else (None, PLAIN)
    first = document(rng, zone, kind)
    return Scene(sources, foreign, own, rng.random() < 0.8, zone, at, kind, first)


def exact(rng: random.Random) -> Scene:
    """A scene without surprises: sizes are what they seem, and documents do not depend on the past
    in what they come to.
    """
    sources = {name: Source(weights=rng.randint(1, 12) * GIB + 32 * MIB) for name in SOURCES}
    first = quiet(document(rng, None))
    return Scene(sources, frozenset(), frozenset(), True, None, PLAIN, ANYTHING, first)


def _source(rng: random.Random) -> Source:
    return Source(
        weights=rng.randint(1, 14) * GIB // 2,
        kv_per_token=rng.choice((0, 0, GIB // 16384)),
        factor=rng.choice((1.0, 1.0, 1.0, 0.8, 2.0)),
        whole=rng.random() < 0.7,
        sways=rng.choice((0, 0, 256 * MIB)),
    )
