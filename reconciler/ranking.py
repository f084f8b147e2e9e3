"""In which order models get memory: smaller ranks are served first. Pure."""

from __future__ import annotations

from reconciler.state import Demand, EffectiveModel, ModelState, Spare

ALWAYS, DEMANDED, REFUSED, BEFORE, KEPT, AHEAD, IDLE = 0.0, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0
"""Classes: what the document loads; what requests want, and what of it has to give way; what ran
before something that failed; what is there for a window that opens soon or still answers, what is
to be there for one, and what nobody wants back."""


def rank(
    model: EffectiveModel,
    demand: Demand | None = None,
    *,
    busy: bool = False,
    refused: bool = False,
) -> tuple[float, ...]:
    """Pinned, class, then priority, that of the window, and file order; among demands the busy
    and the waiting first. `busy`: requests run on it. `refused`: it may displace nobody, unless it
    is busy.
    """
    if model.spare is not None:
        of = _spare_class(model.spare, busy=busy)
        return (1.0, of, -model.priority, -model.window, model.order)
    pinned = 0.0 if model.pinned else 1.0
    if model.state is ModelState.LOADED:
        return (pinned, ALWAYS, 0.0, 0.0, -model.priority, -model.window, 0.0, model.order)
    waiting = demand is not None and demand.waiting > 0
    quiet = demand.quiet_s if demand and not (busy or waiting) else 0.0
    merit = (-model.priority, -model.window)
    of = REFUSED if refused and not busy else DEMANDED
    return (pinned, of, not busy, not waiting, *merit, quiet, model.order)


def behind(model: EffectiveModel) -> tuple[float, ...]:
    """The rank of what a model ran before: behind all that is wanted as the document has it."""
    return (1.0, BEFORE, -model.priority, -model.window, model.order)


def _spare_class(spare: Spare, *, busy: bool) -> float:
    if spare is Spare.PREWARM:
        return AHEAD
    return KEPT if spare is Spare.BRIDGE or busy else IDLE
