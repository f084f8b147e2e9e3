"""What the reconciler remembers between passes, and the names it files memories under. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.actions import InstanceSpec
from reconciler.backoff import Record, failure_key
from reconciler.budget import Ledger, context_of
from reconciler.state import (
    ArtifactRef,
    DiskLimits,
    DiskPhase,
    DiskState,
    EffectiveModel,
    ModelKey,
    Routes,
)

SEQUENCES = 256
"""Sequences a worker decodes together at most; `parallel`, held by the gate, is the ceiling."""


@dataclass(frozen=True, slots=True)
class Knowledge:
    """Memories of one pass.

    ledger: the measurements admission uses; they move at a new epoch, or when the total breaks
    the budget. credentials: fingerprint of what the hub is asked with. published: the routes that
    hold now. serial: number of the next instance.
    """

    ledger: Ledger = field(default_factory=Ledger)
    failures: Mapping[str, Record] = field(default_factory=dict)
    credentials: str = ""
    published: Routes = field(default_factory=Routes)
    serial: int = 1


def download_subject(artifact: ArtifactRef) -> str:
    """Where failures to bring an artifact to disk are filed."""
    return f"download:{artifact}"


def load_subject(key: ModelKey) -> str:
    """Where failures of a model's instances are filed: loads and crashes."""
    return f"load:{key}"


def download_key(artifact: ArtifactRef, limits: DiskLimits, credentials: str) -> str:
    """The failure key of a download: what, as whom, into how much room."""
    return failure_key("download", artifact, limits, credentials)


def load_key(spec_hash: str, total: int | None) -> str:
    """The failure key of a load: what exactly, and within which budget."""
    return failure_key("load", spec_hash, total)


def spec_of(model: EffectiveModel, disk: DiskState | None) -> InstanceSpec | None:
    """What should be loaded for a model; None until its files are verified and understood."""
    if disk is None or disk.phase is not DiskPhase.VERIFIED or disk.footprint is None:
        return None
    if disk.path is None:
        return None
    footprint = disk.footprint
    context = context_of(model, disk)
    pool = model.kv_memory if model.kv_memory is not None else context * footprint.kv_per_token
    engine = footprint.engine if model.engine == "auto" else model.engine
    task = footprint.task if model.task == "auto" else model.task
    revision = disk.revision or ""
    options = sorted(model.engine_options.items())
    facts = (model.artifact.source, revision, engine, task, context, pool, options)
    return InstanceSpec(
        spec_hash=hashlib.sha256(repr(facts).encode()).hexdigest()[:16],
        artifact=model.artifact,
        revision=revision,
        path=disk.path,
        engine=engine,
        task=task,
        context=context,
        parallel=SEQUENCES,
        kv_bytes=pool,
        engine_options=model.engine_options,
    )
