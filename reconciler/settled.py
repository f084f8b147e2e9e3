"""Have models arrived: who is as it should be, who cannot be and why, and who is on its way. Pure.

Asked by whoever waits for a change, once for each pass. A model that should be loaded has arrived
when what is wanted of it answers; one that should not be, when nothing of it is left to do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconciler.actions import Verdict
from reconciler.picture import Picture
from reconciler.state import (
    DiskPhase,
    EffectiveModel,
    InstancePhase,
    ModelKey,
    ModelState,
)

__all__ = ["Gap", "gaps"]


@dataclass(frozen=True, slots=True)
class Gap:
    """A model that is not as it should be. `pending`: time alone may mend it, so waiting helps."""

    model: str
    reason: str
    message: str
    pending: bool


def gaps(picture: Picture, keys: Iterable[str]) -> tuple[Gap, ...]:
    """Those of these models that have not arrived, in the order of their names."""
    found = (_gap(ModelKey(key), picture) for key in sorted(keys))
    return tuple(gap for gap in found if gap is not None)


def _gap(key: ModelKey, picture: Picture) -> Gap | None:
    model = picture.effective.model(key)
    if model is None:
        return _leaving(key, picture)
    verdict, failure = picture.plan.verdicts[key], picture.failure(model)
    if verdict.wanted and _arrived(key, verdict, picture):
        return None
    if verdict.reason in ("Suspended", "UnsupportedField"):
        stays = verdict.reason == "Suspended" and _stays(model, verdict, picture)
        return None if stays else Gap(key, verdict.reason, verdict.message, pending=False)
    if failure is not None:
        return Gap(key, failure.reason, failure.message, pending=failure.retry_at is not None)
    return _wanted(model, verdict, picture) if verdict.wanted else _at_rest(model, picture)


def _arrived(key: ModelKey, verdict: Verdict, picture: Picture) -> bool:
    """Whether exactly what is wanted answers."""
    current = picture.current(key)
    return (
        current is not None
        and verdict.spec is not None
        and current.spec_hash == verdict.spec.spec_hash
    )


def _stays(model: EffectiveModel, verdict: Verdict, picture: Picture) -> bool:
    """Whether a suspended model is as it would be made."""
    here, phase = _leaving(model.key, picture) is not None, picture.disk(model).phase
    match model.state:
        case ModelState.LOADED:
            return _arrived(model.key, verdict, picture)
        case ModelState.ON_DEMAND if here:
            return _arrived(model.key, verdict, picture)
        case ModelState.ABSENT:
            return not here and phase is DiskPhase.ABSENT
        case _:
            return not here and phase is DiskPhase.VERIFIED


def _wanted(model: EffectiveModel, verdict: Verdict, picture: Picture) -> Gap:
    """What should answer and does not yet, or never will."""
    if verdict.admitted is False:
        return Gap(model.key, verdict.reason, verdict.message, pending=False)
    if picture.disk(model).phase is not DiskPhase.VERIFIED:
        return Gap(model.key, "Downloading", _FILES, pending=True)
    if verdict.admitted is None:
        return Gap(model.key, verdict.reason, verdict.message, pending=True)
    message = "it is being loaded, or waits for its turn"
    return Gap(model.key, "Loading", message, pending=True)


def _at_rest(model: EffectiveModel, picture: Picture) -> Gap | None:
    """What should not be in memory: gone from there, its files as they should be."""
    if not picture.busy(model.key):
        return None
    leaving = _leaving(model.key, picture)
    return leaving or Gap(model.key, "Transferring", _FILES, pending=True)


def _leaving(key: ModelKey, picture: Picture) -> Gap | None:
    """Whether something of it is still in memory."""
    for instance in picture.observed.instances:
        if instance.key == key and instance.phase is not InstancePhase.DEAD:
            message = f"instance {instance.uid} is drained and unloaded"
            return Gap(key, "Draining", message, pending=True)
    return None


_FILES = "its files are not as they should be yet"
