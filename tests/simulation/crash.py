"""The daemon dies at one place of a switch, and everything ends as if it had not.

A seed is a machine without surprises, two documents, and a place: any seam of any pass, before or
after any effect. The run without the crash is the reference for the end; how often anything is
loaded, unloaded and brought after the crash follows from the end alone.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

from reconciler.state import DiskPhase, InstancePhase
from tests.simulation.documents import document, edited, quiet
from tests.simulation.oracles import Oracles
from tests.simulation.rest import at_rest
from tests.simulation.scene import Scene, exact
from tests.simulation.world import Simulated

FAR = 2000


class Switch:
    """From one document to another, in one scene."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(f"crash {seed}")
        self.scene: Scene = exact(rng)
        before = self.scene.document
        other = document(rng, None) if rng.random() < 0.5 else edited(rng, before, None)
        self.after = quiet(other)

    def begin(self) -> Simulated:
        """The world at the moment of the switch."""
        world = self.scene.world()
        world.watch = Oracles()
        world.edit(self.scene.document)
        world.settle()
        world.history.clear()
        world.edit(self.after)
        return world

    def reference(self) -> tuple[Simulated, int]:
        """The run without a crash, and how many places it has."""
        world = self.begin()
        places = sum(1 for _ in walk(world))
        at_rest(world, world.settle())
        return world, places

    def crashed(self, place: int) -> Simulated:
        """The run that dies there."""
        world = self.begin()
        for passed, _ in enumerate(walk(world)):
            if passed >= place:
                break
        world.restart()
        world.watch = Oracles()
        world.history.clear()
        return world


def walk(world: Simulated) -> Iterator[None]:
    """Everything goes well, one effect at a time; stops at every place where a crash could be."""
    for _ in range(FAR):
        world.open = world.passing()
        for _ in world.open:
            yield
        world.open = None
        yield
        idle = [key for key, effect in world.running.items() if not effect.begun]
        if idle:
            world.begin(idle[0])
        elif world.running:
            world.end(next(key for key in world.running if world.can_end(key)))
        else:
            return
    raise AssertionError(f"no rest after {FAR} steps")


def dies_anywhere(seed: int, places: int = 1) -> None:
    """Crash at so many places of a seed's switch, drawn by it, and compare."""
    switch = Switch(seed)
    reference, length = switch.reference()
    for place in switch.rng.sample(range(length), min(places, length)):
        compare(reference, switch.crashed(place), f"seed={seed} place={place}")


def compare(reference: Simulated, world: Simulated, where: str) -> None:
    """23: the same end, by the loads and downloads that it takes, and one other at most: sizes are
    not known before a download begins, and downloads may come in another order.
    """
    there = {a for a, state in world.disk.items() if state.phase is DiskPhase.VERIFIED}
    at_rest(world, world.settle())
    assert end(world) == end(reference), where
    verbs = Counter(key.partition(":")[0] for key in world.history)
    more = verbs["load"] - len(end(world)[0])
    assert more in (0, 1), f"{where}: {world.history}"
    assert verbs["unload"] <= more, f"{where}: {world.history}"
    assert verbs["download"] <= len(world.disk.keys() - there), f"{where}: {world.history}"


def end(world: Simulated) -> tuple[set[tuple[str, str]], set[str]]:
    """What the world has come to: who serves what, and which files are there."""
    serving = {
        (str(r.action.model), r.action.spec.spec_hash)
        for r in world.pool.residents.values()
        if r.phase is InstancePhase.CURRENT
    }
    return serving, {str(artifact) for artifact in world.disk}
