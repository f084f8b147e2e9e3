"""Memory: how much there is, what each model takes, and what was measured. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.actions import Need, Plan
from reconciler.limits import MemoryLimit
from reconciler.state import (
    Device,
    DiskState,
    Effective,
    EffectiveModel,
    Footprint,
    HostView,
    InstancePhase,
    InstanceView,
    Observed,
)

MIB = 1024 * 1024
ROUND = 64 * MIB
KEEP = 5
VECTORS = ("embed", "rerank")
"""Tasks in which a text is read once: nothing of it is kept, and nothing is said."""
WORKER_OVERHEAD = 224 * MIB
"""Interpreter, MLX and tokenizer of one worker, beside its weights, until it is measured: 84 MiB
with a tiny tokenizer on Linux, and room for larger ones."""
SPARE = 128 * MIB
"""A pre-imported spare worker: 73 MiB on Linux, and room."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One load as it was: resident bytes without KV in use, and seconds."""

    memory: int
    load_s: float


@dataclass(frozen=True, slots=True)
class Ledger:
    """The last measurements of each spec hash."""

    entries: Mapping[str, tuple[Measurement, ...]] = field(default_factory=dict)

    def memory(self, spec_hash: str) -> int | None:
        """The largest of the last five, rounded up to 64 MiB."""
        seen = self.entries.get(spec_hash)
        return _round_up(max(m.memory for m in seen)) if seen else None

    def load_s(self, spec_hash: str) -> float | None:
        """The slowest of the last five."""
        seen = self.entries.get(spec_hash)
        return max(m.load_s for m in seen) if seen else None

    def noting(self, spec_hash: str, measurement: Measurement) -> Ledger:
        """This ledger with one more measurement."""
        seen = (*self.entries.get(spec_hash, ()), measurement)[-KEEP:]
        return Ledger({**self.entries, spec_hash: seen})


def machine_memory(host: HostView) -> int | None:
    """Bytes models could use at most: the device's on CUDA, else the smaller of RAM and device."""
    device: Device | None = host.device
    if device is None:
        return None
    return device.memory if device.kind == "cuda" else min(host.memory_total, device.memory)


def budget(limit: MemoryLimit, host: HostView) -> int | None:
    """Bytes that all instances together may take; None until the device is known."""
    whole = machine_memory(host)
    if whole is None:
        return None
    return min(limit.size, whole) if limit.size is not None else int(whole * (limit.share or 0))


def context_of(model: EffectiveModel, disk: DiskState) -> int:
    """Tokens of context the instance gets: what the document asks, at most the model's own."""
    return min(model.context, disk.footprint.max_context) if disk.footprint else model.context


def task_of(model: EffectiveModel, footprint: Footprint) -> str:
    """What the model is for: what the document says, else what the files say."""
    return footprint.task if model.task == "auto" else model.task


def pool_of(model: EffectiveModel, disk: DiskState) -> int:
    """Bytes of KV cache that all its sequences share; 0 before its files are understood."""
    if disk.footprint is None or task_of(model, disk.footprint) in VECTORS:
        return 0
    if model.kv_memory is not None:
        return model.kv_memory
    return context_of(model, disk) * disk.footprint.kv_per_token


def need_of(model: EffectiveModel, disk: DiskState, measured: int | None) -> Need:
    """What a load of the model takes: measured when it was loaded before, else estimated."""
    if disk.footprint is None:
        if disk.total is None:
            return Need()
        return Need(weights=disk.total, overhead=WORKER_OVERHEAD, basis="estimate")
    pool = pool_of(model, disk)
    if measured is not None:
        return Need(weights=measured, kv_pool=pool, basis="measured")
    return Need(disk.footprint.weights, WORKER_OVERHEAD, pool, "estimate")


def accounted(instance: InstanceView) -> int:
    """Bytes an instance holds of the budget: reserved until measured, nothing once it is dead."""
    if instance.phase is InstancePhase.DEAD:
        return 0
    if instance.measured is None:
        return instance.reserved
    return _round_up(instance.measured) + instance.kv_bytes


def taken(ledger: Ledger, decided: Plan, effective: Effective, observed: Observed) -> int:
    """Bytes that the admitted models take when these measurements are right, beside what suspended
    ones keep; no less than their loads reserve.
    """
    suspended = {model.key for model in effective.models if model.suspended}
    total = sum(accounted(each) for each in observed.instances if each.key in suspended)
    for verdict in decided.verdicts.values():
        if verdict.admitted:
            spec = verdict.previous or verdict.spec
            measured = ledger.memory(spec.spec_hash) if spec else None
            total += max(verdict.need.total, (measured or 0) + verdict.need.kv_pool)
    return total


def _round_up(size: int) -> int:
    return -(-size // ROUND) * ROUND
