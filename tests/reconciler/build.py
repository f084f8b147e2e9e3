"""Small makers of the frozen records, with everything a test does not care about filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from reconciler.actions import InstanceSpec
from reconciler.budget import WORKER_OVERHEAD
from reconciler.knowledge import spec_of
from reconciler.limits import MemoryLimit
from reconciler.state import (
    ArtifactRef,
    Demand,
    Device,
    DiskPhase,
    DiskState,
    Effective,
    EffectiveModel,
    ExitReport,
    Footprint,
    HostView,
    InstancePhase,
    InstanceUid,
    InstanceView,
    ModelKey,
    ModelState,
    Observed,
)

GIB = 1024**3
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
OVERHEAD = WORKER_OVERHEAD


def model(key: str, state: str = "loaded", **fields: Any) -> EffectiveModel:
    """A model of source `hf:org/<key>`, unless `artifact` says otherwise."""
    artifact = ArtifactRef(f"hf:org/{key}")
    plain = EffectiveModel(ModelKey(key), 0, artifact, ModelState(state))
    return replace(plain, **fields)


def effective(*models: EffectiveModel, memory: int = 10 * GIB, **fields: Any) -> Effective:
    """What holds: these models in this order, with a budget in bytes."""
    ordered = tuple(replace(each, order=place) for place, each in enumerate(models))
    return Effective(1, ordered, **{"memory": MemoryLimit(None, memory), **fields})


def verified(gib: float = 1, *, revision: str = "r1", kv: int = 0, ours: int = 1) -> DiskState:
    """Files that are there and right, of `gib` GiB of weights without the worker's overhead."""
    weights = int(gib * GIB) - OVERHEAD
    return DiskState(
        DiskPhase.VERIFIED,
        "/cache",
        revision,
        weights,
        weights,
        ours,
        Footprint(weights, kv, 32768, "llama"),
    )


def instance(
    each: EffectiveModel,
    disk: DiskState | None = None,
    phase: InstancePhase = InstancePhase.CURRENT,
    uid: str = "",
    **fields: Any,
) -> InstanceView:
    """An instance of what the model should run with these files."""
    spec = spec_of(each, disk or verified())
    assert spec is not None
    plain = InstanceView(
        uid=InstanceUid(uid or f"{each.key}#0"),
        key=each.key,
        spec_hash=spec.spec_hash,
        phase=phase,
        artifact=each.artifact,
        revision=spec.revision,
        reserved=disk_need(disk or verified()),
    )
    return replace(plain, **fields)


def disk_need(disk: DiskState) -> int:
    """What a load of these files takes without KV."""
    return (disk.footprint.weights if disk.footprint else 0) + OVERHEAD


def spec(each: EffectiveModel, disk: DiskState | None = None) -> InstanceSpec:
    """What the model should run."""
    found = spec_of(each, disk or verified())
    assert found is not None
    return found


def observed(
    disk: Mapping[str, DiskState] | None = None,
    instances: Iterable[InstanceView] = (),
    demands: Mapping[Any, Demand] | None = None,
    *,
    probed: bool = True,
    at: datetime = AT,
) -> Observed:
    """What is true; `disk` by key, for artifacts named `hf:org/<key>`."""
    device = Device("metal", "fake", 64 * GIB) if probed else None
    return Observed(
        at=at,
        host=HostView(64 * GIB, 1000 * GIB, 0, device),
        disk={ArtifactRef(f"hf:org/{key}"): state for key, state in (disk or {}).items()},
        instances=tuple(instances),
        demands={ModelKey(key): demand for key, demand in (demands or {}).items()},
    )


def dead(reason: str = "WorkerCrashed") -> ExitReport:
    """A death that nobody ordered."""
    return ExitReport(reason, "killed by signal 9")
