"""When other processes need the machine's memory: what lmxd gives back of its own accord. Pure.

The budget says what lmxd may take; this is about what is left of the machine. While that is
scarce, on-demand models go as soon as no request is there for them, and when they are gone, what
stayed only because its window closed lazily. Never what is pinned, declared or in use.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reconciler.state import (
    Demand,
    Effective,
    HostView,
    InstancePhase,
    ModelKey,
    ModelState,
    Observed,
    Spare,
)

SCARCE, RELIEF = 0.05, 0.10
"""Memory is short below this share of the machine's, until there is again the larger one."""


def is_scarce(before: bool, host: HostView) -> bool:
    """Whether memory is short; `before`: whether it was."""
    if host.memory_free is None or not host.memory_total:
        return False
    return host.memory_free < host.memory_total * (RELIEF if before else SCARCE)


def of_use(effective: Effective, demands: Mapping[ModelKey, Demand]) -> Mapping[ModelKey, Demand]:
    """The demands that count while memory is short: of requests that wait or run, and for what is
    pinned.
    """
    pinned = {model.key for model in effective.models if model.pinned}
    return {k: d for k, d in demands.items() if d.waiting or d.quiet_s <= 0 or k in pinned}


def without_lazy(effective: Effective, observed: Observed) -> Effective:
    """What holds while memory is short: nothing stays lazily, once no on-demand model is idle."""
    idle = {m.key for m in effective.models if m.state is ModelState.ON_DEMAND and not m.demanded}
    if any(i.key in idle and i.phase is not InstancePhase.DEAD for i in observed.instances):
        return effective
    if not any(model.spare is Spare.LAZY for model in effective.models):
        return effective
    models = (replace(m, spare=None) if m.spare is Spare.LAZY else m for m in effective.models)
    return replace(effective, models=tuple(models))
