"""What is left of removed models, and when their files are deleted: `reconcile.prune_disk`. Pure.

The most careful part of the plan. Files go only when the document says so, `retention` after the
last removal of a model that had them, and only while nothing that is wanted or loaded may need
them; what lmxd did not put there stays in any case. Called by `plan`, for what people read by
`report` and `explain`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Literal

from reconciler.actions import Action, Delete, Download, Remains, Step, Verify
from reconciler.backoff import blocks
from reconciler.conditions import wall
from reconciler.knowledge import Knowledge, delete_subject
from reconciler.state import (
    ArtifactRef,
    DiskPhase,
    DiskState,
    Effective,
    InstancePhase,
    ModelKey,
    ModelState,
    Observed,
)
from reconciler.tombstones import Tombstone
from reconciler.transfers import in_use, kept
from reconciler.verdicts import Case
from schemas.quantities import format_bytes

FOREVER_S = 100 * 365 * 86400.0
"""A retention of this, or longer, is no instant that anybody waits for."""
LEAVING = (InstancePhase.DRAINED, InstancePhase.STOPPING)
Files = tuple[str, str | None]


def remains(
    cases: Sequence[Case],
    effective: Effective,
    observed: Observed,
    known: Knowledge,
    running: Mapping[str, Action],
) -> tuple[Remains, ...]:
    """What is left of each removed model, in the order of their removal."""
    stones = known.tombstones.removed
    if not stones:
        return ()
    phases: dict[ModelKey, set[InstancePhase]] = {}
    for instance in observed.instances:
        if instance.phase is not InstancePhase.DEAD:
            phases.setdefault(instance.key, set()).add(instance.phase)
    needed = _needed(cases, observed, known)
    last = _last_removals(stones, observed)
    ends = {
        (action.artifact.source, action.revision)
        for action in running.values()
        if isinstance(action, Delete)
    }
    found = []
    for stone in stones:
        disk = observed.disk.get(stone.artifact, DiskState())
        files = (stone.artifact.source, disk.revision)
        deleting = (files[0], disk.revision or "") in ends
        until, why = None, _kept_for(disk, effective)
        if not why and stone.shared:
            why = "they are not its own: another model has had the same since"
        if not why and not needed.isdisjoint({files, (files[0], None)}):
            why = "models of the document need them"
        if not why:
            until = last[files] + timedelta(seconds=effective.upkeep.retention_s)
            if observed.at >= until:
                why = _held_up(stone.artifact, disk, observed, known)
        there = phases.get(stone.key)
        found.append(
            Remains(
                key=stone.key,
                artifact=stone.artifact,
                revision=disk.revision or "",
                since=stone.since,
                doing=_doing(there, deleting=deleting),
                ours=disk.ours,
                until=until,
                why=why,
                due=until is not None and observed.at >= until and not (why or there or deleting),
            )
        )
    return tuple(found)


def steps(
    removed: Sequence[Remains], cases: Sequence[Case], running: Mapping[str, Action]
) -> Iterator[Step]:
    """The deletions whose time has come, one for all models that had the same files; and those of
    files that no model of the document has any more, while they run.
    """
    due: dict[Files, list[Remains]] = {}
    for each in removed:
        if each.due:
            due.setdefault((each.artifact.source, each.revision), []).append(each)
    for (source, revision), of_these in due.items():
        keys = tuple(each.key for each in of_these)
        yield Step(Delete(of_these[0].artifact, revision or "", keys), _moves(source, running))
    ends = [action for action in running.values() if isinstance(action, Delete)]
    if ends:
        named = {case.model.artifact for case in cases}
        yield from (Step(action) for action in ends if action.artifact not in named)


def words(each: Remains, zone: str) -> str:
    """What is left of a removed model, for people; `zone` is the one in which they think."""
    size = format_bytes(each.ours)
    if not each.ours:
        files = "no files of it are lmxd's"
    elif each.until is None:
        files = f"{size} of files stay: {each.why}"
    elif each.why:
        files = f"{size} of files are to be deleted, and stay for now: {each.why}"
    else:
        files = f"{size} of files are deleted at {wall(each.until, zone)}"
    return files if each.doing == "files" else f"{each.doing}; {files}"


def _kept_for(disk: DiskState, effective: Effective) -> str:
    """Why nothing is deleted, whatever the time; "" when it may be."""
    if disk.ours <= 0:
        return "none of them are lmxd's"
    if not effective.upkeep.prune_disk:
        return "reconcile.prune_disk is false"
    if effective.upkeep.retention_s >= FOREVER_S:
        return "reconcile.retention is a hundred years or more"
    return "the whole document is suspended" if effective.suspended else ""


def _needed(cases: Sequence[Case], observed: Observed, known: Knowledge) -> set[Files]:
    """Sources and revisions that somebody has a right to: whoever `transfers` keeps files for, the
    document where a lease has something else instead, and models that are `absent`, as these are
    deleted by their own name.
    """
    needed: set[Files] = {*kept(cases, known)}
    wanted = {case.model.artifact for case in cases}
    for artifact in known.tombstones.present.values():
        if artifact in wanted:
            continue
        disk = observed.disk.get(artifact, DiskState())
        settled = disk.revision if disk.phase is DiskPhase.VERIFIED else None
        needed.add((artifact.source, settled))
    for case in cases:
        if case.model.state is ModelState.ABSENT and case.disk.revision is not None:
            needed.add((case.model.artifact.source, case.disk.revision))
    return needed


def _last_removals(stones: Sequence[Tombstone], observed: Observed) -> dict[Files, datetime]:
    """When the last model that had the same files was removed."""
    last: dict[Files, datetime] = {}
    for stone in stones:
        disk = observed.disk.get(stone.artifact, DiskState())
        files = (stone.artifact.source, disk.revision)
        last[files] = max(stone.since, last.get(files, stone.since))
    return last


def _held_up(artifact: ArtifactRef, disk: DiskState, observed: Observed, known: Knowledge) -> str:
    """What is in the way of a deletion that may be."""
    if in_use(artifact, disk, observed):
        return "a worker uses them"
    record = known.failures.get(delete_subject(artifact))
    if record is not None and blocks(record, record.key, observed.at):
        return record.message
    return ""


def _doing(
    there: set[InstancePhase] | None, *, deleting: bool
) -> Literal["draining", "unloading", "deleting", "files"]:
    if there:
        return "unloading" if there.issubset(LEAVING) else "draining"
    return "deleting" if deleting else "files"


def _moves(source: str, running: Mapping[str, Action]) -> tuple[str, ...]:
    """Transfers of a source that are on their way; they end before anything of it is deleted."""
    return tuple(
        action.key
        for action in running.values()
        if isinstance(action, Download | Verify) and action.artifact.source == source
    )
