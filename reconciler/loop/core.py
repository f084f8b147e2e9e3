"""The core of the loop: a plain, synchronous `step(seen) -> Decision`, free of clocks and I/O.

Each step files what ended, resolves what holds, plans, and says which actions start now. It owns
the epoch, the ledger, the failures and the list of running actions; nobody else writes them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from reconciler import routes as routing
from reconciler.actions import (
    Action,
    Delete,
    Download,
    Load,
    Outcome,
    Plan,
    Publish,
    Verify,
)
from reconciler.backoff import failure_key
from reconciler.budget import budget, taken
from reconciler.events import Met, happened
from reconciler.knowledge import Knowledge, delete_subject, download_subject, subjects_of
from reconciler.loop.calendar import Calendar
from reconciler.loop.memory import Memory, Remembered
from reconciler.loop.pins import Pins
from reconciler.loop.start import starting
from reconciler.picture import ClockStep, Picture
from reconciler.plan import plan
from reconciler.pressure import is_scarce, of_use, without_lazy
from reconciler.prewarm import NOTHING_KNOWN, loads
from reconciler.report import About, Reported, report
from reconciler.resolve import (
    NOTHING,
    artifacts,
    fingerprint,
    named,
    of_document,
    under_demand,
    variants,
)
from reconciler.state import (
    Accepted,
    ArtifactRef,
    ConfigView,
    Effective,
    EffectiveModel,
    InstancePhase,
    InstanceUid,
    InstanceView,
    Lease,
    ModelKey,
    Observed,
    Routes,
)
from reconciler.thrash import Thrash
from schemas.events import Event
from schemas.status import DaemonStatus

GLANCE = timedelta(seconds=1)
"""How soon to look again while something runs, so that progress can be seen."""
STEP_S = 5.0
"""A clock that moves by more than this beside the time that passed was set, or stood asleep."""
SWAY = timedelta(minutes=1)
"""A wall clock that is set back by less does not reopen or reclose a window: it only stands."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What one pass saw, and which actions ended since the last.

    stepped_s: seconds by which the wall clock went further than the time that passed since then.
    retry: models whose failures are to be forgotten.
    """

    config: ConfigView
    observed: Observed
    credentials: str
    outcomes: tuple[Outcome, ...] = ()
    stepped_s: float = 0.0
    retry: frozenset[ModelKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do after a pass: remember first, then publish, then act, then tell.

    cancel: keys of running actions. forget: dead instances that have been filed. wake_at: when to
    look again at the latest, None for the resync interval. events: what happened.
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
    events: tuple[Event, ...]


class Core:
    """The single writer of plan, backoff, epoch and status.

    `software` names what brings and loads models, and this start of it: another one, or a restart,
    may succeed where this could not. `host`: the name by which entries of `hosts` are chosen.
    """

    def __init__(
        self,
        remembered: Remembered,
        version: str,
        state_id: str,
        software: str = "",
        host: str = "",
        tzdata: str = "",
    ) -> None:
        self._memory = Memory(remembered, remembered.ledger, software=software or version)
        self._host = host
        self._document: tuple[Accepted | None, tuple[Lease, ...], Effective] = (None, (), NOTHING)
        self._pins = Pins(host)
        self._variants: tuple[EffectiveModel, ...] = ()
        self._loads = NOTHING_KNOWN
        self._latest = datetime.min.replace(tzinfo=UTC)
        self._entered: tuple[Effective, str] | None = None
        self._about = About(version, state_id, tzdata)
        self._beside: frozenset[ArtifactRef] = frozenset()
        self._thrash = Thrash()
        self._scarce = False
        self._running: dict[str, Action] = {}
        self._routes = Routes()
        self._reported: Reported | None = None
        self._stepped: ClockStep | None = None
        self._calendar = Calendar(host)

    def step(self, seen: Seen) -> Decision:
        """One pass over everything that was seen."""
        seen = replace(seen, credentials=failure_key(seen.credentials, self._memory.software))
        memory = self._memory
        effective = self._enter(seen.config, seen.observed)
        ahead, skipped = self._calendar.look(
            seen.config.accepted, self._document[2], seen.observed.at
        )
        total = budget(effective.memory, seen.observed.host)
        dead, met = self._file(seen, effective, total)
        for model in effective.models:
            if model.key in seen.retry:
                memory.pardon(model)
        self._thrash = self._thrash.at(seen.observed.at).pardoned(seen.retry)
        observed = self._with_loads(seen.observed)
        moves = (a for a in self._running.values() if isinstance(a, Download | Verify | Delete))
        memory.unbury(observed, {action.artifact for action in moves})
        decided = self._plan(effective, observed, seen.credentials, total)
        known = self._known(seen.credentials)
        self._routes = routing.build(memory.kept.epoch, effective, observed, decided, known)
        start = starting(decided, effective, observed, self._running, memory.kept.failures)
        if any(isinstance(action, Load) for action in start):
            # All numbers the plan gave out are spent: none of them may come twice.
            memory.serial += sum(isinstance(step.action, Load) for step in decided.steps)
        self._thrash = self._thrash.after(decided, start, effective, observed.at)
        for action in start:
            self._running[action.key] = action
            memory.begin(action, effective, seen.credentials, total)
        alive = {i.uid for i in observed.instances}
        alive.update(action.uid for action in start if isinstance(action, Load))
        memory.forget(alive, self._subjects(effective, observed))
        if effective.generation:
            memory.drop([model.key for model in effective.models])
        self._beside = self._previous(decided)
        decided = _published(decided)
        picture = Picture(
            memory.kept.epoch, seen.config, effective, observed, decided,
            self._known(seen.credentials), dict(self._running), stepped=self._stepped,
            overfull=self._pins.look(seen.config.accepted, effective, observed, known, total),
            schedules=ahead,
        )  # fmt: skip
        before = self._reported.status if self._reported else None
        self._reported = report(picture, self._reported, self._about)
        status = self._reported.status
        return Decision(
            remembered=memory.kept,
            routes=self._routes,
            start=start,
            cancel=tuple(c.action for c in decided.cancels if c.action in self._running),
            forget=tuple(i.uid for i in dead),
            spare=decided.spare,
            wake_at=self._wake(effective, observed, decided),
            picture=picture,
            status=status,
            events=happened(before, status, replace(met, started=start, skipped=skipped)),
        )

    def artifacts(self, config: ConfigView, at: datetime) -> frozenset[ArtifactRef]:
        """The files that a pass at that instant has to look at: what the document names, what
        models ran when they last answered, where that is something else, and what it named of
        models that are removed.
        """
        at, kept = self._steady(at), self._memory.kept
        dropped = kept.tombstones.artifacts
        if self._edited(config) or self._turned(at):
            before = kept.tombstones.present.values()
            proven = (each.artifacts for each in kept.proven.values())
            found = artifacts(config.accepted, self._host, config.leases, at)
            return found.union(dropped, before, *proven)
        found = artifacts(config.accepted, self._host, (), at).union(dropped, self._beside)
        return found | {m.artifact for m in self._document[2].models} if config.leases else found

    def _previous(self, decided: Plan) -> frozenset[ArtifactRef]:
        """Files of what models ran before, where they should run something else now."""
        wanted = {v.spec.spec_hash for v in decided.verdicts.values() if v.spec is not None}
        others = (p for p in self._memory.kept.proven.values() if p.spec.spec_hash not in wanted)
        return frozenset(ref for each in others for ref in each.artifacts)

    def _steady(self, at: datetime) -> datetime:
        """The instant to go by when the clock says `at`."""
        return self._latest if timedelta() < self._latest - at < SWAY else at

    def _edited(self, config: ConfigView) -> bool:
        accepted, leases, _ = self._document
        return config.accepted is not accepted or config.leases != leases

    def _turned(self, at: datetime) -> bool:
        until = self._document[2].until
        return at < self._latest or (until is not None and at >= until)

    def _enter(self, config: ConfigView, observed: Observed) -> Effective:
        """What holds now; counts an epoch when it is another than before.

        Document and leases are resolved again when they are others, when the clock may have
        changed what they say, when it went back, and when loads ahead of windows take another time.
        """
        at, accepted = self._steady(observed.at), config.accepted
        edited, turned = self._edited(config), self._turned(at)
        self._latest = at
        if edited:
            self._variants = variants(accepted, self._host)
        if accepted is not None and accepted is not self._document[0]:
            present = named(accepted, self._host)
            self._memory.read(config.path, present, accepted.generation, observed.at)
        took = loads(self._variants, observed.disk, self._memory.kept.ledger)
        reckoned = self._loads
        self._loads = took if turned or edited else took.or_longer(reckoned)
        if turned or edited or self._loads != reckoned:
            held = NOTHING
            if accepted is not None:
                held = of_document(accepted, at, self._host, self._loads, config.leases)
            self._document = (accepted, config.leases, held)
        effective = self._demanded(self._document[2], observed)
        if self._entered is None or self._entered[0] != effective:
            self._entered = (effective, fingerprint(effective))
        self._memory.enter(self._entered[1])
        return effective

    def _demanded(self, held: Effective, observed: Observed) -> Effective:
        """What holds under demand, and while memory is short."""
        self._scarce = is_scarce(self._scarce, observed.host)
        if not self._scarce:
            return under_demand(held, observed.demands)
        effective = under_demand(held, of_use(held, observed.demands))
        return without_lazy(effective, observed)

    def _file(
        self, seen: Seen, effective: Effective, total: int | None
    ) -> tuple[list[InstanceView], Met]:
        """Take note of what ended, died, was measured, and of the clock; the dead ones, and what
        of all that is news.
        """
        at, memory, instances = seen.observed.at, self._memory, seen.observed.instances
        stepped = None
        if abs(seen.stepped_s) > STEP_S:
            stepped = self._stepped = ClockStep(at, seen.stepped_s)
        for outcome in seen.outcomes:
            self._running.pop(outcome.action.key, None)
        ended = tuple(outcome for outcome in seen.outcomes if memory.finish(outcome, at))
        dead = [i for i in instances if i.phase is InstancePhase.DEAD]
        died = tuple(i for i in dead if memory.died(i, effective, seen.observed, total))
        memory.measure(instances, effective, total, at)
        removed = {a.artifact.source for a in self._running.values() if isinstance(a, Delete)}
        memory.notice(effective, seen.observed, dead, removed)
        return dead, Met(
            outcomes=ended,
            died=died,
            instances={i.uid: i for i in instances} if ended else {},
            stepped=stepped,
        )

    def _known(self, credentials: str) -> Knowledge:
        memory = self._memory
        return Knowledge(
            ledger=memory.view,
            fresh=memory.kept.ledger,
            failures=memory.kept.failures,
            credentials=credentials,
            software=memory.software,
            published=self._routes,
            serial=memory.serial,
            drifts=memory.kept.drifts.found,
            proven=memory.kept.proven,
            tombstones=memory.kept.tombstones,
            refused=self._thrash.refused,
        )

    def _plan(
        self, effective: Effective, observed: Observed, credentials: str, total: int | None
    ) -> Plan:
        """The plan; when fresher measurements would break the budget, with those."""
        decided = plan(effective, observed, self._known(credentials), self._running)
        if total is None or self._memory.view is self._memory.kept.ledger:
            return decided
        if taken(self._memory.kept.ledger, decided, effective, observed) > total:
            self._memory.view = self._memory.kept.ledger
            return plan(effective, observed, self._known(credentials), self._running)
        return decided

    def _with_loads(self, observed: Observed) -> Observed:
        """What the pool shows, and loads that started but are not shown yet."""
        shown = {instance.uid for instance in observed.instances}
        missing = tuple(
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
        if not missing:
            return observed
        return replace(observed, instances=(*observed.instances, *missing))

    def _subjects(self, effective: Effective, observed: Observed) -> set[str]:
        """Subjects of failures that can still matter; none while nothing has failed."""
        subjects: set[str] = set()
        if not self._memory.kept.failures:
            return subjects
        for model in effective.models:
            subjects.update(subjects_of(model))
        for stone in self._memory.kept.tombstones.removed:
            subjects.add(delete_subject(stone.artifact))
        subjects.update(map(download_subject, self._beside))
        for instance in observed.instances:
            subjects.update(f"{verb}:{instance.uid}" for verb in ("promote", "drain", "unload"))
        return subjects

    def _wake(self, effective: Effective, observed: Observed, decided: Plan) -> datetime | None:
        """The next instant at which time alone changes something."""
        at = observed.at
        retries = (r.retry_at for r in self._memory.kept.failures.values() if r.retry_at)
        moments = [moment for moment in retries if moment > at]
        moments += [refusal.until for refusal in self._thrash.refused.values()]
        if effective.until is not None and effective.until > at:
            moments.append(effective.until)
        moments += [each.until for each in decided.removed if each.until and each.until > at]
        if self._running:
            moments.append(at + GLANCE)
        for model in effective.models:
            demand = observed.demands.get(model.key)
            if not model.demanded or demand is None:
                continue
            if demand.waiting and not decided.verdicts[model.key].admitted:
                moments.append(at + GLANCE)  # nobody says when a busy one becomes idle
            elif model.keep_alive_s < float("inf"):
                left = timedelta(seconds=model.keep_alive_s - demand.quiet_s)
                moments.append(at + max(GLANCE, left))
        return min(moments, default=None)


def _published(decided: Plan) -> Plan:
    """The plan without the names that this pass moves itself."""
    done = [s for s in decided.steps if isinstance(s.action, Publish) and not s.after]
    if not done:
        return decided
    return replace(decided, steps=tuple(s for s in decided.steps if s not in done))
