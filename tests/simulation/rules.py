"""What holds at every step of a fake world, whatever its documents are.

`Rules` watches a world (`World.watch`): it is told every decision before it is carried out, and
raises AssertionError at the first one that breaks a rule. Numbers in the docstrings are those of
the invariants in the list of `tests.simulation.invariants`.
"""

from __future__ import annotations

from dataclasses import replace

from reconciler.actions import Delete, Download, Load, MemoryLane, Outcome, Unload
from reconciler.budget import VECTORS
from reconciler.conditions import instant
from reconciler.drift import FILES, LOADED
from reconciler.loop.core import Decision
from reconciler.report import About, Reported, report
from reconciler.state import (
    ArtifactRef,
    DiskPhase,
    DiskState,
    Effective,
    InstancePhase,
    Live,
    ModelKey,
)
from schemas.status import DAEMON_CONDITIONS, MODEL_CONDITIONS, Condition, DaemonStatus
from tests.reconciler.pool import Resident
from tests.reconciler.world import World
from tests.simulation.attempts import Attempts
from tests.simulation.removals import Removals

ANEW = 16
"""At one pass of so many the whole status is told anew and compared."""


class Rules:
    """The rules of one world, over all its restarts."""

    def __init__(self) -> None:
        self._generation = 0
        self._epoch = 0
        self._published = 0
        self._held: Effective | None = None
        self._before: DaemonStatus | None = None
        self._attempts = Attempts()
        self._removals = Removals()
        self.retry: frozenset[ModelKey] = frozenset()
        self._uids: set[str] = set()
        self._total: int | None = None
        self._over = 0
        self._looks = 0

    def restarted(self) -> None:
        """The status starts anew; what is remembered does not."""
        self._before = None
        self._epoch = self._published
        self._held = None
        self._attempts = Attempts()
        self._uids.clear()

    def __call__(self, world: World, decision: Decision, outcomes: tuple[Outcome, ...]) -> None:
        """Check one decision."""
        self._published = world.routes.epoch if world.routes else self._published
        self._numbers(decision)
        self._told_anew(decision)
        self._conditions(decision.status, instant(decision.picture.observed.at))
        self._budget(world, decision)
        self._lane(world, decision)
        self._places(world, decision)
        self._routes(world, decision)
        self._attempts.check(world, decision, outcomes, self.retry)
        self._left(decision)
        self._removals.look(decision)
        for action in decision.start:
            if isinstance(action, Load):
                self._loads_verified(decision, action)
                self._asks(decision, action)
            elif isinstance(action, Unload):
                self._unloads_free(world, action)
            elif isinstance(action, Delete):
                self._deletes_ours(decision, action)

    def _numbers(self, decision: Decision) -> None:
        """6: generation and epoch never go back, and every condition was made for these."""
        status = decision.status
        assert status.generation >= self._generation
        assert status.epoch >= self._epoch
        before, self._held = self._held, decision.picture.effective
        if before is not None and before is not self._held:
            same = replace(before, generation=self._held.generation) == self._held
            assert same or status.epoch > self._epoch, "another state holds in the same epoch"
        self._generation, self._epoch = status.generation, status.epoch
        now = (status.generation, status.epoch)
        for conditions in (status.conditions, *(m.conditions for m in status.models)):
            for each in conditions:
                assert (each.observed_generation, each.observed_epoch) == now, each

    def _conditions(self, status: DaemonStatus, now: str) -> None:
        """7: every type once, in order; a transition time moves if and only if the status does."""
        assert tuple([c.type for c in status.conditions]) == DAEMON_CONDITIONS
        before, self._before = self._before, status
        models = {model.key: model for model in before.models} if before else {}
        _moved(before.conditions if before else (), status.conditions, now)
        for model in status.models:
            earlier = models.get(model.key)
            if earlier is model:
                continue
            assert tuple([c.type for c in model.conditions]) == MODEL_CONDITIONS
            _moved(earlier.conditions if earlier else (), model.conditions, now)

    def _told_anew(self, decision: Decision) -> None:
        """7: what is said of a model of which all is as before is what would be said anew."""
        self._looks += 1
        if self._looks % ANEW:
            return
        status, before = decision.status, self._before
        about = About(status.version, status.state_id, status.tzdata)
        told = report(decision.picture, Reported(before) if before else None, about)
        assert told.status == status, "the status is not that of this pass"

    def _budget(self, world: World, decision: Decision) -> None:
        """1: a load never takes memory that is not there. Only a load that turns out larger, or a
        smaller budget, brings the sum above it, and then nothing is loaded.
        """
        total = self._total = decision.picture.plan.budget
        loads = [a for a in decision.start if isinstance(a, Load)]
        if total is None:
            assert not loads
            return
        taken = held(world)
        if loads:
            assert taken + _on_the_way(world) + loads[0].reserve <= total, (
                "a load breaks the budget"
            )

    def meter(self, world: World) -> None:
        """1: between passes, what instances may take grows beyond the budget only by a load that
        turns out larger than anybody knew. Files of others stay.
        """
        total = self._total
        over = held(world) + _on_the_way(world)
        if total is not None and over > total and over > self._over:
            surprises = [u for u, r in world.pool.residents.items() if _surprise(r)]
            assert surprises, f"{over} of {total} bytes are taken"
        self._over = over

    def _places(self, world: World, decision: Decision) -> None:
        """1: a load never makes more instances than `limits.loaded`, nor a second one of a group,
        counting what is still on its way out.
        """
        effective = decision.picture.effective
        started = [e.action for e in world.running.values() if isinstance(e.action, Load)]
        there = {r.action.uid: r.action.model for r in alive(world)}
        there.update({a.uid: a.model for a in started})
        groups = {m.key: m.group for m in effective.models if m.group is not None}
        for load in (a for a in decision.start if isinstance(a, Load)):
            assert effective.loaded is None or len(there) < effective.loaded, "too many instances"
            group = groups.get(load.model)
            rivals = {k for k in there.values() if k != load.model and groups.get(k) == group}
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

    def _asks(self, decision: Decision, action: Load) -> None:
        """A load asks the canary of the document, but not of what has answered before, or says
        nothing.
        """
        model = decision.picture.effective.model(action.model)
        assert model is not None
        silent = action.previous or action.spec.task in VECTORS
        assert action.canary == (None if silent else model.canary), action

    def _loads_verified(self, decision: Decision, action: Load) -> None:
        """4: only verified files of that revision are loaded."""
        source, revision = action.spec.artifact.source, action.spec.revision
        assert any(
            ref.source == source and (disk.phase, disk.revision) == (DiskPhase.VERIFIED, revision)
            for ref, disk in decision.picture.observed.disk.items()
        ), action
        assert action.uid not in self._uids, f"{action.uid} is a number given twice"
        self._uids.add(action.uid)

    def _unloads_free(self, world: World, action: Unload) -> None:
        """2: nothing is unloaded under a request."""
        resident = world.pool.residents.get(action.uid)
        assert resident is None or resident.in_flight == 0, action

    def _deletes_ours(self, decision: Decision, action: Delete) -> None:
        """3: only files that lmxd brought, that nobody wants and nobody uses."""
        self._removals.check(decision, action)
        seen = decision.picture.observed
        disk = seen.disk[action.artifact]
        assert disk.ours > 0
        accepted = decision.picture.config.accepted
        assert accepted is not None
        document = accepted.document
        for key in document.models:
            model = document.resolved(key)
            source, _ = model.artifact
            other = seen.disk.get(ArtifactRef(*model.artifact), DiskState())
            if source == action.artifact.source and other.revision in (None, disk.revision):
                now = decision.picture.effective.model(ModelKey(key))
                assert now is not None
                assert now.state == "absent", f"{key} wants what is deleted"
                assert not model.suspend, f"{key} is suspended"
        for instance in seen.instances:
            same = (instance.artifact.source, instance.revision) == (
                action.artifact.source,
                action.revision,
            )
            assert not same or instance.phase is InstancePhase.DEAD, f"{instance.uid} uses it"


def alive(world: World) -> list[Resident]:
    """The instances that take memory."""
    return [r for r in world.pool.residents.values() if r.phase is not InstancePhase.DEAD]


def held(world: World) -> int:
    """Bytes that instances take: what they reserved, later what they are and may still grow to."""
    return sum(
        r.action.reserve if r.measured is None else r.measured + r.action.spec.kv_bytes
        for r in alive(world)
    )


def _on_the_way(world: World) -> int:
    """Bytes of loads that are started and cannot be seen yet."""
    return sum(
        e.action.reserve
        for e in world.running.values()
        if isinstance(e.action, Load) and not e.begun and not e.cancelled
    )


def _moved(before: tuple[Condition, ...], after: tuple[Condition, ...], now: str) -> None:
    for was, condition in zip(before, after, strict=False):
        if was is condition:
            continue
        same = was.status == condition.status
        since = was.last_transition_time if same else now
        assert condition.last_transition_time == since, condition


def _surprise(resident: Resident) -> bool:
    """It is larger than was reserved for it."""
    return resident.measured is not None and (
        resident.measured + resident.action.spec.kv_bytes > resident.action.reserve
    )
