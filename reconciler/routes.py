"""The table the gate resolves names with: which model answers, and if none does, why.

An alias whose first model is on its way keeps the model it pointed to before, behind the new
ones, for as long as that instance still answers; so nothing fails while a switch is under way.
Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconciler.actions import Plan, Verdict
from reconciler.backoff import Record
from reconciler.knowledge import Knowledge, download_subject, load_key, load_subject
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
        failure = _failure(model, verdict, plan.budget, known)
        targets[model.key] = _target(_Sight(model, verdict, failure, current.get(model.key)))
    names = {
        name: (*keys, *_held(name, keys, current, previous))
        for name, keys in effective.aliases.items()
    }
    for key in {key for keys in names.values() for key in keys} - targets.keys():
        targets[key] = previous.targets[key]  # gone from the document, held until replaced
    return Routes(
        epoch=epoch,
        names=names,
        sources=_sources(effective),
        targets=targets,
        flow=effective.flow,
    )


def holds(effective: Effective, observed: Observed, previous: Routes) -> frozenset[ModelKey]:
    """Models that no longer back a name but must answer for it until its new one does."""
    current = {i.key for i in observed.instances if i.phase is InstancePhase.CURRENT}
    held: set[ModelKey] = set()
    for name, keys in effective.aliases.items():
        if any(key in current for key in keys):
            continue
        held.update(key for key in previous.names.get(name, ()) if key in current)
    return frozenset(held)


def _held(
    name: str,
    keys: tuple[ModelKey, ...],
    current: Mapping[ModelKey, InstanceView],
    previous: Routes,
) -> Iterator[ModelKey]:
    """Models the name pointed to before, while none of its new ones answers."""
    if any(key in current for key in keys):
        return
    for key in previous.names.get(name, ()):
        if key not in keys and key in current and key in previous.targets:
            yield key


def _failure(
    model: EffectiveModel, verdict: Verdict, total: int | None, known: Knowledge
) -> Record | None:
    """The failure that stands between the model and its next step, if its key still holds."""
    if verdict.spec is not None:
        record = known.failures.get(load_subject(model.key))
        return record if record and record.key == load_key(verdict.spec.spec_hash, total) else None
    return known.failures.get(download_subject(model.artifact))


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
    if model.state in (ModelState.ABSENT, ModelState.DOWNLOADED):
        return Code.MODEL_NOT_LOADED, f"{model.key} is {model.state.value}, not loaded"
    if verdict.reason == "Suspended":
        return Code.SUSPENDED, f"{model.key} is not loaded, and {verdict.message}"
    if failure is not None and failure.retry_at is None:
        return Code.MODEL_FAILED, f"{model.key} cannot be served: {failure.message}"
    if verdict.reason == "UnsupportedField":
        return Code.MODEL_FAILED, f"{model.key} cannot be served: {verdict.message}"
    if verdict.admitted is False and not verdict.fits_alone:
        return Code.NOT_ADMITTED, f"{model.key} {verdict.message}"
    return None
