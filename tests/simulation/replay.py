"""One seed, played: a scene, a script of trouble, then peace, and all that must hold at rest."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from tests.simulation.history import Event, History, script
from tests.simulation.moods import MOODS, Mood, mood_of
from tests.simulation.rest import (
    as_foretold,
    at_rest,
    none_starves,
    rests_until_woken,
    same_as_fresh,
)
from tests.simulation.scene import Scene, scene
from tests.simulation.world import Simulated

SHORT = range(2, 17)
LONG = 40
"""Events of one history: most are short and begin in a new scene, one of eight is long, for what
takes its time to go wrong."""
ROUNDS = 400
"""Peace comes to rest within so many passes."""
WANTED = 7
"""At the end of one seed of so many somebody wants one model most of all."""
SEEDS = 18_000
"""Histories that the tests play, one file a mood, so that they are spread over processes."""
PORTION = 250
"""Seeds of one mood that one test plays."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a seed stands for."""

    seed: int
    scene: Scene
    events: tuple[Event, ...]

    @staticmethod
    def of(seed: int) -> Replay:
        """The script of a seed."""
        rng = random.Random(f"seed {seed}")
        first = scene(rng, mood_of(seed))
        length = LONG if rng.random() < 1 / 8 else rng.choice(SHORT)
        return Replay(seed, first, tuple(script(rng, first.mood, length)))

    def run(
        self, events: Sequence[Event] | None = None, trace: list[str] | None = None
    ) -> Simulated:
        """Play it, or another script in its scene; AssertionError at the first broken rule."""
        history = History(self.scene, trace)
        history.play(self.events if events is None else events)
        history.peace()
        world = history.world
        at_rest(world, world.settle(ROUNDS))
        if self.seed // len(MOODS) % 2:
            same_as_fresh(world, history.scene)
        else:
            rests_until_woken(world)
            as_foretold(world)
        if self.seed % WANTED == 0:
            none_starves(world, self.seed)
        return world


def replay(seed: int) -> Simulated:
    """Run one seed; a failure names it."""
    try:
        return Replay.of(seed).run()
    except AssertionError as error:
        raise AssertionError(f"seed={seed}: {error}") from error


def portions(mood: Mood) -> list[range]:
    """The seeds of a mood that the tests play, as many at a time as one test does."""
    return [
        range(first, min(first + PORTION * len(MOODS), SEEDS), len(MOODS))
        for place, each in enumerate(MOODS)
        if each is mood
        for first in range(place, SEEDS, PORTION * len(MOODS))
    ]


def play(seeds: range) -> None:
    """Run these seeds."""
    for seed in seeds:
        replay(seed)
