"""Seeded trouble: one seed is one history of edits, requests, deaths, faults and restarts.

Equal seeds give equal histories, so a failing run is replayed by its seed:
`python -m tests.reconciler.chaos SEED`.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

from reconciler.actions import Delete, Failure, Unload, Verify
from reconciler.state import ArtifactRef, DiskPhase, DiskState, InstancePhase
from tests.reconciler import rules
from tests.reconciler.world import GIB, Repo, World

KEYS = ("a", "b", "c", "d", "e", "f")
SOURCES = ("org/one", "org/two", "org/three", "org/four", "org/five")
STATES = ("loaded", "loaded", "loaded", "on-demand", "on-demand", "downloaded", "absent")
GATED = Failure("GatedRepo", "the repository is gated", terminal=True)
CUT = Failure("HubUnreachable", "the connection was cut")
BROKEN = Failure("UnsupportedArchitecture", "no such architecture", terminal=True)
IO_ERROR = Failure("DiskError", "input/output error")
CRASH = Failure("LoadFailed", "out of memory")


def document(rng: random.Random) -> dict[str, object]:
    """A random document of a few models and names."""
    keys = rng.sample(KEYS, rng.randint(1, len(KEYS)))
    models = {key: model(rng) for key in keys}
    aliases = {
        name: rng.sample(keys, rng.randint(1, min(3, len(keys))))
        for name in ("auto", "gpt-4*")
        if rng.random() < 0.6
    }
    memory = rng.choice(("100%", "100%", "75%", "8GiB"))
    limits: dict[str, object] = {"memory": memory, "downloads": rng.choice((1, 2, 3))}
    if rng.random() < 0.2:
        limits["loaded"] = rng.choice((1, 2, 3))
    suspend = rng.random() < 0.04
    return {"models": models, "aliases": aliases, "limits": limits, "suspend": suspend}


def model(rng: random.Random) -> dict[str, object]:
    """One random entry."""
    entry: dict[str, object] = {
        "source": f"hf:{rng.choice(SOURCES)}",
        "state": rng.choice(STATES),
        "priority": rng.choice((10, 50, 50, 50, 90)),
        "keep_alive": rng.choice(("0s", "1m", "5m")),
        "drain": rng.choice(("10s", "5m")),
    }
    for field, value, chance in (
        ("context", rng.choice((2048, 4096)), 0.3),
        ("pinned", True, 0.05),
        ("suspend", True, 0.06),
        ("kv_memory", "1GiB", 0.1),
        ("revision", "main", 0.15),
        ("engine", "gguf", 0.03),
        ("group", rng.choice(("x", "y")), 0.15),
    ):
        if rng.random() < chance:
            entry[field] = value
    return entry


def edited(rng: random.Random, before: dict[str, object]) -> dict[str, object]:
    """Most edits touch one thing."""
    models = before["models"]
    assert isinstance(models, dict)
    pick = rng.random()
    if pick < 0.2:
        return document(rng)
    key = rng.choice(list(models))
    if pick < 0.3:
        aliases = {"auto": rng.sample(list(models), rng.randint(1, min(2, len(models))))}
        return {**before, "aliases": aliases}
    if pick < 0.35:
        return {**before, "suspend": not before["suspend"]}
    if pick < 0.55:
        changed = {**models[key], "context": rng.choice((512, 1024, 2048, 4096))}
        return {**before, "models": {**models, key: changed}}
    fields = ("state", "state", "source", "priority", "suspend", "keep_alive", "group")
    field = rng.choice(fields)
    changed = {**models[key], **{f: v for f, v in model(rng).items() if f == field}}
    return {**before, "models": {**models, key: changed}}


@dataclass
class Chaos:
    """One run of one seed."""

    seed: int
    events: int = 40

    def __post_init__(self) -> None:
        self.rng = rng = random.Random(self.seed)
        repos = {
            source: Repo(
                weights=rng.randint(1, 24) * GIB // 2,
                kv_per_token=rng.choice((0, 0, GIB // 16384)),
                factor=rng.choice((1.0, 1.0, 1.0, 0.8, 2.0)),
                whole=rng.random() < 0.7,
            )
            for source in SOURCES
        }
        self.rules = rules.Rules()
        foreign = frozenset(ArtifactRef(f"hf:{s}") for s in SOURCES if rng.random() < 0.2)
        self.world = World(repos, probed=rng.random() < 0.7, foreign=foreign, watch=self.rules)
        for artifact in sorted(foreign):
            self.world.disk[artifact] = repos[artifact.source[3:]].complete(0)
        self.document = document(rng)

    def run(self) -> World:
        """Trouble, then peace, then rest."""
        self.world.edit(self.document)
        happenings = self._happenings()
        weights = [weight for weight, _ in happenings]
        calls = [call for _, call in happenings]
        for call in self.rng.choices(calls, weights, k=self.events):
            call()
            if self.rng.random() < 0.7:
                self.world.step()
        self.peace()
        decision = self.world.settle()
        rules.at_rest(self.world, decision)
        return self.world

    def peace(self) -> None:
        """All faults are over; what has failed for good stays so until it is forgiven."""
        self.world.probed = True
        for repo in self.world.repos.values():
            repo.download_fault = repo.load_fault = None

    def _happenings(self) -> list[tuple[int, Callable[[], object]]]:
        return [
            (30, self._progress),
            (8, self._sleep),
            (6, self._edit),
            (2, self.world.spoil),
            (14, self._request),
            (4, self._release),
            (4, self._kill),
            (4, self._fault),
            (2, self._lose_files),
            (2, self._restart),
            (1, self._probe),
            (1, self._token),
            (1, self._revision),
        ]

    def _progress(self) -> None:
        """Something that runs begins, or ends."""
        world = self.world
        if not world.running:
            world.step()
        idle = [key for key, e in world.running.items() if not e.begun and not e.cancelled]
        if idle and self.rng.random() < 0.4:
            world.begin(self.rng.choice(idle))
            return
        ready = [key for key in world.running if world.can_end(key)]
        if not ready:
            return
        key = self.rng.choice(ready)
        effect = world.running[key]
        if effect.cancelled and self.rng.random() < 0.1:
            effect.cancelled = False  # it was done before the cancellation came
        frail = isinstance(effect.action, Delete | Unload | Verify) and not effect.cancelled
        world.end(key, IO_ERROR if frail and self.rng.random() < 0.1 else None)

    def _sleep(self) -> None:
        self.world.sleep(self.rng.choice((0.5, 5, 30, 120, 900)))

    def _edit(self) -> None:
        self.document = edited(self.rng, self.document)
        self.world.edit(self.document)

    def _request(self) -> None:
        self.world.request(self.rng.choice((*KEYS, "auto", "auto", "gpt-4*")))

    def _release(self) -> None:
        busy = [uid for uid, r in self.world.pool.residents.items() if r.in_flight]
        if busy:
            self.world.release(self.rng.choice(busy))

    def _kill(self) -> None:
        alive = [
            uid for uid, r in self.world.pool.residents.items() if r.phase is not InstancePhase.DEAD
        ]
        if alive:
            self.world.kill(self.rng.choice(alive))

    def _fault(self) -> None:
        repo = self.world.repos[self.rng.choice(SOURCES)]
        repo.download_fault = self.rng.choice((None, None, CUT, CUT, GATED))
        repo.load_fault = self.rng.choice((None, None, CRASH, BROKEN))

    def _lose_files(self) -> None:
        if self.world.disk:
            artifact = self.rng.choice(list(self.world.disk))
            state = replace(self.world.disk[artifact], phase=DiskPhase.COMPLETE)
            self.world.disk[artifact] = self.rng.choice((DiskState(), state))

    def _restart(self) -> None:
        self.world.restart()
        self.rules.restarted()

    def _probe(self) -> None:
        self.world.probed = True

    def _token(self) -> None:
        self.world.credentials += "+"

    def _revision(self) -> None:
        """A branch moves on the hub; what is on disk stays as it is."""
        self.world.repos[self.rng.choice(SOURCES)].revision = f"r{self.rng.randint(2, 99)}"


def replay(seed: int) -> World:
    """Run one seed; a failure names it."""
    chaos = Chaos(seed)
    try:
        return chaos.run()
    except AssertionError as error:
        raise AssertionError(f"seed {seed}: {error}") from error


if __name__ == "__main__":
    replay(int(sys.argv[1]))
