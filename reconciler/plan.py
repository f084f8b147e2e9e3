"""The plan: what to do, in which order, and a verdict with a reason for each model.

`plan(effective, observed, known, running)` is pure: the loop calls it at every pass, previews
call it with other inputs. A step with an empty `after` may start now; everything else waits for
the world to change and is planned again then. Steps that run already stay in the plan until they
end, so an empty plan means converged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

from reconciler import budget, drift, prune, transfers, verdicts
from reconciler.actions import (
    Action,
    Download,
    Drain,
    Load,
    Plan,
    Promote,
    Publish,
    Step,
    Unload,
    Verify,
)
from reconciler.knowledge import Knowledge
from reconciler.lane import Lane, Wish
from reconciler.routes import holds
from reconciler.state import Effective, InstancePhase, ModelKey, Observed
from reconciler.verdicts import Case


def plan(
    effective: Effective, observed: Observed, known: Knowledge, running: Mapping[str, Action]
) -> Plan:
    """What should happen next. `running` are the started actions by key."""
    total = budget.budget(effective.memory, observed.host)
    cases = verdicts.judge(effective, observed, known, total)
    judged = verdicts.by_key(cases)
    held = holds(effective, observed, known.published, judged)
    now = sum(budget.accounted(i) for i in observed.instances)
    removed = prune.remains(cases, effective, observed, known, running)
    if effective.suspended:
        return Plan((), judged, (), held, total, now, now, now, removed=removed)
    lane = _lane(effective, observed, held, running, cases, total, known.serial)
    held = _still_held(held, lane.steps, observed)
    files = list(transfers.steps(cases, effective.disk, observed, known, running))
    files += transfers.checks(cases, effective.disk, observed, known, running)
    moved, later = _publish(effective, known, held, lane.steps)
    last = prune.steps(removed, cases, running)
    steps = _with_memory([*files, *moved, *lane.steps, *later, *last], now, observed)
    if known.drifts:
        steps = [replace(s, repairs=_repairs(s.action, effective, known)) for s in steps]
    cancels = (*transfers.stale(cases, running), *lane.cancels)
    path = [now, *(step.memory_after for step in steps)]
    spare = _spare(cases, steps, max(path), total)
    return Plan(
        tuple(steps), judged, cancels, held, total, now, path[-1], max(path), spare, removed
    )


def _lane(
    effective: Effective,
    observed: Observed,
    held: Mapping[str, tuple[ModelKey, ...]],
    running: Mapping[str, Action],
    cases: Sequence[Case],
    total: int | None,
    serial: int,
) -> Lane:
    """The memory side. Until the budget is known nothing is loaded and nothing leaves."""
    admitted = [c for c in cases if c.verdict.admitted]
    admitted.sort(key=lambda c: c.rank)
    untouched = {c.model.key for c in cases if c.model.suspended}
    if total is None:
        untouched.update(i.key for i in observed.instances)
    lane = Lane(
        total=total or 0,
        instances=[i for i in observed.instances if i.phase is not InstancePhase.DEAD],
        wishes=[
            Wish(c.model, c.run, c.reserve, c.may_load, c.load_s, c.verdict.spec) for c in admitted
        ],
        spare={c.model.key: c.model.spare for c in cases if c.model.spare is not None},
        places=effective.loaded,
        groups={c.model.key: c.model.group for c in cases},
        drains={c.model.key: c.model.drain_s for c in cases},
        held=frozenset(chain.from_iterable(held.values())),
        lasting=frozenset(c.model.key for c in cases if c.lasting),
        suspended=frozenset(untouched),
        running=running,
        serial=serial,
    )
    lane.build()
    return lane


def _still_held(
    held: Mapping[str, tuple[ModelKey, ...]], steps: Sequence[Step], observed: Observed
) -> Mapping[str, tuple[ModelKey, ...]]:
    """A name moves at the start of a drain: what begins to leave now answers for it no more."""
    ending = {s.action.uid for s in steps if isinstance(s.action, Drain) and not s.after}
    answering = (i for i in observed.instances if i.phase is InstancePhase.CURRENT)
    leaving = {i.key for i in answering if i.uid in ending}
    if not leaving:
        return held
    left = {name: tuple(k for k in keys if k not in leaving) for name, keys in held.items()}
    return {name: keys for name, keys in left.items() if keys}


def _publish(
    effective: Effective,
    known: Knowledge,
    held: Mapping[str, tuple[ModelKey, ...]],
    steps: Sequence[Step],
) -> tuple[list[Step], list[Step]]:
    """Names that point elsewhere from now on, and those that will once a new model answers. The
    loop swaps the table itself at each pass.
    """
    before = known.published.names
    after = {name: (*keys, *held.get(name, ())) for name, keys in effective.aliases.items()}
    moved = {name: keys for name, keys in after.items() if before.get(name) != keys}
    moved.update({name: () for name in before if name not in after})
    promotes = tuple(step.action.key for step in steps if isinstance(step.action, Promote))
    waiting = {name: effective.aliases[name] for name in held} if promotes else {}
    return (
        [Step(Publish(moved))] if moved else [],
        [Step(Publish(waiting), promotes)] if waiting else [],
    )


def _with_memory(steps: Sequence[Step], now: int, observed: Observed) -> list[Step]:
    """The steps with the memory accounted after each, in this order. A load that runs has its
    place in `now` already.
    """
    there = {instance.uid for instance in observed.instances}
    result = []
    for step in steps:
        match step.action:
            case Load(uid=uid, reserve=size) if uid not in there:
                now += size
            case Unload(frees=size):
                now -= size
        result.append(Step(step.action, step.after, now))
    return result


def _repairs(action: Action, effective: Effective, known: Knowledge) -> bool:
    """Whether the action puts right what changed outside lmxd."""
    if isinstance(action, Load):
        drifts = known.drifts.get(action.model, ())
        return any(each.path == drift.LOADED for each in drifts)
    if isinstance(action, Download | Verify):
        users = (m.key for m in effective.models if m.artifact == action.artifact)
        return any(d.path == drift.FILES for key in users for d in known.drifts.get(key, ()))
    return False


def _spare(cases: Sequence[Case], steps: Sequence[Step], peak: int, total: int | None) -> bool:
    """A spare worker is kept beside a wanted MLX model while nothing loads and it fits."""
    wanted = any(c.verdict.spec is not None and c.verdict.spec.engine == "mlx" for c in cases)
    loading = any(isinstance(step.action, Load) for step in steps)
    return wanted and not loading and total is not None and peak + budget.SPARE <= total
