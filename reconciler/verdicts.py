"""A verdict with a reason for each model: wanted, admitted, and what it should run. Pure.

Admission looks at what is wanted and at sizes, never at what happens to be loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler import budget
from reconciler.actions import Need, Verdict
from reconciler.backoff import blocks
from reconciler.budget import Admission, Candidate
from reconciler.knowledge import Knowledge, load_key, load_subject, spec_of
from reconciler.state import (
    DiskState,
    Effective,
    EffectiveModel,
    ModelState,
    Observed,
)

ENGINES = ("auto", "mlx")
TASKS = ("auto", "chat")


@dataclass(frozen=True, slots=True)
class Case:
    """One model with the facts its verdict is made of. `may_load`: no failure forbids a try."""

    model: EffectiveModel
    disk: DiskState
    verdict: Verdict
    may_load: bool
    load_s: float | None


def judge(
    effective: Effective, observed: Observed, known: Knowledge, total: int | None
) -> list[Case]:
    """The cases of all models, in the order of the document."""
    candidates = [
        Candidate(model, _need(model, observed, known), rank(model, observed))
        for model in effective.models
        if _wants_memory(model) and not _hopeless(model, observed, known, total)
    ]
    admissions = budget.select(candidates, total) if total is not None else {}
    loaded = sum(
        c.need.total
        for c in candidates
        if c.model.state is ModelState.LOADED
        and (c.model.key in admissions and admissions[c.model.key].admitted)
    )
    room = None if total is None else total - loaded
    return [
        _case(model, effective, observed, known, total, admissions.get(model.key), room)
        for model in effective.models
    ]


def _wants_memory(model: EffectiveModel) -> bool:
    wanted = model.state is ModelState.LOADED or model.demanded
    return wanted and not model.suspended and _unsupported(model) is None


def _unsupported(model: EffectiveModel) -> str | None:
    if model.engine not in ENGINES:
        return f"engine {model.engine} is not in this version"
    if model.task not in TASKS:
        return f"task {model.task} is not in this version"
    return None


def rank(model: EffectiveModel, observed: Observed) -> tuple[float, ...]:
    """Pinned, class, then priority and file order; among demands the busy and the waiting first."""
    pinned = 0.0 if model.pinned else 1.0
    if model.state is ModelState.LOADED:
        return (pinned, 0.0, 0.0, 0.0, -model.priority, 0.0, model.order)
    demand = observed.demands.get(model.key)
    busy = any(i.key == model.key and i.in_flight for i in observed.instances)
    waiting = demand is not None and demand.waiting > 0
    quiet = demand.quiet_s if demand and not (busy or waiting) else 0.0
    return (pinned, 1.0, not busy, not waiting, -model.priority, quiet, model.order)


def _need(model: EffectiveModel, observed: Observed, known: Knowledge) -> Need:
    disk = observed.disk.get(model.artifact, DiskState())
    spec = spec_of(model, disk)
    measured = known.ledger.memory(spec.spec_hash) if spec else None
    return budget.need_of(model, disk, measured)


def _hopeless(
    model: EffectiveModel, observed: Observed, known: Knowledge, total: int | None
) -> bool:
    """A model that only a change can help holds no memory that others could use."""
    disk = observed.disk.get(model.artifact, DiskState())
    spec = spec_of(model, disk)
    record = known.failures.get(load_subject(model.key))
    if spec is None or record is None or record.retry_at is not None:
        return False
    return record.key == load_key(spec.spec_hash, total)


def _case(
    model: EffectiveModel,
    effective: Effective,
    observed: Observed,
    known: Knowledge,
    total: int | None,
    admission: Admission | None,
    room: int | None,
) -> Case:
    disk = observed.disk.get(model.artifact, DiskState())
    spec = spec_of(model, disk)
    need = _need(model, observed, known)
    reason, message, admitted = _reason(model, effective, observed, admission)
    failure = known.failures.get(load_subject(model.key))
    may_load = spec is not None and not blocks(
        failure, load_key(spec.spec_hash, total), observed.at
    )
    verdict = Verdict(
        model=model.key,
        wanted=_wants_memory(model),
        admitted=admitted,
        reason=reason,
        message=message,
        need=need,
        spec=spec,
        fits_alone=room is None or need.total <= room,
    )
    load_s = known.ledger.load_s(spec.spec_hash) if spec else None
    return Case(model, disk, verdict, may_load, load_s)


def _reason(
    model: EffectiveModel, effective: Effective, observed: Observed, admission: Admission | None
) -> tuple[str, str, bool | None]:
    """Reason, message and admission, in this order: unsupported, suspended, unwanted, admitted."""
    missing = _unsupported(model)
    if missing is not None:
        return "UnsupportedField", missing, False
    if model.suspended or effective.suspended:
        whole = "the whole document" if effective.suspended else "the model"
        return "Suspended", f"{whole} is suspended: nothing is changed", None
    if not _wants_memory(model):
        idle = model.state is ModelState.ON_DEMAND
        return "NotWanted", "no request wants it now" if idle else f"state is {model.state}", None
    if admission is not None:
        return admission.reason, admission.message, admission.admitted
    if observed.host.device is None:
        error = observed.host.probe_error
        return "ProbePending", error or "asking what the device has", None
    return "LoadFailed", "its last load failed and nothing has changed since", None
