"""The owner of instances: of `model -> the instance that answers`, of claims and of drains.

The reconciler's loop loads, promotes, drains and unloads through the port `Instances`; the gate
claims. Nothing here decides what should run, and nothing outside changes what does. All of it
happens on the event loop, so a method without an await is one step for everybody else.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from lmxd.serving.canary import ask
from lmxd.serving.claims import Claim, Holder
from lmxd.serving.instance import Instance
from lmxd.supervisor.supervisor import Supervisor
from reconciler.actions import Drain, Load, Promote, Unload
from reconciler.drift import UNLOADED_EXTERNALLY
from reconciler.state import InstancePhase, InstanceUid, InstanceView, ModelKey
from schemas.errors import Code
from schemas.inference import Request

__all__ = ["Audience", "Pool"]

log = logging.getLogger(__name__)

_UNLOADABLE = (InstancePhase.READY, InstancePhase.DRAINED, InstancePhase.STOPPING)


class Audience(Protocol):
    """Who gives requests to the pool and wants to know when to look again."""

    def moved(self) -> None:
        """Another instance, or none, answers for some model."""

    def room(self, key: ModelKey) -> None:
        """A place on a model's instance may be free."""


class Pool:
    """Implements the reconciler's port `Instances`.

    changed: pokes the reconciler's loop; cheap, and may be called often. clock: monotonic seconds.
    """

    def __init__(
        self, supervisor: Supervisor, changed: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self._supervisor = supervisor
        self._changed = changed
        self._clock = clock
        self._instances: dict[InstanceUid, Instance] = {}
        self._current: dict[ModelKey, Instance] = {}
        self._audience: Audience | None = None

    def attend(self, audience: Audience) -> None:
        """Tell `audience` from now on; there is one."""
        self._audience = audience

    # --- for the gate -------------------------------------------------------------------------

    def resident(self, key: ModelKey) -> bool:
        """Whether an instance answers for the model."""
        instance = self._current.get(key)
        return instance is not None and instance.serving

    def can(self, key: ModelKey, capability: str) -> bool:
        """Whether the instance that answers for the model said it could, when it was loaded."""
        instance = self._current.get(key)
        loaded = None if instance is None else instance.loaded
        return loaded is not None and capability in loaded.capabilities

    def room(self, key: ModelKey, at_most: int) -> bool:
        """Whether a claim is possible now with at most `at_most` in flight on one instance."""
        instance = self._current.get(key)
        return instance is not None and instance.room(at_most)

    def claim(self, key: ModelKey, request: Request, holder: Holder) -> Claim:
        """Hold the model's instance for a request; `room` must have said yes, with no await since.

        Raises RequestError when the request cannot be sent to a worker.
        """
        return self._current[key].claim(request, holder)

    def release(self, claim: Claim) -> None:
        """Cancel at the next token. Nothing happens when the claim has ended."""
        instance = self._instances.get(claim.uid)
        if instance is not None:
            instance.let_go(claim)

    def cancel(self, claim: Claim) -> None:
        """End the request at the next token; its holder hears of it, as of any other end."""
        instance = self._instances.get(claim.uid)
        if instance is not None:
            instance.cancel(claim)

    def in_flight(self, key: ModelKey) -> int:
        """Claims held on all instances of a model."""
        return sum(i.in_flight for i in self._instances.values() if i.key == key)

    # --- port Instances -----------------------------------------------------------------------

    def snapshot(self) -> tuple[InstanceView, ...]:
        """All instances, dead ones included until forgotten."""
        return tuple(instance.view() for instance in self._instances.values())

    async def load(self, action: Load) -> None:
        """Start a worker, load, and ask the canary; the instance is then READY. Raises ActionError.

        When it fails or is cancelled, the worker is gone before this ends, and so is the instance.
        """
        if action.uid in self._instances:
            return
        instance = Instance(action, self._clock, self._room)
        self._instances[action.uid] = instance
        try:
            worker = await self._supervisor.take()
            worker.ended.add_done_callback(lambda _: self._ended(instance))
            await instance.load(worker)
            if action.canary is not None:
                await ask(instance, action.canary)
        except BaseException:
            await asyncio.shield(self._stop(instance))
            raise
        if instance.phase is InstancePhase.LOADING:  # not being ended meanwhile
            instance.phase = InstancePhase.READY
        log.info("instance loaded", extra={"uid": action.uid, "model": action.model})

    def promote(self, action: Promote) -> None:
        """From now on `uid` answers for its model; the one before keeps its claims."""
        instance = self._instances.get(action.uid)
        if instance is None or not instance.serving:
            return
        if instance.phase in (InstancePhase.READY, InstancePhase.DRAINED):
            self._put_current(instance)
            log.info("instance promoted", extra={"uid": action.uid, "model": action.model})

    async def drain(self, action: Drain) -> None:
        """No new claims; returns when the running ones ended or the deadline ended them."""
        instance = self._instances.get(action.uid)
        if instance is None or instance.phase not in (InstancePhase.READY, InstancePhase.CURRENT):
            return
        log.info("drain begins", extra={"uid": action.uid, "why": action.why})
        instance.phase = InstancePhase.DRAINING
        instance.drain_until = self._clock() + action.deadline_s
        self._clear_current(instance)
        try:
            await self._until_unheld(instance, action.deadline_s)
        except asyncio.CancelledError:
            self._revive(instance)
            raise
        ended = instance.end_rest(
            Code.MODEL_DRAINING, f"{instance.key} is being unloaded: {action.why}"
        )
        instance.drain_until = None
        if instance.phase is InstancePhase.DRAINING:
            instance.phase = InstancePhase.DRAINED
        log.info("drain ended", extra={"uid": action.uid, "cut_off": ended})

    async def unload(self, action: Unload) -> None:
        """Ends the worker of an instance that takes no requests; returns when it is gone.

        Once begun it goes on to the end, also when this call is cancelled.
        """
        instance = self._instances.get(action.uid)
        if instance is None:
            return
        if instance.phase is InstancePhase.DEAD:
            self.forget(action.uid)
        elif instance.phase in _UNLOADABLE and not instance.in_flight:
            await asyncio.shield(self._stop(instance))

    def forget(self, uid: InstanceUid) -> None:
        """Drop a dead instance from the snapshot."""
        instance = self._instances.get(uid)
        if instance is not None and instance.phase is InstancePhase.DEAD:
            del self._instances[uid]

    def want_spare(self, wanted: bool) -> None:
        """Keep, or give up, one spare worker."""
        self._supervisor.want_spare(wanted)

    def end_requests(self) -> None:
        """Fail and cancel all requests that run: the daemon is shutting down."""
        for instance in self._instances.values():
            instance.end_rest(Code.SHUTTING_DOWN, "the daemon is shutting down")

    async def close(self, grace_s: float = 0.0) -> None:
        """End everything: running requests may finish for `grace_s` seconds, then all workers go.

        The loop and its actions, and the gate, must have been closed before.
        """
        instances = tuple(self._instances.values())
        if instances:
            waits = [asyncio.ensure_future(instance.unheld.wait()) for instance in instances]
            _, late = await asyncio.wait(waits, timeout=grace_s)
            for wait in late:
                wait.cancel()
        for instance in instances:
            self._clear_current(instance)
        self.end_requests()
        await asyncio.gather(*(self._stop(instance) for instance in instances))
        await self._supervisor.close()

    # --- inside -------------------------------------------------------------------------------

    def _put_current(self, instance: Instance) -> None:
        before = self._current.get(instance.key)
        if before is not None:
            before.phase = InstancePhase.READY
        instance.phase = InstancePhase.CURRENT
        self._current[instance.key] = instance
        self._moved()

    def _clear_current(self, instance: Instance) -> None:
        if self._current.get(instance.key) is instance:
            del self._current[instance.key]
            self._moved()

    def _revive(self, instance: Instance) -> None:
        """A drain was called off."""
        instance.drain_until = None
        if instance.phase is not InstancePhase.DRAINING:
            return
        instance.phase = InstancePhase.READY
        if instance.key not in self._current and instance.serving:
            self._put_current(instance)

    async def _until_unheld(self, instance: Instance, seconds: float) -> None:
        try:
            async with asyncio.timeout(None if seconds == float("inf") else seconds):
                await instance.unheld.wait()
        except TimeoutError:
            return

    def _stop(self, instance: Instance) -> asyncio.Task[None]:
        """The one task that ends an instance; it runs to its end whoever waits for it."""
        if instance.stopping is None:
            instance.phase = InstancePhase.STOPPING
            name = f"stop-{instance.uid}"
            instance.stopping = asyncio.create_task(self._end(instance), name=name)
        return instance.stopping

    async def _end(self, instance: Instance) -> None:
        if instance.worker is not None:
            await instance.worker.stop()
        self._instances.pop(instance.uid, None)
        log.info("instance gone", extra={"uid": instance.uid, "model": instance.key})
        self._changed()

    def _ended(self, instance: Instance) -> None:
        """A worker is gone. The phase tells what that means:

        1 loading or stopping: whoever loads or stops it deals with it; 2 draining or drained:
        that is an unload that came by itself; 3 else it is dead, with a report for the loop.
        """
        holders = instance.abandon()
        if instance.phase in (InstancePhase.DRAINING, InstancePhase.DRAINED):  # 2
            self._instances.pop(instance.uid, None)
        elif instance.phase in (InstancePhase.READY, InstancePhase.CURRENT):  # 3
            self._die(instance, idle=not holders)
        for holder in reversed(holders):  # the oldest last: it is then the first in line again
            holder.orphaned(f"the worker of {instance.key} died")
        self._moved()
        self._changed()

    def _die(self, instance: Instance, *, idle: bool) -> None:
        report = instance.worker.ended.result() if instance.worker else None
        if self._current.get(instance.key) is instance:
            del self._current[instance.key]
        if report is None:  # ended with the whole supervisor
            self._instances.pop(instance.uid, None)
            return
        if report.killed and idle:  # under a request, a lack of memory is more likely
            report = replace(report, reason=UNLOADED_EXTERNALLY)
        instance.phase = InstancePhase.DEAD
        instance.exit = report
        log.warning(
            "instance died",
            extra={"uid": instance.uid, "model": instance.key, "reason": report.reason},
        )

    def _moved(self) -> None:
        if self._audience is not None:
            self._audience.moved()

    def _room(self, key: ModelKey) -> None:
        if self._audience is not None:
            self._audience.room(key)
