"""Names that nobody answers for while a plan is carried out, and for how long. Pure.

Called by whoever tells people of a plan, now or at the opening of a window. Loads follow one
another, and take what the slowest of the last ones took; answers that still run make it longer, by
`drain` at most.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconciler.actions import Drain, Load, Promote, Unload
from reconciler.picture import Picture
from reconciler.state import InstancePhase, InstanceUid, ModelKey, ModelState

__all__ = ["Silence", "silences"]


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody answers for a name, for so many seconds; None: something that has to be loaded for it
    never was, or its files are not here yet.
    """

    name: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class _Moment:
    """Who answers from here on, and how long that lasts; None: nobody knows."""

    answering: frozenset[ModelKey]
    lasts: float | None = 0.0


def silences(picture: Picture) -> Iterator[Silence]:
    """Names of the plan's instant that will be answered for, and meanwhile are not: aliases, and
    models that answer now.
    """
    effective, held = picture.effective, picture.plan.held
    models = {model.key: model for model in effective.models}
    served = {key for key, model in models.items() if model.served}
    moments = tuple(_moments(picture))
    now = {i.key for i in picture.observed.instances if i.phase is InstancePhase.CURRENT}
    own = {str(key): (key,) for key in models if key in now and key in served}
    for name, keys in {**own, **effective.aliases}.items():
        if not any(_is_coming(key, picture) for key in keys):
            continue
        able = served.intersection(keys).union(held.get(name, ()))
        silent = [moment.lasts for moment in moments if able.isdisjoint(moment.answering)]
        if able.isdisjoint(moments[-1].answering) or None in silent:
            yield Silence(name, None)
        elif length := sum(lasts for lasts in silent if lasts is not None):
            yield Silence(name, length)


def _moments(picture: Picture) -> Iterator[_Moment]:
    """From step to step; what waits for nothing is begun at once."""
    steps, known = picture.plan.steps, picture.known.fresh
    answering: dict[InstanceUid, ModelKey] = {
        i.uid: i.key for i in picture.observed.instances if i.phase is InstancePhase.CURRENT
    }
    for step in steps:
        if isinstance(step.action, Drain) and not step.after:
            answering.pop(step.action.uid, None)
    for step in steps:
        match step.action:
            case Drain(uid=uid) | Unload(uid=uid):
                answering.pop(uid, None)
            case Load(spec=spec):
                yield _Moment(_keys(answering), known.load_s(spec.spec_hash))
            case Promote(uid=uid, model=key):
                answering[uid] = key
    yield _Moment(_keys(answering))


def _keys(answering: Mapping[InstanceUid, ModelKey]) -> frozenset[ModelKey]:
    return frozenset(answering.values())


def _is_coming(key: ModelKey, picture: Picture) -> bool:
    model, verdict = picture.effective.model(key), picture.plan.verdicts[key]
    assert model is not None  # noqa: S101 - aliases name models that exist
    return model.state is ModelState.LOADED and bool(verdict.wanted and verdict.admitted)
