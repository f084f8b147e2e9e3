"""The file side of a plan: downloads and verifications in the order of need, and deletions. Pure.

Only files that lmxd itself put on the disk are ever deleted: here those of models whose state is
`absent`, in `prune` those of removed ones. At most one thing happens to an artifact at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reconciler import drift
from reconciler.actions import Action, Cancel, Delete, Download, Step, Verify
from reconciler.backoff import blocks
from reconciler.knowledge import Knowledge, delete_subject, download_key, download_subject
from reconciler.limits import DiskLimits
from reconciler.state import (
    ArtifactRef,
    DiskPhase,
    DiskState,
    InstancePhase,
    ModelState,
    Observed,
)
from reconciler.verdicts import Case

VERBS = ("download", "verify", "delete")


def steps(
    cases: Sequence[Case],
    limits: DiskLimits,
    observed: Observed,
    known: Knowledge,
    running: Mapping[str, Action],
) -> Iterator[Step]:
    """What is to be done about files. Steps that run already are among them."""
    stays = kept(cases, known)
    for artifact, users in _by_artifact(cases).items():
        keys = (f"{verb}:{artifact}" for verb in VERBS) if running else ()
        under_way = [running[key] for key in keys if key in running]
        yield from map(Step, under_way)
        wanting = [case for case in users if case.model.state is not ModelState.ABSENT]
        if wanting:
            arriving = any(not isinstance(action, Delete) for action in under_way)
            free = any(not case.model.suspended and not _left(case) for case in wanting)
            action = _fetch(artifact, users, limits, observed, known) if free else None
            action = None if arriving else action
        else:
            action = _removal(artifact, users, stays, observed, known)
        if action is not None and action.key not in running:
            yield Step(action, tuple(other.key for other in under_way))


def checks(
    cases: Sequence[Case],
    limits: DiskLimits,
    observed: Observed,
    known: Knowledge,
    running: Mapping[str, Action],
) -> Iterator[Step]:
    """Verifications of what models ran before something that failed."""
    named = {case.model.artifact for case in cases}
    found = {case.check: case.model.key for case in cases if case.check is not None}
    for artifact, key in found.items():
        action: Action = Verify(artifact, (key,))
        record = known.failures.get(download_subject(artifact))
        again = download_key(artifact, limits, known.credentials)
        if artifact not in named and not blocks(record, again, observed.at):
            yield Step(running.get(action.key, action))


def _left(case: Case) -> bool:
    """Whether its files were taken away and stay away."""
    return any(each.path == drift.FILES for each in case.left)


def stale(cases: Sequence[Case], running: Mapping[str, Action]) -> Iterator[Cancel]:
    """Transfers of artifacts that no model wants any more."""
    wanted = {c.model.artifact for c in cases if c.model.state is not ModelState.ABSENT}
    wanted.update(case.check for case in cases if case.check is not None)
    for action in running.values():
        if isinstance(action, Download | Verify) and action.artifact not in wanted:
            yield Cancel(action.key)


def _by_artifact(cases: Sequence[Case]) -> dict[ArtifactRef, list[Case]]:
    """The users of each artifact; what requests wait for first, then what is to be loaded."""
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


def kept(cases: Sequence[Case], known: Knowledge) -> set[tuple[str, str | None]]:
    """Sources and revisions whose files stay, under whatever name the document has for them; the
    revision is None while it is not settled what files a name stands for.
    """
    stays = {
        (
            case.model.artifact.source,
            case.disk.revision if case.disk.phase is DiskPhase.VERIFIED else None,
        )
        for case in cases
        if case.model.state is not ModelState.ABSENT or case.model.suspended
    }
    for case in cases:
        proven = known.proven.get(case.model.key)
        if proven is not None and case.verdict.wanted:  # until what replaces it has answered
            stays.add((proven.spec.artifact.source, proven.spec.revision))
    return stays


def _fetch(
    artifact: ArtifactRef,
    users: Sequence[Case],
    limits: DiskLimits,
    observed: Observed,
    known: Knowledge,
) -> Action | None:
    disk, keys = users[0].disk, tuple(case.model.key for case in users)
    if disk.phase is DiskPhase.VERIFIED:
        return None
    record = known.failures.get(download_subject(artifact))
    if record is not None:
        key = download_key(artifact, limits, known.credentials)
        if blocks(record, key, observed.at):
            return None
    if disk.phase is DiskPhase.COMPLETE:
        return Verify(artifact, keys)
    return Download(artifact, limits, keys)


def _removal(
    artifact: ArtifactRef,
    users: Sequence[Case],
    stays: set[tuple[str, str | None]],
    observed: Observed,
    known: Knowledge,
) -> Action | None:
    disk, keys = users[0].disk, tuple(case.model.key for case in users)
    source = artifact.source
    if disk.ours <= 0 or not stays.isdisjoint({(source, disk.revision), (source, None)}):
        return None
    if in_use(artifact, disk, observed):
        return None
    action = Delete(artifact, disk.revision or "", keys)
    record = known.failures.get(delete_subject(artifact))
    return None if blocks(record, action.key, observed.at) else action


def in_use(artifact: ArtifactRef, disk: DiskState, observed: Observed) -> bool:
    """Whether an instance was loaded from these files, or loads."""
    return any(
        i.phase is not InstancePhase.DEAD
        and (
            i.artifact == artifact
            or (i.artifact.source, i.revision) == (artifact.source, disk.revision)
        )
        for i in observed.instances
    )
