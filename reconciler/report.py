"""The status of the daemon and of every model, from the picture of one pass. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from msgspec import UNSET

from reconciler import conditions
from reconciler.actions import Remains
from reconciler.backoff import Record
from reconciler.budget import accounted, machine_memory
from reconciler.daemon_conditions import of_daemon
from reconciler.knowledge import download_subject
from reconciler.owners import lent
from reconciler.picture import Picture
from reconciler.prune import words
from reconciler.routes import closed
from reconciler.state import (
    DiskPhase,
    EffectiveModel,
    InstanceView,
    ModelKey,
    ModelState,
)
from reconciler.timetable import Turn
from schemas.status import (
    DaemonStatus,
    DiskStatus,
    DriftStatus,
    FailureStatus,
    Health,
    MachineStatus,
    MemoryStatus,
    ModelStatus,
    RemovedStatus,
    ServingStatus,
    Summary,
    TargetStatus,
    TurnStatus,
)


@dataclass(frozen=True, slots=True)
class About:
    """What a daemon says of itself: its version, the name of its memory, and the version of the
    database of time zones that it reads ("" where that is not known).
    """

    version: str
    state_id: str
    tzdata: str = ""


@dataclass(frozen=True, slots=True)
class Reported:
    """The status after a pass, and by model the facts that its part was told from."""

    status: DaemonStatus
    facts: Mapping[ModelKey, tuple[object, ...]] = field(default_factory=dict)


def report(picture: Picture, previous: Reported | None, about: About) -> Reported:
    """The status after a pass. `previous` gives the transition times of unchanged conditions, and
    the status of each model of which all is as before: that of most models, in most passes.
    """
    now = conditions.instant(picture.observed.at)
    status = previous.status if previous else None
    earlier = {model.key: model for model in status.models} if status else {}
    known = previous.facts if previous else {}
    facts: dict[ModelKey, tuple[object, ...]] = {}
    models = []
    for model in picture.effective.models:
        failure = picture.failure(model)
        found = facts[model.key] = _facts(model, picture, failure)
        before = earlier.get(model.key)
        if before is None or known.get(model.key) != found:
            before = _model(model, picture, failure, before, now)
        models.append(before)
    return Reported(_daemon(picture, status, tuple(models), about, now), facts)


def _facts(model: EffectiveModel, picture: Picture, failure: Record | None) -> tuple[object, ...]:
    """Everything of a picture that the status of a model is told from."""
    key, demand = model.key, picture.observed.demands.get(model.key)
    return (
        (picture.epoch, picture.effective.generation, picture.effective.upkeep.drift),
        (model, model.because, model.served_at, model.loaded_at),
        picture.plan.verdicts[key],
        failure,
        picture.known.failures.get(download_subject(model.artifact)),
        picture.disk(model),
        [i for i in picture.observed.instances if i.key == key],
        (picture.moves("download", model), picture.moves("verify", model), picture.busy(key)),
        (closed(model, picture.plan), demand.waiting if demand else 0),
        [name for name, keys in picture.known.published.names.items() if key in keys],
        picture.known.drifts.get(key),
        picture.schedules.get(key),
        picture.effective.leases,
    )


def _daemon(
    picture: Picture,
    previous: DaemonStatus | None,
    models: tuple[ModelStatus, ...],
    about: About,
    now: str,
) -> DaemonStatus:
    before = previous.conditions if previous else ()
    accepted = picture.config.accepted
    return DaemonStatus(
        version=about.version,
        state_id=about.state_id,
        document=picture.config.path,
        generation=accepted.generation if accepted else 0,
        epoch=picture.epoch,
        summary=_whole(picture, models),
        conditions=conditions.stamp(
            of_daemon(picture, {each.type: each for each in before}),
            before,
            picture.effective.generation,
            picture.epoch,
            now,
        ),
        machine=_machine(picture),
        models=models,
        windows=picture.effective.windows,
        next=_turn(picture.effective.turn),
        leases=len(picture.effective.leases),
        tzdata=about.tzdata,
        removed=tuple(_removed(each, picture.zone) for each in picture.plan.removed),
    )


def _removed(each: Remains, zone: str) -> RemovedStatus:
    return RemovedStatus(
        key=each.key,
        source=str(each.artifact),
        since=conditions.instant(each.since),
        left=each.doing,
        bytes=each.ours,
        until=conditions.instant(each.until) if each.until is not None else None,
        message=words(each, zone),
    )


def _turn(turn: Turn | None) -> TurnStatus | None:
    if turn is None:
        return None
    at = conditions.instant(turn.at)
    return TurnStatus(at, conditions.wall(turn.at, turn.zone), turn.opens, turn.closes)


def _model(
    model: EffectiveModel,
    picture: Picture,
    failure: Record | None,
    before: ModelStatus | None,
    now: str,
) -> ModelStatus:
    """The status of one model, from what `_facts` has of the picture and from nothing else."""
    stamped = conditions.stamp(
        conditions.of_model(model, picture, failure),
        before.conditions if before else (),
        picture.effective.generation,
        picture.epoch,
        now,
    )
    return ModelStatus(
        key=model.key,
        summary=_summary(model, picture, failure),
        generation=picture.effective.generation,
        observed_generation=picture.effective.generation,
        observed_epoch=picture.epoch,
        target=TargetStatus(str(model.state), "demand" if model.demanded else model.because),
        conditions=stamped,
        disk=_disk(model, picture),
        memory=_memory(model, picture),
        serving=_serving(model, picture),
        schedule=picture.schedules.get(model.key, UNSET),
        failure=_failure(failure) if failure else UNSET,
        drift=tuple(
            DriftStatus(each.path, each.expected, each.found, conditions.instant(each.since))
            for each in picture.known.drifts.get(model.key, ())
        ),
        managers=lent(picture.effective.leases, model.key),
    )


def _summary(model: EffectiveModel, picture: Picture, failure: Record | None) -> Summary:
    """One word for tables: what answers, what moves, what stands in the way, what is at rest."""
    key, verdict = model.key, picture.plan.verdicts[model.key]
    phases = {i.phase.value for i in picture.observed.instances if i.key == key}
    standby = closed(model, picture.plan) and not phases.isdisjoint({"ready", "current"})
    moving: tuple[tuple[bool, Summary], ...] = (
        (standby, "Standby"),
        ("current" in phases, "Ready"),
        (bool(phases & {"draining", "drained", "stopping"}), "Draining"),
        (bool(phases & {"loading", "ready"}), "Loading"),
        (picture.moves("download", model), "Downloading"),
        (picture.moves("verify", model), "Verifying"),
        (verdict.reason == "Suspended", "Suspended"),
        (verdict.reason in ("NeverFits", "UnsupportedField"), "Stalled"),
        (failure is not None and failure.retry_at is None, "Stalled"),
        (failure is not None, "Failed"),
        (verdict.admitted is False and model.spare is None, "NotAdmitted"),
        (picture.busy(key) or (verdict.wanted and model.spare is None), "Waiting"),
        (model.state is ModelState.ON_DEMAND, "Idle"),
        (model.state is ModelState.ABSENT, "Absent"),
    )
    return next((word for holds, word in moving if holds), "Downloaded")


def _disk(model: EffectiveModel, picture: Picture) -> DiskStatus:
    disk = picture.disk(model)
    return DiskStatus(
        source=model.artifact.source,
        requested_revision=model.artifact.revision,
        resolved_revision=disk.revision,
        bytes_have=disk.have,
        bytes_total=disk.total,
        verified=disk.phase is DiskPhase.VERIFIED,
        path=disk.path,
    )


def _memory(model: EffectiveModel, picture: Picture) -> MemoryStatus:
    need = picture.plan.verdicts[model.key].need
    own = [i for i in picture.observed.instances if i.key == model.key]
    current = picture.current(model.key)
    known = need.basis != "unknown"
    return MemoryStatus(
        needed=need.total if known else None,
        basis="measured" if need.basis == "measured" else "estimate" if known else "unknown",
        reserved=sum(accounted(i) for i in own),
        measured=current.measured if current else None,
        kv_pool=need.kv_pool if known else None,
        last_load_seconds=current.load_s if current else None,
    )


def _serving(model: EffectiveModel, picture: Picture) -> ServingStatus:
    current, loading = picture.current(model.key), picture.loading(model.key)
    progress = loading.progress if loading else None
    demand = picture.observed.demands.get(model.key)
    return ServingStatus(
        instance=current.uid if current else None,
        names=_names(model.key, current, picture),
        in_flight=current.in_flight if current else 0,
        queued=demand.waiting if demand else 0,
        context=current.context if current else None,
        loading_done=progress[0] if progress else None,
        loading_total=progress[1] if progress else None,
        drain_left_seconds=_drain_left(model.key, picture),
    )


def _drain_left(key: ModelKey, picture: Picture) -> float | None:
    instances = (i for i in picture.observed.instances if i.key == key)
    return min((i.drain_left_s for i in instances if i.drain_left_s is not None), default=None)


def _names(key: ModelKey, current: InstanceView | None, picture: Picture) -> tuple[str, ...]:
    if current is None:
        return ()
    return (key, *(name for name, keys in picture.known.published.names.items() if key in keys))


def _failure(record: Record) -> FailureStatus:
    at = record.retry_at
    retry = at.isoformat(timespec="seconds").replace("+00:00", "Z") if at is not None else None
    return FailureStatus(record.reason, record.message, record.count, retry)


def _machine(picture: Picture) -> MachineStatus:
    host = picture.observed.host
    return MachineStatus(
        device=f"{host.device.kind}: {host.device.name}" if host.device else None,
        memory_total=machine_memory(host) or host.memory_total,
        memory_budget=picture.plan.budget,
        memory_reserved=picture.plan.memory_now,
        disk_free=host.disk_free,
        disk_ours=host.disk_ours,
    )


def _whole(picture: Picture, models: tuple[ModelStatus, ...]) -> Health:
    """Worst of all; a model that sleeps or is suspended is healthy."""
    if not picture.config.valid or any(map(_in_trouble, models)):
        return "Degraded"
    if picture.effective.suspended:
        return "Suspended"
    return "Healthy" if picture.plan.empty and picture.plan.budget is not None else "Progressing"


def _in_trouble(model: ModelStatus) -> bool:
    stalled = model.condition("Stalled")
    return model.summary == "Failed" or (stalled is not None and stalled.status == "True")
