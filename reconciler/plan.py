"""The plan: what to do, in which order, and a verdict with a reason for each model.

`plan(effective, observed, known, running)` is pure: the loop calls it at every pass, previews
call it with other inputs. A step with an empty `after` may start now; everything else waits for
the world to change and is planned again then. Steps that run already stay in the plan until they
end, so an empty plan means converged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from reconciler import budget, transfers, verdicts
from reconciler.actions import Action, Load, Plan, Publish, Step, Unload
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
    judged = {case.model.key: case.verdict for case in cases}
    now = sum(budget.accounted(i) for i in observed.instances)
    if effective.suspended:
        return Plan((), judged, (), total, now, now, now)
    lane = _lane(effective, observed, known, running, cases, total)
    files = list(transfers.steps(cases, effective.disk, observed, known, running))
    steps = _with_memory([*files, *lane.steps, *_publish(effective, observed, known)], now)
    cancels = (*transfers.stale(cases, running), *lane.cancels)
    path = [now, *(step.memory_after for step in steps)]
    spare = _spare(cases, steps, max(path), total)
    return Plan(tuple(steps), judged, cancels, total, now, path[-1], max(path), spare)


def _lane(
    effective: Effective,
    observed: Observed,
    known: Knowledge,
    running: Mapping[str, Action],
    cases: Sequence[Case],
    total: int | None,
) -> Lane:
    """The memory side. Until the budget is known nothing is loaded and nothing leaves."""
    admitted = [c for c in cases if c.verdict.admitted]
    admitted.sort(key=lambda c: verdicts.rank(c.model, observed))
    untouched = {c.model.key for c in cases if c.model.suspended}
    if total is None:
        untouched.update(i.key for i in observed.instances)
    lane = Lane(
        total=total or 0,
        instances=[i for i in observed.instances if i.phase is not InstancePhase.DEAD],
        wishes=[
            Wish(c.model, c.verdict.spec, c.verdict.need.total, c.may_load, c.load_s)
            for c in admitted
        ],
        drains={c.model.key: c.model.drain_s for c in cases},
        held=holds(effective, observed, known.published),
        suspended=frozenset(untouched),
        running=running,
        serial=known.serial,
    )
    lane.build()
    return lane


def _publish(effective: Effective, observed: Observed, known: Knowledge) -> Iterator[Step]:
    """Names that will point elsewhere; the loop swaps the table itself at each pass."""
    before = known.published.names
    moved: dict[str, tuple[ModelKey, ...]] = {
        name: keys for name, keys in effective.aliases.items() if before.get(name) != keys
    }
    moved.update({name: () for name in before if name not in effective.aliases})
    if moved:
        yield Step(Publish(moved))


def _with_memory(steps: Sequence[Step], now: int) -> list[Step]:
    """The steps with the memory accounted after each, in this order."""
    result = []
    for step in steps:
        match step.action:
            case Load(reserve=size):
                now += size
            case Unload(frees=size):
                now -= size
        result.append(replace(step, memory_after=now))
    return result


def _spare(cases: Sequence[Case], steps: Sequence[Step], peak: int, total: int | None) -> bool:
    """A spare worker is kept beside a wanted MLX model while nothing loads and it fits."""
    wanted = any(c.verdict.spec is not None and c.verdict.spec.engine == "mlx" for c in cases)
    loading = any(isinstance(step.action, Load) for step in steps)
    return wanted and not loading and total is not None and peak + budget.SPARE <= total
