"""A seed through the real loop: tasks, cancellations and waits, on a clock that costs no time.

The ports stand before the same world as everywhere here. Every decision is held against the same
oracles, and what comes of it must be at rest, and the same as in a world without a past.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime

from reconciler.actions import Action, Delete, Download, Drain, Load, Promote, Unload, Verify
from reconciler.loop.core import Core, Decision, Seen
from reconciler.loop.driver import Loop, Ports
from reconciler.state import (
    ArtifactRef,
    ConfigView,
    Demand,
    DiskState,
    InstanceUid,
    InstanceView,
    ModelKey,
    Routes,
)
from schemas.errors import ActionError
from schemas.events import Event as Told
from tests.kit.virtual_time import VirtualLoop
from tests.reconciler.disk import look
from tests.reconciler.world import Effect
from tests.simulation.history import Event, History
from tests.simulation.replay import Replay
from tests.simulation.rest import at_rest, same_as_fresh
from tests.simulation.world import DISK, Simulated

GO_ON = {"go": (0.0, 0.2, 3.0, 15.0), "sleep": (0.5, 30.0, 120.0), "turn": (600.0,)}
"""Events in which time passes, and seconds of it."""
OWN_PASS = ("stubborn", "overtaken")
"""Events that decide by themselves: they have no place beside the loop."""
BEGINS = (0.0, 0.0, 0.1, 5.0)
TAKES = (0.05, 0.5, 2.0, 8.0)
"""Seconds until an action can be seen, and until it ends."""
ROUNDS = 400


class Watched:
    """The core with a watch over what it decides."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self.artifacts = live.world.core.artifacts

    def step(self, seen: Seen) -> Decision:
        world = self._live.world
        with self._live.noted():
            return world.decide(seen)
        raise AssertionError("a rule was broken")


class Live:
    """All ports of the loop over one world."""

    def __init__(self, history: History, rng: random.Random) -> None:
        self.history = history
        self.world: Simulated = history.world
        self.broken: list[BaseException] = []
        self.told: list[Told] = []
        self._rng = rng
        self._task: asyncio.Task[None] | None = None
        self.boot()

    def boot(self) -> None:
        """A loop for the core that the world has now."""
        ports = Ports(self, self, self, self, self, self, self, self)  # type: ignore[arg-type]
        core: Core = Watched(self)  # type: ignore[assignment]
        self.loop = Loop(ports, core, self.world.saved)

    @contextmanager
    def noted(self) -> Iterator[None]:
        """Keep what is broken: the loop takes it for one more failure, and goes on."""
        try:
            yield
        except AssertionError as error:
            self.broken.append(error)
            raise

    # --- the life of the daemon ----------------------------------------------------------------

    async def begin(self) -> None:
        """Start the loop."""
        self._task = asyncio.create_task(self.loop.run(), name="loop")
        await self.loop.following()

    async def end(self) -> None:
        """End the loop, and all it does with it."""
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def crash(self) -> None:
        """The daemon dies and starts again."""
        await self.end()
        self.world.restart()
        self.history.rules.restarted()
        self.boot()
        await self.begin()

    async def play(self, events: tuple[Event, ...]) -> None:
        """One event after the other; some of them wake the loop."""
        for kind, number in events:
            self.world.say(f"{kind} {number}")
            rest, poke = divmod(number, 16)
            if kind == "crash":
                await self.crash()
            elif kind in GO_ON:
                await asyncio.sleep(GO_ON[kind][rest % len(GO_ON[kind])])
            elif kind not in OWN_PASS:
                self.history.cause(kind, rest)
            if poke % 2:
                self.loop.poke()
            await asyncio.sleep(0)
            if self.broken:
                raise self.broken[0]

    async def rest(self) -> Decision:
        """Faults are over; go on until nothing is to be done."""
        world = self.world
        world.probed, world.journal_fails, world.disk_free = True, False, DISK
        self.history.cause("well", 0)
        for _ in range(ROUNDS):
            decision = await self.loop.fresh()
            if self.broken:
                raise self.broken[0]
            busy = [uid for uid, r in world.pool.residents.items() if r.in_flight]
            for uid in busy:
                world.release(uid)
            wake, until = decision.wake_at, decision.picture.effective.until
            idle = not (busy or world.running or world.waiting or decision.start)
            due = [r.retry_at for r in decision.remembered.failures.values() if r.retry_at]
            late = any(each > world.at for each in due)
            if idle and decision.picture.plan.empty and not late and wake in (None, until):
                return decision
            ahead = (wake - world.at).total_seconds() if wake is not None else 20.0
            await asyncio.sleep(max(0.0, min(ahead, 600.0)) + 0.001)
        raise AssertionError(f"no rest after {ROUNDS} rounds")

    # --- what the loop looks at ----------------------------------------------------------------

    def now(self) -> datetime:
        return self.world.at

    def monotonic(self) -> float:
        return self.world.lived

    def view(self) -> ConfigView:
        return self.world.config

    async def observe(self, wanted: frozenset[ArtifactRef] | None = None) -> object:
        await asyncio.sleep(0)
        if wanted is None:
            return self.world.host()
        found: Mapping[ArtifactRef, DiskState] = {
            ref: look(self.world.disk, ref) for ref in sorted(wanted, key=str)
        }
        return found

    def credentials(self) -> str:
        return self.world.credentials

    def snapshot(self) -> tuple[InstanceView, ...]:
        return self.world.pool.view(self.world.at)

    def demands(self) -> Mapping[ModelKey, Demand]:
        return self.world.demands()

    # --- what it tells -------------------------------------------------------------------------

    def publish(self, routes: Routes) -> None:
        self.world.routes = routes
        self.world.serve()

    def forget(self, uid: InstanceUid) -> None:
        self.world.pool.forget(uid)

    def want_spare(self, wanted: bool) -> None:
        """There is none here."""

    def emit(self, event: Told) -> None:
        self.told.append(event)

    async def save_epoch(self, epoch: int, fingerprint: str) -> None:
        await self._save(epoch=epoch, fingerprint=fingerprint)

    async def save_ledger(self, ledger: object) -> None:
        await self._save(ledger=ledger)

    async def save_failures(self, failures: object) -> None:
        await self._save(failures=failures)

    async def save_drifts(self, drifts: object) -> None:
        await self._save(drifts=drifts)

    async def save_proven(self, proven: object) -> None:
        await self._save(proven=proven)

    async def save_tombstones(self, tombstones: object) -> None:
        await self._save(tombstones=tombstones)

    async def _save(self, **parts: object) -> None:
        await asyncio.sleep(0)
        if self.world.journal_fails:
            self.world.journal_fails = False
            raise OSError("the journal cannot be written")
        self.world.saved = replace(self.world.saved, **parts)  # type: ignore[arg-type]

    # --- what it does --------------------------------------------------------------------------

    async def download(self, action: Download) -> None:
        await self._carry(action)

    async def verify(self, action: Verify) -> None:
        await self._carry(action)

    async def delete(self, action: Delete) -> None:
        await self._carry(action)

    async def load(self, action: Load) -> None:
        await self._carry(action)

    async def drain(self, action: Drain) -> None:
        await self._carry(action)

    async def unload(self, action: Unload) -> None:
        await self._carry(action)

    def promote(self, action: Promote) -> None:
        with self.noted():
            self.world.running[action.key] = Effect(action)
            self.world.end(action.key)
        self._outcome(action)

    async def _carry(self, action: Action) -> None:
        """An effect in the world, which begins and ends when time has passed."""
        world, effect = self.world, Effect(action)
        with self.noted():
            assert action.key not in world.running, f"{action.key} is started twice"
            world.running[action.key] = effect
            world.history.append(action.key)
            try:
                await asyncio.sleep(self._rng.choice(BEGINS))
                if world.running.get(action.key) is effect:
                    world.begin(action.key)
                await asyncio.sleep(self._rng.choice(TAKES))
                while self._lasts(effect):  # noqa: ASYNC110 - the world tells nobody of its ends
                    await asyncio.sleep(1.0)
            except asyncio.CancelledError:
                if world.running.get(action.key) is effect:
                    effect.cancelled = True
                    world.end(action.key)
                self._outcome(action)
                raise
            if world.running.get(action.key) is effect:
                world.end(action.key)
        self._outcome(action)

    def _lasts(self, effect: Effect) -> bool:
        key = effect.action.key
        return self.world.running.get(key) is effect and not self.world.can_end(key)

    def _outcome(self, action: Action) -> None:
        """How it ended, as an adapter says it."""
        ended = next(each for each in self.world.outcomes if each.action is action)
        self.world.outcomes.remove(ended)
        if ended.error is not None:
            error = ended.error
            raise ActionError(
                error.reason,
                error.message,
                terminal=error.terminal,
                retry_after_s=error.retry_after_s,
            )


def live(seed: int, trace: list[str] | None = None) -> Simulated:
    """Play a seed through the loop; AssertionError at the first broken rule."""
    replay = Replay.of(seed)
    history = History(replay.scene, trace)
    world = history.world

    async def life() -> Decision:
        each = Live(history, random.Random(f"live {seed}"))
        await each.begin()
        try:
            await each.play(replay.events)
            return await each.rest()
        finally:
            await each.end()

    loop = VirtualLoop(world.sleep)
    try:
        decision = loop.run_until_complete(life())
    finally:
        loop.close()
    world.clocks = None
    at_rest(world, decision)
    same_as_fresh(world, replay.scene)
    return world
