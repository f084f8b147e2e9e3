"""Why a wish is not to be granted: the world it leads to is not the one it wants. Pure.

An order is for now, where an edit may be for later. So one that would have no effect at once, as
something lies over the document or there is no memory, is refused before anything is recorded.
"""

from __future__ import annotations

from collections.abc import Collection

from reconciler.picture import Picture
from reconciler.state import EffectiveModel, ModelKey, ModelState
from reconciler.wishes import LOADED, Wish
from schemas.errors import Code, RequestError
from schemas.quantities import format_bytes

__all__ = ["object_to"]

_NO_ROOM = ("NeverFits", "InsufficientMemory", "TooManyLoaded", "GroupTaken")


def object_to(wish: Wish, before: Picture, after: Picture) -> None:
    """Raise RequestError when the world that a wish leads to is not the one it wants:
    field_conflict where something lies over it, insufficient_memory where it finds no place, or
    only that of a loaded model which is worth as much.
    """
    model = after.effective.model(ModelKey(wish.key))
    if wish.wants is None or model is None:
        return
    if model.state not in wish.wants:
        raise RequestError(
            Code.FIELD_CONFLICT,
            f"{model.key} would stay {model.state}: {model.because} says so, over the document",
            hint="add a ttl: a lease lies over schedules; or change what says so",
            details={"model": model.key, "state": str(model.state), "by": model.because},
        )
    if wish.wants != LOADED:
        return
    verdict = after.plan.verdicts[model.key]
    if verdict.admitted is False and verdict.reason in _NO_ROOM:
        raise _no_room(model, verdict.message, verdict.reason, after)
    losers = _losers(model, before, after)
    if losers:
        names = ", ".join(f"{each.key} (priority {each.priority})" for each in losers)
        need, left = format_bytes(verdict.need.total), format_bytes(_left(model, after, losers))
        message = f"needs {need}, {left} left beside {names}, which would lose its place"
        raise _no_room(model, message, "Displaces", after, losers)


def _losers(model: EffectiveModel, before: Picture, after: Picture) -> tuple[EffectiveModel, ...]:
    """Loaded models that are worth as much as this one, and would have no place any more."""
    return tuple(
        each
        for each in after.effective.models
        if each.state is ModelState.LOADED
        and each.priority >= model.priority
        and after.plan.verdicts[each.key].admitted is False
        and (known := before.plan.verdicts.get(each.key)) is not None
        and known.wanted
        and known.admitted is True
    )


def _left(model: EffectiveModel, after: Picture, losers: Collection[EffectiveModel] = ()) -> int:
    """Bytes of the budget that this model would find beside the others."""
    kept = {each.key for each in losers}
    taken = sum(
        verdict.need.total
        for key, verdict in after.plan.verdicts.items()
        if key != model.key and verdict.wanted and (verdict.admitted or key in kept)
    )
    return max(0, (after.plan.budget or 0) - taken)


def _no_room(
    model: EffectiveModel,
    message: str,
    reason: str,
    after: Picture,
    losers: Collection[EffectiveModel] = (),
) -> RequestError:
    return RequestError(
        Code.INSUFFICIENT_MEMORY,
        f"{model.key} {message}",
        hint="nothing was changed; give it a higher priority, or add force=true",
        details={
            "model": model.key,
            "reason": reason,
            "needed": after.plan.verdicts[model.key].need.total,
            "available": _left(model, after, losers),
            "budget": after.plan.budget,
        },
    )
