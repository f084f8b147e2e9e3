"""What changed outside lmxd: a worker that somebody ended, files that somebody took away. Pure.

Noticed at every pass by the core from what is true and what was true before; `Drifts` survives a
restart, so that what is left as it is stays so. `reconcile.drift` says what comes of it: enforce
puts it right, adopt and warn leave it until the model's own entry changes or somebody retries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.state import (
    NO_FILES,
    DiskPhase,
    DiskState,
    Effective,
    EffectiveModel,
    InstancePhase,
    InstanceView,
    ModelKey,
    ModelState,
    Observed,
)
from schemas.quantities import format_bytes

LOADED = "memory.loaded"
FILES = "disk.files"
UNLOADED_EXTERNALLY = "UnloadedExternally"
FILES_CHANGED = "FilesChanged"
REASONS = (UNLOADED_EXTERNALLY, FILES_CHANGED)


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that is not as lmxd left it. `path` is `memory.loaded` or `disk.files`; `entry` a
    fingerprint of the model's entry when it was noticed.
    """

    reason: str
    path: str
    expected: str
    found: str
    since: datetime
    entry: str


@dataclass(frozen=True, slots=True)
class Drifts:
    """What is remembered: changes by model, and the artifacts that were found right, by their
    text, with the revision they were.
    """

    found: Mapping[ModelKey, tuple[Drift, ...]] = field(default_factory=dict)
    verified: Mapping[str, str] = field(default_factory=dict)


def noticed(
    before: Drifts,
    effective: Effective,
    observed: Observed,
    died: Iterable[InstanceView],
    removed: Collection[str],
) -> Drifts:
    """What is to be remembered after this look. `died`: instances that ended by themselves.
    `removed`: sources whose files lmxd itself takes away.
    """
    ended = {
        i.key: i.exit.message
        for i in died
        if i.exit is not None and i.exit.reason == UNLOADED_EXTERNALLY
    }
    verified = _verified(before, effective, observed, removed)
    found: dict[ModelKey, tuple[Drift, ...]] = {}
    for model in effective.models:
        disk = observed.disk.get(model.artifact, NO_FILES)
        old = before.found.get(model.key, ())
        revision = before.verified.get(str(model.artifact))
        lost = revision is not None and model.artifact.source not in removed and _gone(disk)
        if not old and not lost and model.key not in ended:
            continue
        drifts = [d for d in old if _lasts(d, model, effective, observed, disk)]
        paths = {d.path for d in drifts}
        if model.key in ended and _is_up(model) and LOADED not in paths:
            drifts.append(
                Drift(UNLOADED_EXTERNALLY, LOADED, "loaded", ended[model.key], observed.at, "")
            )
        if lost and model.state is not ModelState.ABSENT and FILES not in paths:
            expected = f"verified files of revision {(revision or '')[:12]}"
            drifts.append(
                Drift(FILES_CHANGED, FILES, expected, _what_is_left(disk), observed.at, "")
            )
        if drifts:
            entry = fingerprint(model)
            found[model.key] = tuple(d if d.entry else replace(d, entry=entry) for d in drifts)
    if found == before.found and verified == before.verified:
        return before
    return Drifts(found, verified)


def pardoned(drifts: Drifts, keys: Collection[ModelKey]) -> Drifts:
    """Somebody wants these models as the document has them: nothing is left as it is."""
    if not any(key in drifts.found for key in keys):
        return drifts
    return replace(drifts, found={k: d for k, d in drifts.found.items() if k not in keys})


def left(effective: Effective, found: Iterable[Drift]) -> tuple[Drift, ...]:
    """Those that are not put right."""
    return () if effective.upkeep.drift == "enforce" else tuple(found)


def words(drift: Drift, policy: str) -> str:
    """One change as a sentence for people."""
    what = f"{drift.path} was {drift.expected}, found since {_at(drift.since)}: {drift.found}"
    if policy == "enforce":
        return f"{what}; it is being put right"
    return (
        f"{what}; reconcile.drift is {policy}, so it stays like that until the model's entry "
        "changes or it is retried"
    )


def fingerprint(model: EffectiveModel) -> str:
    """Equal as long as the model's own entry says the same, whatever its place or demand."""
    entry = replace(model, order=0, demanded=False)
    return hashlib.sha256(repr(entry).encode()).hexdigest()[:16]


def _verified(
    before: Drifts, effective: Effective, observed: Observed, removed: Collection[str]
) -> dict[str, str]:
    verified: dict[str, str] = {}
    for model in effective.models:
        if model.state is ModelState.ABSENT or model.artifact.source in removed:
            continue
        name = str(model.artifact)
        disk = observed.disk.get(model.artifact)
        if disk is not None and disk.phase is DiskPhase.VERIFIED:
            verified[name] = disk.revision or ""
        elif name in before.verified and disk is not None and not _gone(disk):
            verified[name] = before.verified[name]  # to be checked again, which says what it is
    return verified


def _gone(disk: DiskState) -> bool:
    return disk.phase in (DiskPhase.ABSENT, DiskPhase.PARTIAL)


def _what_is_left(disk: DiskState) -> str:
    if disk.phase is DiskPhase.ABSENT:
        return "no files"
    of = f" of {format_bytes(disk.total)}" if disk.total is not None else ""
    return f"{format_bytes(disk.have)}{of}"


def _is_up(model: EffectiveModel) -> bool:
    """Whether the document, or a request, wants it in memory."""
    return model.state is ModelState.LOADED or model.demanded


def _lasts(
    drift: Drift,
    model: EffectiveModel,
    effective: Effective,
    observed: Observed,
    disk: DiskState,
) -> bool:
    """Whether it is still so, and nobody has said anything about the model since."""
    enforced = effective.upkeep.drift == "enforce"
    if not enforced and drift.entry != fingerprint(model):
        return False
    if drift.path == FILES:
        return model.state is not ModelState.ABSENT and disk.phase is not DiskPhase.VERIFIED
    demand = observed.demands.get(model.key)
    asked = model.state is not ModelState.LOADED and demand is not None and demand.waiting > 0
    back = any(i.key == model.key and i.phase is InstancePhase.CURRENT for i in observed.instances)
    return _is_up(model) and not back and (enforced or not asked)


def _at(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
