"""What happens to a world: a script of small events, each with a number that settles its choices.

An event chooses among what there is by its number, so a script from which events are left out is
still a script: that is how failures are made shorter. Equal scripts give equal histories.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from reconciler.actions import Delete, Drain, Failure, Promote, Unload, Verify
from reconciler.state import DiskPhase, InstancePhase
from tests.reconciler.world import GIB
from tests.simulation.documents import KEYS, NAMES, SOURCES, edited, lease
from tests.simulation.moods import EVENTS, Mood
from tests.simulation.oracles import Oracles
from tests.simulation.scene import Scene
from tests.simulation.world import DISK, Simulated

T = TypeVar("T")
Event = tuple[str, int]

GATED = Failure("GatedRepo", "the repository is gated", terminal=True)
CUT = Failure("HubUnreachable", "the connection was cut")
BUSY = Failure("RateLimited", "429", retry_after_s=120.0)
BROKEN = Failure("UnsupportedArchitecture", "no such architecture", terminal=True)
IO_ERROR = Failure("DiskError", "input/output error")
CRASH = Failure("LoadFailed", "out of memory")
TRIES = 7
OF_ONE = (Promote, Drain, Unload)
"""Actions that are about one instance that is there."""
POKED, TWICE, SEAM = 11, 12, 13
"""Of 16 events, so many wake the loop at once; then one wakes it twice, one leaves a pass open,
and the rest is not noticed before the loop looks by itself."""


def script(rng: random.Random, mood: Mood, length: int) -> list[Event]:
    """Draw a script."""
    events = mood.events()
    kinds = rng.choices([*events], [*events.values()], k=length)
    return [(kind, rng.getrandbits(60)) for kind in kinds]


class History:
    """Plays scripts on the world of one scene."""

    def __init__(self, scene: Scene, trace: list[str] | None = None) -> None:
        self.rules = Oracles()
        self.world: Simulated = scene.world()
        self.world.watch = self.rules
        self.world.trace = trace
        self.scene = scene
        self.document = scene.document
        self.world.edit(self.document)
        self._calls: dict[str, Callable[[int], None]] = {
            kind: getattr(self, f"_{kind}") for kind in EVENTS
        }

    def play(self, events: Sequence[Event]) -> None:
        """24: one event after the other, with the passes that they wake: many wake none."""
        world = self.world
        for kind, number in events:
            world.say(f"{kind} {number}")
            rest, poke = divmod(number, 16)
            self._calls[kind](rest)
            self.rules.meter(world)
            if poke <= TWICE:
                world.step()
                if poke == TWICE:
                    world.step()
            elif poke == SEAM:
                world.stop_at(rest % 5)
            self.rules.meter(world)

    def cause(self, kind: str, number: int) -> None:
        """One event, and nothing else."""
        self._calls[kind](number)

    def peace(self) -> None:
        """All faults are over; what has failed for good stays so until it is forgiven."""
        world = self.world
        world.say("peace")
        world.finish()
        world.probed, world.journal_fails, world.disk_free = True, False, DISK
        self._well(0)

    # --- events --------------------------------------------------------------------------------

    def _go(self, number: int) -> None:
        """What runs goes on, by up to three beginnings and ends."""
        world, (number, times) = self.world, divmod(number, 3)
        if not world.running:
            world.step()
        for _ in range(times + 1):
            number, how = divmod(number, 40)
            self._move(number, how)

    def _move(self, number: int, how: int) -> None:
        world = self.world
        idle = [key for key, e in world.running.items() if not e.begun and not e.cancelled]
        if idle and how < 16:
            world.begin(_one_of(idle, number))
            return
        ready = [key for key in world.running if world.can_end(key)]
        if not ready:
            return
        key = _one_of(ready, number)
        effect = world.running[key]
        if effect.cancelled and effect.begun and how % 10 == 0:
            effect.cancelled = False  # it was done before the cancellation came
            if not world.can_end(key):
                effect.cancelled = True
        frail = isinstance(effect.action, Delete | Unload | Verify) and not effect.cancelled
        world.end(key, IO_ERROR if frail and how % 10 == 1 else None)

    def _sleep(self, number: int) -> None:
        self.world.nap(_one_of((0.5, 5.0, 30.0, 120.0, 900.0, 3600.0), number))

    def _night(self, _: int) -> None:
        """The machine sleeps for nine hours: only the wall clock goes on."""
        self.world.set_clock(9 * 3600.0)

    def _clock(self, number: int) -> None:
        self.world.set_clock(_one_of((3600.0, -3600.0, 30.0, -30.0), number))

    def _turn(self, number: int) -> None:
        """Time goes on to where the clock changes something, to just before it, or past it."""
        world = self.world
        until = world.step().picture.effective.until
        if until is not None:
            number, how = divmod(number, 4)
            away_s = (until - world.at).total_seconds() + (0.0, 0.0, -0.5, 5.0)[how]
            world.sleep(max(0.0, away_s))

    def _edit(self, number: int) -> None:
        self.document = edited(
            random.Random(number), self.document, self.scene.zone, self.scene.mood
        )
        self.world.edit(self.document)

    def _back(self, _: int) -> None:
        """Back to the first document."""
        self.document = self.scene.document
        self.world.edit(self.document)

    def _lease(self, number: int) -> None:
        """A bot lays something over the document for a while, or takes it back."""
        number, how = divmod(number, 4)
        if how == 0:
            self.world.end_lease()
        else:
            lasts_s = _one_of((60.0, 600.0, 7200.0, 86400.0), how)
            self.world.lend(lease(random.Random(number), self.document), lasts_s)

    def _spoil(self, number: int) -> None:
        reasons = ("InvalidYAML", "EmptyFile", "Truncated", "FileMissing")
        self.world.spoil(_one_of(reasons, number))

    def _mend(self, _: int) -> None:
        self.world.mend()

    def _request(self, number: int) -> None:
        self.world.request(_one_of((*KEYS, *NAMES, NAMES[0]), number))

    def _release(self, number: int) -> None:
        busy = [uid for uid, r in self.world.pool.residents.items() if r.in_flight]
        if busy:
            self.world.release(_one_of(busy, number))

    def _kill(self, number: int) -> None:
        residents = self.world.pool.residents.items()
        alive = [uid for uid, r in residents if r.phase is not InstancePhase.DEAD]
        if alive:
            self.world.kill(_one_of(alive, number // 2), outside=number % 2 == 0)

    def _fault(self, number: int) -> None:
        """Of one source: its downloads, and its loads."""
        number, which = divmod(number, len(SOURCES))
        source = self.world.repos[SOURCES[which]]
        number, which = divmod(number, 5)
        source.download_fault = (None, CUT, CUT, BUSY, GATED)[which]
        source.hangs = number % 5 == 0
        source.load_fault = (None, None, CRASH, CRASH, BROKEN)[number % 5]
        source.silent = number % 7 == 0

    def _stubborn(self, number: int) -> None:
        """One source cannot be loaded, and is tried for as long as anybody does."""
        world = self.world
        source = world.repos[_one_of(SOURCES, number)]
        source.load_fault, source.hangs = CRASH, False
        for _ in range(TRIES):
            decision = world.step()
            for key in [*world.running]:
                if not world.running[key].begun and not world.running[key].cancelled:
                    world.begin(key)
                if world.can_end(key):
                    world.end(key)
            self.rules.meter(world)
            if decision.wake_at is not None:
                world.sleep(max(0.0, (decision.wake_at - world.at).total_seconds()))

    def _well(self, _: int) -> None:
        for source in self.world.repos.values():
            source.download_fault = source.load_fault = None
            source.hangs = source.silent = False

    def _lose(self, number: int) -> None:
        """Somebody removes files, or touches them."""
        world, (number, how) = self.world, divmod(number, 3)
        if not world.disk:
            return
        artifact = _one_of(sorted(world.disk, key=str), number)
        if how == 0:
            del world.disk[artifact]
        else:
            phase = DiskPhase.COMPLETE if how == 1 else DiskPhase.PARTIAL
            state = world.disk[artifact]
            world.disk[artifact] = replace(state, phase=phase, path=None, footprint=None)

    def _retry(self, number: int) -> None:
        """Somebody wants a model to be tried again."""
        self.world.retry(_one_of(KEYS, number))

    def _fill(self, number: int) -> None:
        """Others fill the volume, or make room."""
        self.world.disk_free = _one_of((0, 8 * GIB, DISK), number)

    def _crash(self, number: int) -> None:
        """The daemon dies at some seam of a pass, and starts again."""
        world = self.world
        world.stop_at(number % 6)
        world.restart()
        self.rules.restarted()

    def _overtaken(self, number: int) -> None:
        """9: what an action is about is gone before it acts, and another may be in its place."""
        world = self.world
        world.stop_at(1)
        decided = world.decision
        stale = (
            [a for a in decided.start if isinstance(a, OF_ONE)] if decided and world.open else []
        )
        for action in stale:
            resident = world.pool.residents.get(action.uid)
            if resident is not None and resident.phase is not InstancePhase.DEAD:
                world.kill(action.uid, outside=number % 2 == 0)
        world.finish()
        for action in stale:
            if action.key in world.running:
                before = world.pool.phases()
                world.begin(action.key)
                world.end(action.key)
                assert world.pool.phases() == before, f"{action.key} has an effect on another"

    def _journal(self, _: int) -> None:
        self.world.journal_fails = True

    def _probe(self, _: int) -> None:
        self.world.probed = True

    def _token(self, _: int) -> None:
        self.world.credentials += "+"

    def _revision(self, number: int) -> None:
        """A branch moves on the hub; what is on disk stays as it is."""
        number, which = divmod(number, len(SOURCES))
        self.world.repos[SOURCES[which]].revision = f"r{number % 97 + 2}"


def _one_of(choices: Sequence[T], number: int) -> T:
    return choices[number % len(choices)]
