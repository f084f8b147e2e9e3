"""Which steps of a plan may start now. Pure; called by the core at each pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.actions import (
    Action,
    Delete,
    Download,
    Drain,
    Load,
    MemoryLane,
    Plan,
    Promote,
    Publish,
    Unload,
    Verify,
)
from reconciler.backoff import Record, blocks
from reconciler.state import Effective, InstancePhase, Observed


def starting(
    decided: Plan,
    effective: Effective,
    observed: Observed,
    running: Mapping[str, Action],
    failures: Mapping[str, Record],
) -> tuple[Action, ...]:
    """Transfers up to their number, one action in the memory lane, and all drains."""
    return tuple(_starting(decided, effective, observed, running, failures))


def _starting(
    decided: Plan,
    effective: Effective,
    observed: Observed,
    running: Mapping[str, Action],
    failures: Mapping[str, Record],
) -> Iterator[Action]:
    transfers = sum(isinstance(a, Download | Verify) for a in running.values())
    lane_free = not any(isinstance(a, MemoryLane) for a in running.values())
    for step in decided.steps:
        action = step.action
        if step.after or action.key in running or isinstance(action, Publish):
            continue
        if blocks(failures.get(action.key), action.key, observed.at):
            continue  # actions that are not judged in the plan wait out their own failures here
        match action:
            case Download() | Verify() if transfers < effective.downloads:
                transfers += 1
                yield action
            case Drain() | Delete():
                yield action
            case Load() if lane_free and _fits(action, decided, effective, observed):
                lane_free = False
                yield action
            case Promote() | Unload() if lane_free:
                lane_free = False
                yield action


def _fits(load: Load, decided: Plan, effective: Effective, observed: Observed) -> bool:
    """The last check before memory is taken, whatever the order of the plan promised."""
    if decided.budget is None or decided.memory_now + load.reserve > decided.budget:
        return False
    alive = [i.key for i in observed.instances if i.phase is not InstancePhase.DEAD]
    if effective.loaded is not None and len(alive) >= effective.loaded:
        return False
    model = effective.model(load.model)
    if model is None or model.group is None:
        return True
    groups = (m.group for m in effective.models if m.key != load.model and m.key in alive)
    return model.group not in groups
