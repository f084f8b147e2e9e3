"""What the reconciler remembers between passes, and the names it files memories under. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from reconciler.actions import InstanceSpec
from reconciler.backoff import Record, failure_key
from reconciler.budget import Ledger, context_of, pool_of, task_of
from reconciler.drift import Drift
from reconciler.limits import DiskLimits
from reconciler.previous import Proven
from reconciler.state import (
    ArtifactRef,
    DiskPhase,
    DiskState,
    EffectiveModel,
    ModelKey,
    Routes,
)
from reconciler.thrash import Refusal
from reconciler.tombstones import Tombstones

SEQUENCES = 256
"""Sequences a worker decodes together at most; `parallel`, held by the gate, is the ceiling."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Memories of one pass.

    ledger: the measurements admission uses; they move at a new epoch, or when the total breaks
    the budget. fresh: all measurements there are; loads reserve by them. credentials: fingerprint
    of what the hub is asked with. software: what loads models; another one may succeed where this
    failed. published: the routes that hold now. serial: number of the next instance.
    drifts: what changed outside lmxd. proven: what models ran when they last answered.
    tombstones: models that were removed from the document.
    refused: models that have to give way.
    """

    ledger: Ledger = field(default_factory=Ledger)
    fresh: Ledger = field(default_factory=Ledger)
    failures: Mapping[str, Record] = field(default_factory=dict)
    credentials: str = ""
    software: str = ""
    published: Routes = field(default_factory=Routes)
    serial: int = 1
    drifts: Mapping[ModelKey, tuple[Drift, ...]] = field(default_factory=dict)
    proven: Mapping[ModelKey, Proven] = field(default_factory=dict)
    tombstones: Tombstones = field(default_factory=Tombstones)
    refused: Mapping[ModelKey, Refusal] = field(default_factory=dict)


def download_subject(artifact: ArtifactRef) -> str:
    """Where failures to bring an artifact to disk are filed."""
    return f"download:{artifact}"


def load_subject(key: ModelKey) -> str:
    """Where failures of what a model should run are filed: loads and crashes."""
    return f"load:{key}"


def previous_subject(key: ModelKey) -> str:
    """Where failures of instances are filed that are not what the model should run."""
    return f"previous:{key}"


def download_key(artifact: ArtifactRef, limits: DiskLimits, credentials: str) -> str:
    """The failure key of a download: what, as whom, into how much room."""
    return failure_key("download", artifact, limits, credentials)


def delete_subject(artifact: ArtifactRef) -> str:
    """Where failures to remove an artifact are filed."""
    return f"delete:{artifact}"


def subjects_of(model: EffectiveModel) -> tuple[str, ...]:
    """All under which failures of a model and of its files are filed."""
    artifact, key = model.artifact, model.key
    files = download_subject(artifact), delete_subject(artifact)
    return *files, load_subject(key), previous_subject(key)


def load_key(
    spec_hash: str, model: EffectiveModel | None, total: int | None, software: str = ""
) -> str:
    """The failure key of a load: what exactly, for how long, with which question asked, within
    which budget, by what.
    """
    timeout_s = model.load_timeout_s if model is not None else None
    canary = model.canary if model is not None else None
    return failure_key("load", spec_hash, timeout_s, canary, total, software)


def standing(
    model: EffectiveModel,
    spec: InstanceSpec | None,
    total: int | None,
    limits: DiskLimits,
    known: Knowledge,
) -> Record | None:
    """The failure between a model and its next step: of its download, or of loading `spec`.

    A record whose key is no longer that of the next try does not count.
    """
    if spec is None:
        record = known.failures.get(download_subject(model.artifact))
        if record is None:
            return None
        key = download_key(model.artifact, limits, known.credentials)
    else:
        record = known.failures.get(load_subject(model.key))
        if record is None:
            return None
        key = load_key(spec.spec_hash, model, total, known.software)
    return record if record.key == key else None


def spec_of(model: EffectiveModel, disk: DiskState | None) -> InstanceSpec | None:
    """What should be loaded for a model; None until its files are verified and understood."""
    if disk is None or disk.phase is not DiskPhase.VERIFIED or disk.footprint is None:
        return None
    if disk.path is None:
        return None
    footprint = disk.footprint
    context = context_of(model, disk)
    pool = pool_of(model, disk)
    engine = footprint.engine if model.engine == "auto" else model.engine
    task = task_of(model, footprint)
    revision = disk.revision or ""
    options = sorted(model.engine_options.items())
    what = (model.artifact.source, revision, engine, task, context, pool, repr(options))
    return _spec(model.artifact, disk.path, what, tuple(options))


@lru_cache(maxsize=4096)
def _spec(
    artifact: ArtifactRef,
    path: str,
    what: tuple[str, str, str, str, int, int, str],
    options: tuple[tuple[str, object], ...],
) -> InstanceSpec:
    """`what` makes two loads the same load; its text of the options tells 1 from true."""
    _, revision, engine, task, context, kv_bytes, _ = what
    return InstanceSpec(
        spec_hash=hashlib.sha256(repr(what).encode()).hexdigest()[:16],
        artifact=artifact,
        revision=revision,
        path=path,
        engine=engine,
        task=task,
        context=context,
        parallel=SEQUENCES,
        kv_bytes=kv_bytes,
        engine_options=dict(options),
    )
