"""A verdict with a reason for each model: wanted, admitted, and what it should run. Pure.

Admission looks at what is wanted and at sizes, never at what happens to be loaded. Two things
that are loaded count all the same, because they stay: instances of suspended models, and the
instance of a model whose new files are not there yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from reconciler import budget, drift, thrash
from reconciler.actions import InstanceSpec, Need, Verdict
from reconciler.admission import Admission, Candidate, Kept, Room, select
from reconciler.backoff import Record, blocks
from reconciler.budget import Ledger
from reconciler.drift import Drift
from reconciler.knowledge import Knowledge, load_key, previous_subject, spec_of, standing
from reconciler.previous import need_again, spec_again, to_check
from reconciler.ranking import behind, rank
from reconciler.state import (
    NO_FILES,
    ArtifactRef,
    DiskState,
    Effective,
    EffectiveModel,
    InstancePhase,
    InstanceView,
    ModelKey,
    ModelState,
    Observed,
    Spare,
)

ENGINES = ("auto", "mlx")
TASKS = ("auto", "chat", "embed", "rerank")
_STAYING = (InstancePhase.LOADING, InstancePhase.READY, InstancePhase.CURRENT)


class Case(NamedTuple):
    """One model with the facts its verdict is made of.

    run: what to load. may_load: no failure forbids a try. reserve: bytes a load takes, by the
    freshest measurement.
    lasting: only a change can help it, so what still serves of it stays while there is room; so
    does what is left of a model whose window is about to open again, or closed lazily. check:
    files of what it ran before, to be checked before it can be loaded again.
    """

    model: EffectiveModel
    disk: DiskState
    verdict: Verdict
    run: InstanceSpec | None
    may_load: bool
    load_s: float | None
    reserve: int
    lasting: bool
    left: tuple[Drift, ...]
    rank: tuple[float, ...]
    check: ArtifactRef | None = None


@dataclass(frozen=True, slots=True)
class _Previous:
    """What a model ran before what is wanted failed for good, and what that takes."""

    spec: InstanceSpec
    need: Need
    reserve: int
    load_s: float | None
    may_load: bool


class _Facts(NamedTuple):
    """What is known of one model before admission."""

    model: EffectiveModel
    disk: DiskState
    rank: tuple[float, ...]
    spec: InstanceSpec | None
    instances: Sequence[InstanceView]
    failure: Record | None
    wanted: bool
    missing: str | None
    need: Need
    left: tuple[Drift, ...]
    away: Drift | None
    previous: _Previous | None

    @property
    def hopeless(self) -> bool:
        """A model that only a change can help holds no memory that others could use."""
        return self.wanted and self.failure is not None and self.failure.retry_at is None


def judge(
    effective: Effective, observed: Observed, known: Knowledge, total: int | None
) -> list[Case]:
    """The cases of all models, in the order of the document."""
    instances: dict[ModelKey, list[InstanceView]] = {}
    for instance in observed.instances:
        instances.setdefault(instance.key, []).append(instance)
    facts = [
        _facts(model, effective, observed, instances.get(model.key, ()), known, total)
        for model in effective.models
    ]
    candidates = [Candidate(f.model, f.need, f.rank) for f in facts if f.wanted and not f.hopeless]
    candidates += [
        Candidate(f.model, f.previous.need, behind(f.model))
        for f in facts
        if f.hopeless and f.previous is not None
    ]
    candidates += [
        Candidate(f.model, Need(weights=held, basis="measured"), f.rank)
        for f in facts
        if f.model.spare and not (f.wanted or f.model.suspended) and (held := _staying(f.instances))
    ]
    kept = [each for f in facts if f.model.suspended and (each := _kept(f)) is not None]
    if total is None:
        return [_case(f, effective, observed, known, None, None) for f in facts]
    admissions = select(candidates, total, kept, effective.loaded)
    always = Room(total, effective.loaded, kept)
    for candidate in candidates:
        if candidate.model.state is ModelState.LOADED and admissions[candidate.model.key].admitted:
            always.take(candidate)
    return [
        _case(f, effective, observed, known, admissions.get(f.model.key), always) for f in facts
    ]


def _kept(facts: _Facts) -> Kept | None:
    """What a suspended model has loaded stays."""
    alive = [i for i in facts.instances if i.phase is not InstancePhase.DEAD]
    if not alive:
        return None
    held = sum(map(budget.accounted, alive))
    return Kept(facts.model.key, held, len(alive), facts.model.group)


def _facts(
    model: EffectiveModel,
    effective: Effective,
    observed: Observed,
    instances: Sequence[InstanceView],
    known: Knowledge,
    total: int | None,
) -> _Facts:
    disk = observed.disk.get(model.artifact, NO_FILES)
    spec = spec_of(model, disk)
    ahead = model.spare is Spare.PREWARM
    raised = model.state is ModelState.LOADED or model.demanded or ahead
    missing = _unsupported(model)
    failure = standing(model, spec, total, effective.disk, known)
    left = drift.left(effective, known.drifts.get(model.key, ()))
    away = _away(left, instances)
    return _Facts(
        model=model,
        disk=disk,
        rank=rank(
            model,
            observed.demands.get(model.key),
            busy=any(i.in_flight for i in instances),
            refused=model.key in known.refused,
        ),
        spec=spec,
        instances=instances,
        failure=failure,
        wanted=raised and not model.suspended and missing is None and away is None,
        missing=missing,
        need=_need(model, disk, spec, instances, known.ledger),
        left=left,
        away=away if raised else None,
        previous=_previous(model, spec, failure, observed, known, total),
    )


def _previous(
    model: EffectiveModel,
    spec: InstanceSpec | None,
    failure: Record | None,
    observed: Observed,
    known: Knowledge,
    total: int | None,
) -> _Previous | None:
    """What could be loaded instead of what failed for good."""
    proven = known.proven.get(model.key)
    if proven is None or failure is None or failure.retry_at is not None:
        return None
    if not model.served or (spec is not None and spec.spec_hash == proven.spec.spec_hash):
        return None
    again = spec_again(proven, observed.disk)
    if again is None:
        return None
    record = known.failures.get(previous_subject(model.key))
    key = load_key(again.spec_hash, model, total, known.software)
    if record is not None and record.key == key and record.retry_at is None:
        return None
    return _Previous(
        spec=again,
        need=need_again(proven, known.ledger),
        reserve=need_again(proven, known.fresh).total,
        load_s=known.ledger.load_s(again.spec_hash),
        may_load=not blocks(record, key, observed.at),
    )


def _away(left: Sequence[Drift], instances: Sequence[InstanceView]) -> Drift | None:
    """What was taken away and stays away, and keeps the model from being loaded."""
    held = _staying(instances) if left else 0
    return next((d for d in left if d.path == drift.LOADED or not held), None)


def _need(
    model: EffectiveModel,
    disk: DiskState,
    spec: InstanceSpec | None,
    instances: Sequence[InstanceView],
    ledger: Ledger,
) -> Need:
    """What it takes by that ledger; while its files are not there, at least what serves."""
    if spec is not None:
        return budget.need_of(model, disk, ledger.memory(spec.spec_hash))
    need = budget.need_of(model, disk, None)
    held = _staying(instances)
    return Need(weights=held, basis="measured") if held > need.total else need


def _staying(instances: Sequence[InstanceView]) -> int:
    """Bytes of the largest instance that need not go."""
    if not instances:
        return 0
    return max((budget.accounted(i) for i in instances if i.phase in _STAYING), default=0)


def _unsupported(model: EffectiveModel) -> str | None:
    """What a model that is to be loaded asks for and cannot have."""
    if model.engine in ENGINES and model.task in TASKS:
        return None
    if not model.served and model.spare is not Spare.PREWARM:
        return None
    if model.engine not in ENGINES:
        return f"engine {model.engine} is not in this version"
    return f"task {model.task} is not in this version"


def _case(
    facts: _Facts,
    effective: Effective,
    observed: Observed,
    known: Knowledge,
    admission: Admission | None,
    always: Room | None,
) -> Case:
    """The case of one model. `always`: the room beside the models that the document wants loaded;
    None until the budget is known.
    """
    if facts.hopeless and facts.previous is not None and admission and admission.admitted:
        return _again(facts, facts.previous, admission)
    model, spec, need = facts.model, facts.spec, facts.need
    reserve = need.total
    measured = known.fresh.memory(spec.spec_hash) if spec is not None else None
    if measured is not None and known.fresh is not known.ledger:
        reserve = max(reserve, budget.need_of(model, facts.disk, measured).total)
    reason, message, admitted = _reason(facts, effective, observed, admission)
    refusal = known.refused.get(model.key)
    if refusal is not None and admitted is False:
        reason, message = "Thrashing", f"{thrash.words(model.key, refusal)}; it {message}"
    fits = True
    if admitted is not True and always is not None:
        candidate = Candidate(model, facts.previous.need if facts.previous else need, ())
        fits = always.fits(candidate)
        if not fits and reason == "NotWanted" and model.state is ModelState.ON_DEMAND:
            message = f"no request could load it: {always.refusal(candidate).message}"
    return Case(
        model=model,
        disk=facts.disk,
        verdict=Verdict(
            model.key,
            facts.wanted,
            admitted,
            reason,
            message,
            need,
            spec,
            fits,
            facts.previous.spec if facts.previous is not None else None,
        ),
        run=spec,
        may_load=spec is not None and not _blocked(facts.failure, observed.at),
        load_s=known.ledger.load_s(spec.spec_hash) if spec else None,
        reserve=reserve,
        lasting=facts.hopeless or model.spare in (Spare.BRIDGE, Spare.LAZY),
        left=facts.left,
        rank=facts.rank,
        check=_to_check(facts, observed, known) if facts.hopeless else None,
    )


def _to_check(facts: _Facts, observed: Observed, known: Knowledge) -> ArtifactRef | None:
    proven = known.proven.get(facts.model.key)
    if proven is None or facts.previous is not None or not facts.model.served:
        return None
    return to_check(proven, observed.disk)


def _again(facts: _Facts, previous: _Previous, admission: Admission) -> Case:
    """The case of a model that is served as before, as it cannot be served as it should be."""
    message = f"{admission.message}, for what it ran before"
    key, spec = facts.model.key, facts.spec
    return Case(
        model=facts.model,
        disk=facts.disk,
        verdict=Verdict(
            key, True, True, admission.reason, message, previous.need, spec, True, previous.spec
        ),
        run=previous.spec,
        may_load=previous.may_load,
        load_s=previous.load_s,
        reserve=max(previous.reserve, previous.need.total),
        lasting=True,
        left=facts.left,
        rank=behind(facts.model),
    )


def _blocked(record: Record | None, at: datetime) -> bool:
    return record is not None and blocks(record, record.key, at)


def _reason(
    facts: _Facts, effective: Effective, observed: Observed, admission: Admission | None
) -> tuple[str, str, bool | None]:
    """Reason, message and admission, in this order: unsupported, suspended, taken away, unwanted,
    failed for good, admitted or not, not known yet.
    """
    model = facts.model
    if facts.missing is not None:
        return "UnsupportedField", facts.missing, False
    if model.suspended or effective.suspended:
        whole = "the whole document" if effective.suspended else "the model"
        return "Suspended", f"{whole} is suspended: nothing is changed", None
    if facts.away is not None:
        return facts.away.reason, drift.words(facts.away, effective.upkeep.drift), None
    if not facts.wanted:
        idle = model.state is ModelState.ON_DEMAND
        return "NotWanted", "no request wants it now" if idle else f"state is {model.state}", None
    if facts.failure is not None and facts.hopeless:
        return facts.failure.reason, facts.failure.message, None
    if admission is not None:
        return admission.reason, admission.message, admission.admitted
    return "ProbePending", observed.host.probe_error or "asking what the device has", None


def by_key(cases: Sequence[Case]) -> Mapping[ModelKey, Verdict]:
    """The verdicts alone."""
    return {case.model.key: case.verdict for case in cases}
