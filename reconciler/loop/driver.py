"""The driver of the loop: looks at everything, lets the core decide, acts through ports, waits.

It owns the tasks of running actions. A trigger only says "look again"; a pass that fails is
logged and tried again, and never stops the loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from dataclasses import dataclass
from datetime import datetime

from reconciler.actions import (
    Action,
    Delete,
    Download,
    Drain,
    Failure,
    Load,
    Outcome,
    Promote,
    Unload,
    Verify,
)
from reconciler.loop.core import Core, Decision, Seen
from reconciler.loop.memory import Remembered
from reconciler.ports import Clock, Documents, Events, Files, Host, Instances, Journal, Traffic
from reconciler.state import ModelKey, Observed
from schemas.errors import ActionError

log = logging.getLogger(__name__)

RESYNC_S = 20.0
"""Longest sleep: a monotonic clock may stand still while a machine sleeps."""
PAUSE_S = 1.0
"""After a pass that failed unexpectedly."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All that the loop touches."""

    clock: Clock
    documents: Documents
    files: Files
    instances: Instances
    traffic: Traffic
    host: Host
    journal: Journal
    events: Events


class Loop:
    """Runs until cancelled. `poke` makes it look again; `latest` is what it decided last."""

    def __init__(self, ports: Ports, core: Core, remembered: Remembered) -> None:
        self._ports = ports
        self._core = core
        self._saved = remembered
        self._poked = asyncio.Event()
        self._passed = asyncio.Condition()
        self._begun = 0
        self._ended = 0
        self._outcomes: list[Outcome] = []
        self._retries: set[ModelKey] = set()
        self._tasks: dict[str, asyncio.Task[Outcome]] = {}
        self._clocks = self._read_clocks()
        self.latest: Decision | None = None
        self.passed_at: float = ports.clock.monotonic()

    def poke(self) -> None:
        """Look again soon. Cheap, may be called from anywhere in the event loop."""
        self._poked.set()

    async def fresh(self) -> Decision:
        """The decision of a pass that began after this call; waits for as long as that takes. When
        that pass fails, the decision before it; RuntimeError when there is none.
        """
        wanted = self._begun + 1
        self.poke()
        async with self._passed:
            await self._passed.wait_for(lambda: self._ended >= wanted)
        if self.latest is None:
            raise RuntimeError("a pass ended without a decision")
        return self.latest

    async def following(self) -> Decision:
        """The decision of the next pass that ends; asks for none."""
        seen = self._ended
        async with self._passed:
            await self._passed.wait_for(lambda: self._ended > seen)
        if self.latest is None:
            raise RuntimeError("a pass ended without a decision")
        return self.latest

    def retry(self, key: ModelKey) -> None:
        """Forget with the next pass what failed about a model, so that it is tried at once."""
        self._retries.add(key)
        self.poke()

    async def run(self) -> None:
        """Pass after pass, until cancelled; running actions are cancelled with it."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._poked.clear()
                self._begun += 1
                try:
                    wait_s = await self._pass(group)
                except Exception:  # whatever went wrong, the next pass reads everything anew
                    log.exception("pass failed")
                    wait_s = PAUSE_S
                async with self._passed:
                    self._ended = self._begun
                    self._passed.notify_all()
                # Not wait_for: on 3.11 it swallows a cancellation that meets a poke.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._poked.wait()

    async def _pass(self, group: asyncio.TaskGroup) -> float:
        """Look, decide, remember, publish, act, tell. Returns how long to sleep, in seconds."""
        ports = self._ports
        config = ports.documents.view()
        # Outcomes are taken before the world is read, so that no outcome is newer than its effects.
        taken, retry = tuple(self._outcomes), frozenset(self._retries)
        at = ports.clock.now()
        observed = Observed(
            host=await ports.host.observe(),
            disk=await ports.files.observe(self._core.artifacts(config, at)),
            instances=ports.instances.snapshot(),
            demands=ports.traffic.demands(),
            at=at,
        )
        clocks = self._read_clocks()
        stepped_s = _stepped_s(self._clocks, clocks)
        decision = self._core.step(
            Seen(config, observed, ports.files.credentials(), taken, stepped_s, retry)
        )
        self._clocks = clocks
        del self._outcomes[: len(taken)]
        self._retries -= retry
        try:
            await self._remember(decision.remembered)
            self._act(decision, group)
            self.latest, self.passed_at = decision, ports.clock.monotonic()
        finally:  # the core takes for running what it told to start: tell it what was not started
            lost = [action for action in decision.start if action.key not in self._tasks]
            self._outcomes.extend(Outcome(action, cancelled=True) for action in lost)
            for event in decision.events:  # the core tells each of them once
                ports.events.emit(event)
        if decision.wake_at is None:
            return RESYNC_S
        return min(RESYNC_S, max(0.0, (decision.wake_at - observed.at).total_seconds()))

    def _read_clocks(self) -> tuple[datetime, float]:
        return self._ports.clock.now(), self._ports.clock.monotonic()

    async def _remember(self, now: Remembered) -> None:
        """Persist what changed, before any effect of it."""
        journal, before = self._ports.journal, self._saved
        if (now.epoch, now.fingerprint) != (before.epoch, before.fingerprint):
            log.info("epoch", extra={"epoch": now.epoch})
            await journal.save_epoch(now.epoch, now.fingerprint)
        if now.ledger is not before.ledger:
            await journal.save_ledger(now.ledger)
        if now.failures is not before.failures:
            await journal.save_failures(now.failures)
        if now.drifts is not before.drifts:
            await journal.save_drifts(now.drifts)
        if now.proven is not before.proven:
            await journal.save_proven(now.proven)
        if now.tombstones is not before.tombstones:
            await journal.save_tombstones(now.tombstones)
        self._saved = now

    def _act(self, decision: Decision, group: asyncio.TaskGroup) -> None:
        ports = self._ports
        for uid in decision.forget:
            ports.instances.forget(uid)
        ports.traffic.publish(decision.routes)
        for key in decision.cancel:
            task = self._tasks.get(key)
            if task is not None and not task.cancelling():  # twice would disturb its clean-up
                log.info("action cancelled", extra={"action": key})
                task.cancel()
        for action in decision.start:
            log.info("action started", extra={"action": action.key})
            task = group.create_task(self._carry_out(action), name=f"action {action.key}")
            self._tasks[action.key] = task
            task.add_done_callback(functools.partial(self._ended_with, action))
        ports.instances.want_spare(decision.spare)

    def _ended_with(self, action: Action, task: asyncio.Task[Outcome]) -> None:
        """A callback, as a task that is cancelled before its first step runs no `finally`."""
        del self._tasks[action.key]
        cancelled = task.cancelled() or task.exception() is not None
        self._outcomes.append(Outcome(action, cancelled=True) if cancelled else task.result())
        self.poke()

    async def _carry_out(self, action: Action) -> Outcome:
        """Do one action; how it ended. Only a cancellation goes further."""
        try:
            await self._do(action)
        except ActionError as error:
            facts = {"action": action.key, "reason": error.reason, "error": str(error)}
            log.warning("action failed", extra=facts)
            failure = Failure(error.reason, str(error), error.terminal, error.retry_after_s)
            return Outcome(action, failure)
        except Exception as error:  # one model's trouble never stops the others
            log.exception("action failed unexpectedly", extra={"action": action.key})
            message = f"{action.key} failed unexpectedly: {type(error).__name__}: {error}"
            return Outcome(action, Failure("InternalError", message))
        log.info("action done", extra={"action": action.key})
        return Outcome(action)

    async def _do(self, action: Action) -> None:
        ports = self._ports
        match action:
            case Download():
                await ports.files.download(action)
            case Verify():
                await ports.files.verify(action)
            case Delete():
                await ports.files.delete(action)
            case Load():
                await ports.instances.load(action)
            case Promote():
                ports.instances.promote(action)
            case Drain():
                await ports.instances.drain(action)
            case Unload():
                await ports.instances.unload(action)
            case _:
                raise TypeError(f"{action.key} is no effect of its own")


def _stepped_s(before: tuple[datetime, float], now: tuple[datetime, float]) -> float:
    """Seconds by which the wall clock went further than the monotonic one."""
    return (now[0] - before[0]).total_seconds() - (now[1] - before[1])
