"""What holds at every step of the fake world, and what holds once it is at rest.

`Rules` watches a world (`World.watch`): it is told every decision before it is carried out, and
raises AssertionError at the first one that breaks a rule. Numbers in the docstrings are those of
the invariants in the design's list.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from reconciler.actions import Delete, Download, Load, MemoryLane, Outcome, Unload
from reconciler.conditions import instant
from reconciler.drift import FILES, LOADED
from reconciler.loop.core import Decision
from reconciler.state import (
    ArtifactRef,
    DiskPhase,
    DiskState,
    Effective,
    InstancePhase,
    Live,
    ModelKey,
    ModelState,
)
from schemas.status import DAEMON_CONDITIONS, MODEL_CONDITIONS, Condition, DaemonStatus
from tests.reconciler.pool import Resident
from tests.reconciler.world import World

GOOD_REASONS = {"WithinBudget", "EstimateUnknown"}


class Rules:
    """The rules of one world, over all its restarts."""

    def __init__(self) -> None:
        self._generation = 0
        self._epoch = 0
        self._before: DaemonStatus | None = None
        self._tried: dict[str, object] = {}
        self._begun: dict[str, dict[str, object]] = {}
        self._uids: set[str] = set()
        self._starts: Counter[tuple[str, datetime]] = Counter()

    def restarted(self) -> None:
        """The status starts anew; what is remembered does not."""
        self._before = None
        self._uids.clear()

    def __call__(self, world: World, decision: Decision, outcomes: tuple[Outcome, ...]) -> None:
        """Check one decision."""
        self._numbers(decision)
        self._conditions(decision.status, instant(world.at))
        self._budget(world, decision)
        self._lane(world, decision)
        self._places(world, decision)
        self._routes(world, decision)
        self._once(world, decision, outcomes)
        self._rate(world, decision)
        self._left(decision)
        for action in decision.start:
            if isinstance(action, Load):
                self._loads_verified(world, action)
            elif isinstance(action, Unload):
                self._unloads_free(world, action)
            elif isinstance(action, Delete):
                self._deletes_ours(world, decision, action)

    def _numbers(self, decision: Decision) -> None:
        """6: generation and epoch never go back, and nothing is observed that is not there."""
        status = decision.status
        assert status.generation >= self._generation
        assert status.epoch >= self._epoch
        self._generation, self._epoch = status.generation, status.epoch
        now = (status.generation, status.epoch)
        for conditions in (status.conditions, *(m.conditions for m in status.models)):
            assert all((c.observed_generation, c.observed_epoch) == now for c in conditions)

    def _conditions(self, status: DaemonStatus, now: str) -> None:
        """7: every type once, in order; a transition time moves if and only if the status does."""
        assert tuple(c.type for c in status.conditions) == DAEMON_CONDITIONS
        before = self._before
        models = {model.key: model for model in before.models} if before else {}
        _moved(before.conditions if before else (), status.conditions, now)
        for model in status.models:
            assert tuple(c.type for c in model.conditions) == MODEL_CONDITIONS
            earlier = models.get(model.key)
            _moved(earlier.conditions if earlier else (), model.conditions, now)
        self._before = status

    def _budget(self, world: World, decision: Decision) -> None:
        """1: a load never takes memory that is not there. Only a load that turns out larger, or a
        smaller budget, brings the sum above it, and then nothing is loaded.
        """
        total = decision.picture.plan.budget
        loads = [a for a in decision.start if isinstance(a, Load)]
        if total is None:
            assert not loads
            return
        held = _held(world)
        unseen = sum(
            e.action.reserve
            for e in world.running.values()
            if isinstance(e.action, Load) and e.action.uid not in world.pool.residents
        )
        if loads:
            assert held + unseen + loads[0].reserve <= total, "a load breaks the budget"

    def _places(self, world: World, decision: Decision) -> None:
        """1: a load never makes more instances than `limits.loaded`, nor a second one of a group,
        counting what is still on its way out.
        """
        effective = decision.picture.effective
        started = [e.action for e in world.running.values() if isinstance(e.action, Load)]
        alive = {r.action.uid: r.action.model for r in _alive(world)}
        alive.update({a.uid: a.model for a in started})
        groups = {m.key: m.group for m in effective.models if m.group is not None}
        for load in (a for a in decision.start if isinstance(a, Load)):
            assert effective.loaded is None or len(alive) < effective.loaded, "too many instances"
            group = groups.get(load.model)
            rivals = {k for k in alive.values() if k != load.model and groups.get(k) == group}
            assert group is None or not rivals, f"{load.model} is loaded beside {rivals}"

    def _lane(self, world: World, decision: Decision) -> None:
        """10: one load, promotion or unload at a time."""
        lane = [e.action for e in world.running.values() if isinstance(e.action, MemoryLane)]
        lane += [a for a in decision.start if isinstance(a, MemoryLane)]
        assert len(lane) <= 1, f"the memory lane is not serial: {lane}"

    def _routes(self, world: World, decision: Decision) -> None:
        """8: a target is ready only while an instance answers; names lead to known targets."""
        routes = decision.routes
        for key, target in routes.targets.items():
            if target.live is Live.READY:
                assert key in world.pool.current, f"{key} is not current"
        for keys in routes.names.values():
            assert set(keys) <= routes.targets.keys()

    def _once(self, world: World, decision: Decision, outcomes: tuple[Outcome, ...]) -> None:
        """27: what failed for good is not tried again while nothing has changed."""
        keys = set() if world.config.accepted is None else world.config.accepted.document.models
        self._tried = {s: f for s, f in self._tried.items() if s.partition(" ")[2] in keys}
        total = decision.picture.plan.budget
        for outcome in outcomes:
            if outcome.error is not None and outcome.error.terminal:
                self._tried.update(self._begun[outcome.action.key])
        for action in decision.start:
            facts = dict(_facts(action, total, world.credentials))
            for subject, fact in facts.items():
                assert self._tried.pop(subject, None) != fact, f"{subject} is tried again"
            self._begun[action.key] = facts

    def _left(self, decision: Decision) -> None:
        """What was taken away outside comes back only where the document has it put right."""
        picture = decision.picture
        if picture.effective.upkeep.drift == "enforce":
            return
        lost = {(k, d.path) for k, drifts in picture.known.drifts.items() for d in drifts}
        for action in decision.start:
            if isinstance(action, Load):
                assert (action.model, LOADED) not in lost, f"{action.key} undoes what is left"
            if isinstance(action, Download):
                users = {m.key for m in picture.effective.models if m.artifact == action.artifact}
                assert not all((k, FILES) in lost for k in users), f"{action.key} undoes it"

    def _rate(self, world: World, decision: Decision) -> None:
        """27: no busy loop: nothing is started over and over at one instant, and the
        next look is never at once.
        """
        assert decision.wake_at is None or decision.wake_at > world.at
        for action in decision.start:
            if not isinstance(action, Load | Download):
                continue
            subject = action.model if isinstance(action, Load) else str(action.artifact)
            self._starts[type(action).__name__ + subject, world.at] += 1
            assert self._starts[type(action).__name__ + subject, world.at] <= 12, subject

    def _loads_verified(self, world: World, action: Load) -> None:
        """4: only verified files of that revision are loaded."""
        source, revision = action.spec.artifact.source, action.spec.revision
        assert any(
            ref.source == source and (disk.phase, disk.revision) == (DiskPhase.VERIFIED, revision)
            for ref, disk in world.disk.items()
        ), action
        assert action.uid not in self._uids, f"{action.uid} is a number given twice"
        self._uids.add(action.uid)

    def _unloads_free(self, world: World, action: Unload) -> None:
        """2: nothing is unloaded under a request."""
        resident = world.pool.residents.get(action.uid)
        assert resident is None or resident.in_flight == 0, action

    def _deletes_ours(self, world: World, decision: Decision, action: Delete) -> None:
        """3: only files that lmxd brought, that nobody wants and nobody uses."""
        disk = world.disk[action.artifact]
        assert disk.ours > 0
        assert world.config.accepted is not None
        document = world.config.accepted.document
        for key in document.models:
            model = document.resolved(key)
            source, _ = model.artifact
            other = world.disk.get(ArtifactRef(*model.artifact), DiskState())
            if source == action.artifact.source and other.revision in (None, disk.revision):
                now = decision.picture.effective.model(ModelKey(key))
                assert now is not None
                assert now.state == "absent", f"{key} wants what is deleted"
                assert not model.suspend, f"{key} is suspended"
        for resident in world.pool.residents.values():
            spec = resident.action.spec
            same = (spec.artifact.source, spec.revision) == (
                action.artifact.source,
                action.revision,
            )
            assert not same or resident.phase is InstancePhase.DEAD


def at_rest(world: World, decision: Decision) -> None:
    """20, 21: nothing is left to do, every gap has a reason, and looking again changes nothing."""
    picture = decision.picture
    assert picture.plan.empty, picture.plan
    effective = picture.effective
    if not effective.suspended and not any(model.suspended for model in effective.models):
        assert _held(world) <= (picture.plan.budget or 0)
        _at_most_as_many(world, effective)
    for model in decision.status.models:
        ready = _condition(model.conditions, "Ready")
        verdict = next(v for k, v in picture.plan.verdicts.items() if k == model.key)
        if verdict.wanted and ready.status != "True":
            told = _condition(model.conditions, "Admitted").status == "False"
            stalled = _condition(model.conditions, "Stalled").status == "True"
            assert told or stalled or effective.suspended, f"{model.key}: {ready}"
        if model.target.state == ModelState.DOWNLOADED and not stalled_or_ready(model.conditions):
            left = effective.upkeep.drift != "enforce" and model.drift
            assert effective.suspended or verdict.reason == "Suspended" or left, model
    again = world.step()
    assert again.start == ()
    assert again.cancel == ()
    assert again.status == decision.status
    assert again.routes == decision.routes


def _at_most_as_many(world: World, effective: Effective) -> None:
    """1: no more instances than `limits.loaded`, and at most one model of a group."""
    alive = [r.action.model for r in _alive(world)]
    assert effective.loaded is None or len(alive) <= effective.loaded, alive
    groups = [m.group for m in effective.models if m.group is not None and m.key in alive]
    assert len(groups) == len(set(groups)), f"two of one group are loaded: {alive}"


def _alive(world: World) -> list[Resident]:
    return [r for r in world.pool.residents.values() if r.phase is not InstancePhase.DEAD]


def _held(world: World) -> int:
    """Bytes that instances take: what they reserved, later what they are and may still grow to."""
    alive = _alive(world)
    return sum(
        r.action.reserve if r.measured is None else r.measured + r.action.spec.kv_bytes
        for r in alive
    )


def stalled_or_ready(conditions: tuple[Condition, ...]) -> bool:
    """Files are there, or somebody is told why not."""
    there = _condition(conditions, "Downloaded").status == "True"
    return there or _condition(conditions, "Stalled").status == "True"


def _condition(conditions: tuple[Condition, ...], kind: str) -> Condition:
    return next(c for c in conditions if c.type == kind)


def _moved(before: tuple[Condition, ...], after: tuple[Condition, ...], now: str) -> None:
    for was, condition in zip(before, after, strict=False):
        same = was.status == condition.status
        since = was.last_transition_time if same else now
        assert condition.last_transition_time == since, condition


def _facts(action: object, total: int | None, credentials: str) -> list[tuple[str, object]]:
    match action:
        case Download(artifact=artifact, limits=limits, models=models):
            return [(f"download {key}", (artifact, limits, credentials)) for key in models]
        case Load(model=model, spec=spec, previous=previous):
            subject = f"{'previous' if previous else 'load'} {model}"
            return [(subject, (spec.spec_hash, total))]
        case _:
            return []
