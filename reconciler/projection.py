"""The world as a plan leaves it when everything in it ends well. Pure.

`lmxd` does the same for real, one action at a time; here the plan of an instant is taken to be
carried out, and made again, until nothing of it is left. Faults that pass are taken to be over,
files to arrive in time, and requests to be none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from reconciler import preview
from reconciler.actions import Load, MemoryLane, Plan, Promote, Unload
from reconciler.picture import Picture
from reconciler.routes import build, holds
from reconciler.state import InstancePhase, InstanceUid, InstanceView, Spare

ROUNDS = 8
"""So many plans at one instant lead to rest: leave, load, answer, and some to spare."""


def opening(picture: Picture, at: datetime, host: str) -> Picture:
    """The plan of an instant, for the world of the picture."""
    instances = tuple(
        replace(each, phase=InstancePhase.READY, in_flight=0)
        if each.phase is InstancePhase.LOADING
        else replace(each, in_flight=0)
        for each in picture.observed.instances
        if each.phase is not InstancePhase.DEAD
    )
    observed = replace(picture.observed, at=at, demands={}, instances=instances)
    lasting = {s: r for s, r in picture.known.failures.items() if r.retry_at is None}
    known = replace(picture.known, failures=lasting)
    world = replace(picture, observed=observed, known=known, running={})
    return preview.at_instant(world, at, host)


def at_rest(picture: Picture) -> Picture:
    """What is left when the plan of a picture, and what follows from it, is carried out."""
    for _ in range(ROUNDS):
        moves = any(isinstance(step.action, MemoryLane) for step in picture.plan.steps)
        if not moves and not any(_unseen(picture)):
            break
        picture = preview.anew(_carried_out(picture))
    return picture


def _carried_out(picture: Picture) -> Picture:
    plan, known = picture.plan, picture.known
    observed = replace(picture.observed, instances=tuple(_instances(picture)))
    held = holds(picture.effective, observed, known.published, plan.verdicts)
    plan = replace(plan, held=held)  # who answers for another now may be gone by then
    published = build(picture.epoch, picture.effective, observed, plan, known)
    loads = sum(isinstance(step.action, Load) for step in plan.steps)
    known = replace(known, published=published, serial=known.serial + loads)
    return replace(picture, observed=observed, known=known)


def _instances(picture: Picture) -> Iterator[InstanceView]:
    """What is in memory afterwards."""
    plan = picture.plan
    gone = _of(plan, Unload)
    answering = _of(plan, Promote)
    ended = {cancel.action for cancel in plan.cancels}
    for each in picture.observed.instances:
        if each.uid in gone or f"load:{each.uid}" in ended:
            continue
        yield replace(each, phase=InstancePhase.CURRENT) if each.uid in answering else each
    for step in plan.steps:
        if isinstance(step.action, Load):
            yield _loaded(step.action, answers=step.action.uid in answering)
    yield from _unseen(picture)


def _unseen(picture: Picture) -> Iterator[InstanceView]:
    """What would be loaded as well, had its files come: no plan says so before they have."""
    there = {each.key for each in picture.observed.instances}
    for model in picture.effective.models:
        verdict = picture.plan.verdicts[model.key]
        if not verdict.admitted or verdict.spec is not None or model.key in there:
            continue
        ahead = model.spare is Spare.PREWARM
        yield InstanceView(
            uid=InstanceUid(f"{model.key}#0"),
            key=model.key,
            spec_hash="",
            phase=InstancePhase.READY if ahead else InstancePhase.CURRENT,
            reserved=verdict.need.total,
            artifact=model.artifact,
            revision="",
        )


def _of(plan: Plan, kind: type[Unload] | type[Promote]) -> set[InstanceUid]:
    return {step.action.uid for step in plan.steps if isinstance(step.action, kind)}


def _loaded(load: Load, *, answers: bool) -> InstanceView:
    return InstanceView(
        uid=load.uid,
        key=load.model,
        spec_hash=load.spec.spec_hash,
        phase=InstancePhase.CURRENT if answers else InstancePhase.READY,
        reserved=load.reserve,
        artifact=load.spec.artifact,
        revision=load.spec.revision,
        context=load.spec.context,
        kv_bytes=load.spec.kv_bytes,
        drain_s=load.drain_s,
    )
