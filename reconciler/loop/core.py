"""The core of the loop: a plain, synchronous `step(seen) -> Decision`, free of clocks and I/O.

Each step files what ended, resolves what holds, plans, and says which actions start now. It owns
the epoch, the ledger, the failures and the list of running actions; nobody else writes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler import routes as routing
from reconciler.actions import (
    Action,
    Delete,
    Download,
    Drain,
    Load,
    MemoryLane,
    Outcome,
    Plan,
    Promote,
    Publish,
    Unload,
    Verify,
)
from reconciler.backoff import blocks
from reconciler.budget import Ledger, budget
from reconciler.knowledge import Knowledge, download_subject, load_subject
from reconciler.loop.memory import Memory, Remembered
from reconciler.picture import Picture
from reconciler.plan import plan
from reconciler.report import report
from reconciler.resolve import fingerprint, resolve
from reconciler.state import (
    ConfigView,
    Effective,
    InstancePhase,
    InstanceUid,
    InstanceView,
    Observed,
    Routes,
)
from schemas.status import DaemonStatus

GLANCE = timedelta(seconds=1)
"""How soon to look again while something runs, so that progress can be seen."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one pass saw, and which actions ended since the last."""

    config: ConfigView
    observed: Observed
    credentials: str
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do after a pass: remember first, then publish, then act.

    cancel: keys of running actions. forget: dead instances that have been filed. wake_at: when to
    look again at the latest, None for the resync interval.
    """

    remembered: Remembered
    routes: Routes
    start: tuple[Action, ...]
    cancel: tuple[str, ...]
    forget: tuple[InstanceUid, ...]
    spare: bool
    wake_at: datetime | None
    picture: Picture
    status: DaemonStatus


class Core:
    """The single writer of plan, backoff, epoch and status."""

    def __init__(self, remembered: Remembered, version: str, state_id: str) -> None:
        self._memory = Memory(remembered, remembered.ledger)
        self._version = version
        self._state_id = state_id
        self._running: dict[str, Action] = {}
        self._routes = Routes()
        self._status: DaemonStatus | None = None

    def step(self, seen: Seen) -> Decision:
        """One pass over everything that was seen."""
        at, memory = seen.observed.at, self._memory
        effective = resolve(seen.config.accepted, seen.observed.demands)
        memory.enter(fingerprint(effective))
        total = budget(effective.memory, seen.observed.host)
        for outcome in seen.outcomes:
            self._running.pop(outcome.action.key, None)
            memory.finish(outcome, effective.disk, seen.credentials, total, at)
        dead = [i for i in seen.observed.instances if i.phase is InstancePhase.DEAD]
        for instance in dead:
            memory.died(instance, total, at)
        memory.measure(seen.observed.instances, at)
        observed = replace(seen.observed, instances=self._instances(seen.observed))
        decided = self._plan(effective, observed, seen.credentials, total)
        known = self._known(seen.credentials)
        self._routes = routing.build(memory.kept.epoch, effective, observed, decided, known)
        start = tuple(self._start(decided, effective, at))
        self._running.update({action.key: action for action in start})
        memory.forget({i.uid for i in observed.instances}, self._subjects(effective))
        picture = Picture(
            memory.kept.epoch, seen.config, effective, observed, decided,
            self._known(seen.credentials), dict(self._running),
        )  # fmt: skip
        self._status = report(picture, self._status, self._version, self._state_id)
        return Decision(
            remembered=memory.kept,
            routes=self._routes,
            start=start,
            cancel=tuple(c.action for c in decided.cancels if c.action in self._running),
            forget=tuple(i.uid for i in dead),
            spare=decided.spare,
            wake_at=self._wake(effective, observed),
            picture=picture,
            status=self._status,
        )

    def _known(self, credentials: str) -> Knowledge:
        memory = self._memory
        return Knowledge(
            memory.view, memory.kept.failures, credentials, self._routes, memory.serial
        )

    def _plan(
        self, effective: Effective, observed: Observed, credentials: str, total: int | None
    ) -> Plan:
        """The plan; when fresher measurements would break the budget, with those."""
        decided = plan(effective, observed, self._known(credentials), self._running)
        if total is None or self._memory.view is self._memory.kept.ledger:
            return decided
        if _by(self._memory.kept.ledger, decided) > total:
            self._memory.view = self._memory.kept.ledger
            return plan(effective, observed, self._known(credentials), self._running)
        return decided

    def _instances(self, observed: Observed) -> tuple[InstanceView, ...]:
        """What the pool shows, and loads that started but are not shown yet."""
        shown = {instance.uid for instance in observed.instances}
        missing = (
            InstanceView(
                uid=action.uid,
                key=action.model,
                spec_hash=action.spec.spec_hash,
                phase=InstancePhase.LOADING,
                reserved=action.reserve,
                artifact=action.spec.artifact,
                revision=action.spec.revision,
                kv_bytes=action.spec.kv_bytes,
                drain_s=action.drain_s,
            )
            for action in self._running.values()
            if isinstance(action, Load) and action.uid not in shown
        )
        return (*observed.instances, *missing)

    def _start(self, decided: Plan, effective: Effective, at: datetime) -> Iterator[Action]:
        """What may start now: transfers up to their number, one in the memory lane, all drains."""
        transfers = sum(isinstance(a, Download | Verify) for a in self._running.values())
        lane_free = not any(isinstance(a, MemoryLane) for a in self._running.values())
        for step in decided.steps:
            action = step.action
            if step.after or action.key in self._running or self._blocked(action, at):
                continue
            match action:
                case Download() | Verify() if transfers < effective.downloads:
                    transfers += 1
                    yield action
                case Drain() | Delete():
                    yield action
                case Load() if lane_free and self._fits(action, decided):
                    lane_free = False
                    self._memory.serial += 1
                    yield action
                case Promote() | Unload() if lane_free:
                    lane_free = False
                    yield action

    def _fits(self, load: Load, decided: Plan) -> bool:
        """The last check before memory is taken, whatever the order of the plan promised."""
        return decided.budget is not None and decided.memory_now + load.reserve <= decided.budget

    def _blocked(self, action: Action, at: datetime) -> bool:
        """Actions that are not judged in the plan wait out their own failures here."""
        return isinstance(action, Publish) or blocks(
            self._memory.kept.failures.get(action.key), action.key, at
        )

    def _subjects(self, effective: Effective) -> set[str]:
        """Subjects of failures that can still matter."""
        files = {download_subject(model.artifact) for model in effective.models}
        loads = {load_subject(model.key) for model in effective.models}
        return files | loads | {f"delete:{model.artifact}" for model in effective.models}

    def _wake(self, effective: Effective, observed: Observed) -> datetime | None:
        """The next instant at which time alone changes something."""
        at = observed.at
        retries = (r.retry_at for r in self._memory.kept.failures.values() if r.retry_at)
        moments = [moment for moment in retries if moment > at]
        if self._running:
            moments.append(at + GLANCE)
        for model in effective.models:
            demand = observed.demands.get(model.key)
            if model.demanded and demand and model.keep_alive_s < float("inf"):
                left = max(0.0, model.keep_alive_s - demand.quiet_s)
                moments.append(at + timedelta(seconds=left))
        return min(moments, default=None)


def _by(ledger: Ledger, decided: Plan) -> int:
    """What the admitted models take when these measurements are right."""
    total = 0
    for verdict in decided.verdicts.values():
        if verdict.admitted:
            measured = ledger.memory(verdict.spec.spec_hash) if verdict.spec else None
            total += verdict.need.total if measured is None else measured + verdict.need.kv_pool
    return total
