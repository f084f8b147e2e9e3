"""The table the gate resolves names with: which model answers, and if none does, why.

An alias whose first model is on its way keeps the model it pointed to before, behind the new
ones, for as long as that instance still answers; so nothing fails while a switch is under way.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from reconciler.actions import Plan, Verdict
from reconciler.backoff import Record
from reconciler.drift import FILES_CHANGED, UNLOADED_EXTERNALLY
from reconciler.knowledge import Knowledge, standing
from reconciler.state import (
    Effective,
    EffectiveModel,
    InstancePhase,
    InstanceView,
    Live,
    ModelKey,
    ModelState,
    Observed,
    Routes,
    Target,
)
from schemas.errors import Code


@dataclass(frozen=True, slots=True)
class _Sight:
    """What decides a target: the model, its verdict, its failure, and the instance that answers."""

    model: EffectiveModel
    verdict: Verdict
    failure: Record | None
    current: InstanceView | None


def build(
    epoch: int, effective: Effective, observed: Observed, plan: Plan, known: Knowledge
) -> Routes:
    """The routes of an epoch, from what answers now and what the plan says will."""
    current = {i.key: i for i in observed.instances if i.phase is InstancePhase.CURRENT}
    previous = known.published
    targets: dict[ModelKey, Target] = {}
    for model in effective.models:
        verdict = plan.verdicts[model.key]
        failure = standing(model, verdict.spec, plan.budget, effective.disk, known)
        answers = None if closed(model, plan) else current.get(model.key)
        targets[model.key] = _target(_Sight(model, verdict, failure, answers))
    names = {name: (*keys, *plan.held.get(name, ())) for name, keys in effective.aliases.items()}
    others = (key for keys in names.values() for key in keys if key not in targets)
    for key in dict.fromkeys(others):
        gone = previous.targets[key]  # from the document; it is held because it answers
        targets[key] = replace(gone, live=Live.READY, revision=current[key].revision)
    return Routes(
        epoch=epoch,
        names=names,
        tasks=effective.tasks,
        sources=_sources(effective),
        targets=targets,
        flow=effective.flow,
    )


def closed(model: EffectiveModel, plan: Plan) -> bool:
    """Whether the model answers nobody, in memory or not: it is only there for its window, and
    does not stand in for another.
    """
    spare = model.spare is not None and not model.served
    return spare and not any(model.key in keys for keys in plan.held.values())


def holds(
    effective: Effective,
    observed: Observed,
    previous: Routes,
    verdicts: Mapping[ModelKey, Verdict],
) -> Mapping[str, tuple[ModelKey, ...]]:
    """By name, the models that no longer back it but answer for it until its own do."""
    current = {i.key for i in observed.instances if i.phase is InstancePhase.CURRENT}
    held: dict[str, tuple[ModelKey, ...]] = {}
    for name, keys in effective.aliases.items() if current else ():
        if any(key in current for key in keys):
            continue
        before = previous.names.get(name, ())
        able = tuple(k for k in before if k not in keys and k in current and k in previous.targets)
        if able and _worth_waiting(keys, effective, verdicts):
            held[name] = able
    return held


def _worth_waiting(
    keys: Iterable[ModelKey], effective: Effective, verdicts: Mapping[ModelKey, Verdict]
) -> bool:
    """Whether the model before should stand in: one of the new ones is on its way; or all that
    were have failed, and no request could raise another.
    """
    served = [m.key for m in effective.models if m.served]
    new = [verdicts[key] for key in keys if key in served]
    if any(v.wanted and v.admitted for v in new):
        return True
    failed = any(v.wanted and v.admitted is None for v in new)
    return failed and not any(_is_idle(v, effective) for v in new)


def _is_idle(verdict: Verdict, effective: Effective) -> bool:
    """Whether a request could raise the model."""
    model = effective.model(verdict.model)
    on_demand = model is not None and model.state is ModelState.ON_DEMAND
    return on_demand and verdict.reason == "NotWanted" and verdict.fits_alone


def _sources(effective: Effective) -> dict[str, ModelKey]:
    """Source repo ids as names, the first model in the file wins."""
    sources: dict[str, ModelKey] = {}
    for model in effective.models:
        repo = model.artifact.source.partition(":")[2]
        sources.setdefault(repo, model.key)
    return sources


def _target(sight: _Sight) -> Target:
    live, code, message, retry = _live(sight)
    current = sight.current
    return Target(
        key=sight.model.key,
        live=live,
        serving=sight.model.serving,
        parallel=sight.model.parallel,
        revision=current.revision if current else None,
        code=code,
        message=message,
        retry=retry,
        available_at=sight.model.served_at,
        context=current.context if current else None,
    )


def _live(sight: _Sight) -> tuple[Live, Code, str, bool]:
    """How near the model is, in this order: ready, refused for good, on demand, coming."""
    model, failure = sight.model, sight.failure
    if sight.current is not None:
        return Live.READY, Code.MODEL_LOADING, "", True
    refusal = _refusal(sight)
    if refusal is not None:
        return Live.REFUSED, *refusal, False
    if model.state is ModelState.ON_DEMAND:
        message = failure.message if failure else f"{model.key} is loaded on demand"
        return Live.ON_DEMAND, Code.MODEL_LOADING, message, True
    message = failure.message if failure else f"{model.key} is loading"
    return Live.COMING, Code.MODEL_LOADING, message, True


def _refusal(sight: _Sight) -> tuple[Code, str] | None:
    """Why waiting for this model is useless, if it is."""
    model, verdict, failure = sight.model, sight.verdict, sight.failure
    if model.served_at is not None:
        when = model.served_at.isoformat(timespec="seconds").replace("+00:00", "Z")
        return Code.OUTSIDE_WINDOW, f"{model.key} is outside its hours: it is served from {when} on"
    if model.state in (ModelState.ABSENT, ModelState.DOWNLOADED):
        return Code.MODEL_NOT_LOADED, f"{model.key} is {model.state.value}, not loaded"
    if verdict.reason == FILES_CHANGED or (
        verdict.reason == UNLOADED_EXTERNALLY and model.state is ModelState.LOADED
    ):
        return Code.MODEL_NOT_LOADED, f"{model.key} is not loaded: {verdict.message}"
    if verdict.reason == "Suspended":
        return Code.SUSPENDED, f"{model.key} is not loaded, and {verdict.message}"
    hopeless = failure is not None and failure.retry_at is None
    able = verdict.previous is not None and (verdict.admitted is True or verdict.fits_alone)
    if failure is not None and hopeless and not able:
        return Code.MODEL_FAILED, f"{model.key} cannot be served: {failure.message}"
    if verdict.reason == "UnsupportedField":
        return Code.MODEL_FAILED, f"{model.key} cannot be served: {verdict.message}"
    if verdict.reason == "Thrashing":
        return Code.THRASHING, verdict.message
    if verdict.admitted is not True and not verdict.fits_alone:
        return Code.NOT_ADMITTED, f"{model.key} is not admitted: {verdict.message}"
    return None
