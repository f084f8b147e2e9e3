"""A small deterministic world: disk, hub, workers, requests and a clock, moved one event at a time.

`step` lets the core look and carries out what it decides, as the driver does; everything between
two steps is done to the world by a test or by `chaos`. An action is two events: it begins (its
effect can be seen), and it ends (its outcome is told). Nothing here waits or draws lots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

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
from reconciler.state import (
    Accepted,
    ArtifactRef,
    ConfigView,
    Demand,
    Device,
    DiskPhase,
    DiskState,
    HostView,
    InstancePhase,
    InstanceUid,
    Live,
    ModelKey,
    Observed,
    Routes,
)
from schemas.desired import DesiredState
from tests.reconciler.disk import Repo, look
from tests.reconciler.pool import Pool

MIB = 1024**2
GIB = 1024**3
START = datetime(2026, 11, 20, 12, tzinfo=UTC)


@dataclass
class Effect:
    """A started action on its way."""

    action: Action
    begun: bool = False
    cancelled: bool = False
    begun_at: float = 0.0
    until: float | None = None


@dataclass
class World:
    """Everything the reconciler can see or touch. `repos` by source, without the scheme `hf:`."""

    repos: Mapping[str, Repo]
    memory: int = 16 * GIB
    probed: bool = True
    remembered: Remembered = field(default_factory=Remembered)
    at: datetime = START
    credentials: str = "token"
    foreign: frozenset[ArtifactRef] = frozenset()
    name: str = ""
    memory_free: int | None = None
    watch: Callable[[World, Decision, tuple[Outcome, ...]], None] | None = None

    def __post_init__(self) -> None:
        self.config = ConfigView("/doc.yaml", None, False, False, "NoLastGood", "no document yet")
        self.lived = 0.0
        self.disk: dict[ArtifactRef, DiskState] = {}
        self.generation = 0
        self.steps = 0
        self.history: list[str] = []
        self.retries: set[ModelKey] = set()
        self._boot()

    def _boot(self) -> None:
        self.core = self._core()
        self.pool = Pool()
        self.running: dict[str, Effect] = {}
        self.outcomes: list[Outcome] = []
        self.waiting: list[str] = []
        self.asked: dict[ModelKey, float] = {}
        self.decision: Decision | None = None
        self.routes: Routes | None = None

    def _core(self) -> Core:
        return Core(self.remembered, "0", "state", host=self.name)

    # --- what people and machines do to it -----------------------------------------------------

    def edit(self, document: Mapping[str, object]) -> None:
        """A valid edit of the file."""
        self.generation += 1
        parsed = DesiredState.model_validate({"version": 1, **document})
        accepted = Accepted(self.generation, str(self.generation), parsed, document, self.at)
        self.config = ConfigView("/doc.yaml", accepted, True, True, "Valid", "as in the file")

    def spoil(self) -> None:
        """An edit that is not valid: the last good one holds."""
        self.config = replace(
            self.config, valid=False, current=False, reason="InvalidYAML", message="line 1"
        )

    def restart(self) -> None:
        """The daemon is killed and started again: only disk, file and memories are left."""
        self._boot()

    def sleep(self, seconds: float) -> None:
        """Time passes, on both clocks."""
        self.lived += seconds
        self.set_clock(seconds)

    def set_clock(self, seconds: float) -> None:
        """The wall clock alone is set, or the machine slept: durations know nothing of it."""
        self.at += timedelta(seconds=seconds)

    def request(self, name: str) -> None:
        """Somebody asks for a name."""
        self.waiting.append(name)
        self.serve()

    def serve(self) -> None:
        """Give waiting requests their places, or turn them away."""
        names, self.waiting = self.waiting, []
        for name in names:
            key = self._choose(name)
            if key is None:
                continue
            self.asked[key] = self.lived
            if not self.pool.claim(key):
                self.waiting.append(name)

    def release(self, uid: InstanceUid) -> None:
        """A request ends."""
        self.pool.release(uid)
        self.asked[self.pool.residents[uid].action.model] = self.lived

    def kill(self, uid: InstanceUid, *, outside: bool = False) -> None:
        """A worker dies, or somebody ends it."""
        if not self.pool.die(uid, outside=outside):
            for effect in self.running.values():
                if isinstance(effect.action, Load) and effect.action.uid == uid:
                    self.end(effect.action.key, Failure("WorkerCrashed", "signal 9"))
                    return

    # --- the reconciler looks and acts ---------------------------------------------------------

    def step(self) -> Decision:
        """One pass, and the start of what it decided."""
        seen = self.seen()
        self.outcomes, self.retries = [], set()
        decision = self.decide(seen)
        self.remembered = decision.remembered
        self.act(decision)
        return decision

    def decide(self, seen: Seen) -> Decision:
        """Let the core look."""
        decision = self.decision = self.core.step(seen)
        self.steps += 1
        if self.watch is not None:
            self.watch(self, decision, seen.outcomes)
        return decision

    def act(self, decision: Decision) -> None:
        """Carry out what was decided: forget, publish, cancel, start."""
        for uid in decision.forget:
            self.pool.forget(uid)
        self.routes = decision.routes
        for key in decision.cancel:
            if key in self.running:
                self.running[key].cancelled = True
        for action in decision.start:
            assert action.key not in self.running, f"{action.key} is started twice"
            self.running[action.key] = Effect(action)
            self.history.append(action.key)
        self.serve()

    def seen(self) -> Seen:
        """What a pass sees now."""
        disk = {ref: look(self.disk, ref) for ref in self.wanted()}
        observed = Observed(self.at, self.host(), disk, self.pool.view(self.at), self.demands())
        outcomes, retry = tuple(self.outcomes), frozenset(self.retries)
        return Seen(self.config, observed, self.credentials, outcomes, retry=retry)

    def host(self) -> HostView:
        """The machine."""
        device = Device("metal", "fake", self.memory) if self.probed else None
        return HostView(self.memory, 1000 * GIB, 0, device, memory_free=self.memory_free)

    def wanted(self) -> list[ArtifactRef]:
        """The artifacts of the accepted document and its leases."""
        return sorted(self.core.artifacts(self.config, self.at), key=str)

    def demands(self) -> dict[ModelKey, Demand]:
        """What requests ask for."""
        busy = {r.action.model for r in self.pool.residents.values() if r.in_flight}
        counts: dict[ModelKey, int] = {}
        for name in self.waiting:
            key = self._choose(name)
            if key is not None:
                counts[key] = counts.get(key, 0) + 1
        result = {}
        for key, asked in self.asked.items():
            used = key in busy or counts.get(key, 0) > 0
            quiet = 0.0 if used else self.lived - asked
            result[key] = Demand(counts.get(key, 0), quiet)
        return result

    def _choose(self, name: str) -> ModelKey | None:
        """The gate's choice: the first that is ready, coming, on demand; None: refused."""
        routes = self.routes
        if routes is None:
            return None
        keys = routes.names.get(name, (ModelKey(name),))
        targets = [routes.targets[key] for key in keys if key in routes.targets]
        open_ = [target for target in targets if target.live is not Live.REFUSED]
        for target in open_:
            if target.key in self.pool.current:
                return target.key
        for live in (Live.COMING, Live.READY, Live.ON_DEMAND):
            for target in open_:
                if target.live is live:
                    return target.key
        return None

    # --- actions go on -------------------------------------------------------------------------

    def begin(self, key: str) -> None:
        """The effect of a started action can be seen from now on."""
        effect = self.running[key]
        effect.begun, effect.begun_at = True, self.lived
        match effect.action:
            case Load() as load:
                self.pool.begin(load, self.at)
            case Drain(uid=uid, deadline_s=deadline):
                effect.until = None if deadline == float("inf") else self.lived + deadline
                self.pool.drain(uid, effect.until)
            case Unload(uid=uid):
                self.pool.stop(uid)
            case Download(artifact=artifact):
                state = self.disk.get(artifact, DiskState())
                if state.phase is DiskPhase.ABSENT:
                    repo = self.repo(artifact)
                    self.disk[artifact] = DiskState(
                        DiskPhase.PARTIAL, None, repo.revision, 0, repo.weights
                    )

    def can_end(self, key: str) -> bool:
        """A drain ends when nobody is served any more, or at its deadline."""
        effect = self.running[key]
        if not isinstance(effect.action, Drain) or effect.cancelled or not effect.begun:
            return True
        resident = self.pool.residents.get(effect.action.uid)
        late = effect.until is not None and self.lived >= effect.until
        return late or resident is None or resident.in_flight == 0

    def end(self, key: str, fault: Failure | None = None) -> None:
        """An action ends: well, by being cancelled, or with a fault."""
        effect = self.running[key]
        if effect.cancelled:
            self._undo(effect)
        else:
            if not effect.begun:
                self.begin(key)
            fault = fault or self._trouble(effect.action)
            if fault is None:
                self._done(effect.action)
            else:
                self._failed(effect.action)
        del self.running[key]
        error = None if effect.cancelled else fault
        self.outcomes.append(Outcome(effect.action, error, effect.cancelled))
        self.serve()

    def repo(self, artifact: ArtifactRef) -> Repo:
        """What is true of an artifact."""
        return self.repos[artifact.source.partition(":")[2]]

    def _trouble(self, action: Action) -> Failure | None:
        match action:
            case Download(artifact=artifact):
                return self.repo(artifact).download_fault
            case Load(spec=spec, canary=canary):
                return self.repo(spec.artifact).trouble(asked=canary is not None)
            case _:
                return None

    def _failed(self, action: Action) -> None:
        match action:
            case Load(uid=uid):
                self.pool.gone(uid)
            case Verify(artifact=artifact) if artifact not in self.foreign:
                self.disk.pop(artifact, None)

    def _undo(self, effect: Effect) -> None:
        match effect.action:
            case Load(uid=uid) if effect.begun:
                self.pool.gone(uid)
            case Drain(uid=uid) if effect.begun:
                self.pool.revive(uid)
            case Unload(uid=uid) if effect.begun:
                self.pool.gone(uid)

    def _done(self, action: Action) -> None:
        match action:
            case Load(uid=uid, spec=spec):
                self.pool.loaded(uid, self.repo(spec.artifact).measured())
            case Promote(uid=uid):
                self.pool.promote(uid)
            case Drain(uid=uid):
                self.pool.drained(uid)
            case Unload(uid=uid):
                self.pool.gone(uid)
            case Download(artifact=artifact) | Verify(artifact=artifact):
                repo = self.repo(artifact)
                ours = 0 if artifact in self.foreign else repo.weights
                state = repo.complete(ours)
                if isinstance(action, Download) and not repo.whole:
                    state = replace(state, phase=DiskPhase.COMPLETE)
                self.disk[artifact] = state
            case Delete(artifact=artifact):
                self.disk.pop(artifact, None)

    # --- to the end ----------------------------------------------------------------------------

    def settle(self, limit: int = 1000) -> Decision:
        """Let everything that runs end well, and time pass while retries wait, until all is
        quiet. Requests end too, and what was raised by them may stay.
        """
        for _ in range(limit):
            before = len(self.waiting)
            decision = self.step()
            ready = [key for key in self.running if self.can_end(key)]
            if ready:
                self.end(ready[0])
                continue
            busy = [uid for uid, r in self.pool.residents.items() if r.in_flight]
            for uid in busy:
                while self.pool.residents[uid].in_flight:
                    self.release(uid)
            turned_away = len(self.waiting) != before
            # A table that was published may bring a waiter to another model.
            moved = self.demands().keys() != decision.picture.observed.demands.keys()
            if busy or turned_away or moved or self.running or self.outcomes:
                continue
            wake, until = decision.wake_at, decision.picture.effective.until
            due = (r.retry_at for r in decision.remembered.failures.values() if r.retry_at)
            if wake is None or (wake == until and not any(moment > self.at for moment in due)):
                left = decision.picture.plan.steps
                assert not left, f"nothing runs and nothing will: {left}"
                return decision
            self.sleep(max(0.0, (wake - self.at).total_seconds()) + 0.001)
        raise AssertionError(f"no rest after {limit} steps: {self.step().picture.plan}")

    def serving(self) -> set[ModelKey]:
        """Models that have a current instance."""
        return {
            r.action.model for r in self.pool.residents.values() if r.phase is InstancePhase.CURRENT
        }
