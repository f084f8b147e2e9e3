"""The file side of a plan: downloads and verifications in the order of need, and deletions. Pure.

Only files that lmxd itself put on the disk are ever deleted, and only for a model whose state is
`absent`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reconciler.actions import Action, Cancel, Delete, Download, Step, Verify
from reconciler.backoff import blocks
from reconciler.knowledge import Knowledge, download_key, download_subject
from reconciler.state import (
    ArtifactRef,
    DiskLimits,
    DiskPhase,
    DiskState,
    InstancePhase,
    ModelKey,
    ModelState,
    Observed,
)
from reconciler.verdicts import Case


def steps(
    cases: Sequence[Case],
    limits: DiskLimits,
    observed: Observed,
    known: Knowledge,
    running: Mapping[str, Action],
) -> Iterator[Step]:
    """What is to be done about files. Steps that run already are among them."""
    for artifact, users in _by_artifact(cases).items():
        wanting = [c for c in users if c.model.state is not ModelState.ABSENT]
        disk = users[0].disk
        keys = tuple(case.model.key for case in users)
        if wanting:
            if not all(c.model.suspended for c in wanting):
                yield from _fetch(artifact, disk, keys, limits, observed, known, running)
        elif disk.ours > 0 and not _in_use(artifact, observed):
            yield Step(Delete(artifact, disk.revision or "", keys))


def stale(cases: Sequence[Case], running: Mapping[str, Action]) -> Iterator[Cancel]:
    """Transfers of artifacts that no model wants any more."""
    wanted = {c.model.artifact for c in cases if c.model.state is not ModelState.ABSENT}
    for action in running.values():
        if isinstance(action, Download | Verify) and action.artifact not in wanted:
            yield Cancel(action.key)


def _by_artifact(cases: Sequence[Case]) -> dict[ArtifactRef, list[Case]]:
    order = sorted(
        cases,
        key=lambda c: (
            not c.model.demanded,
            not c.verdict.wanted,
            -c.model.priority,
            c.model.order,
        ),
    )
    found: dict[ArtifactRef, list[Case]] = {}
    for case in order:
        found.setdefault(case.model.artifact, []).append(case)
    return found


def _urgency(case: Case) -> tuple[bool, bool, int, int]:
    model = case.model
    return (not model.demanded, not case.verdict.wanted, -model.priority, model.order)


def _fetch(
    artifact: ArtifactRef,
    disk: DiskState,
    keys: tuple[ModelKey, ...],
    limits: DiskLimits,
    observed: Observed,
    known: Knowledge,
    running: Mapping[str, Action],
) -> Iterator[Step]:
    if disk.phase is DiskPhase.VERIFIED:
        return
    verb = "verify" if disk.phase is DiskPhase.COMPLETE else "download"
    started = running.get(f"{verb}:{artifact}") or running.get(f"download:{artifact}")
    if started is not None:
        yield Step(started)
        return
    record = known.failures.get(download_subject(artifact))
    if blocks(record, download_key(artifact, limits, known.credentials), observed.at):
        return
    action = Verify(artifact, keys) if verb == "verify" else Download(artifact, limits, keys)
    yield Step(action)


def _in_use(artifact: ArtifactRef, observed: Observed) -> bool:
    return any(
        i.artifact == artifact and i.phase is not InstancePhase.DEAD for i in observed.instances
    )
