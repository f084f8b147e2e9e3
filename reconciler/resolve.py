"""What holds at an instant: the document with defaults applied, and demand laid over it.

`resolve(accepted, demands)` is a pure function; the loop calls it at every pass and counts a new
epoch whenever the result differs from the last one. Windows, hosts and leases are layers that
will lie between the document and demand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace

from reconciler.state import (
    Accepted,
    ArtifactRef,
    Demand,
    DiskLimits,
    Effective,
    EffectiveModel,
    FlowLimits,
    MemoryLimit,
    ModelKey,
    ModelState,
    ServingDefaults,
)
from schemas.alias import alias_targets
from schemas.desired import DesiredState
from schemas.inference import Sampling
from schemas.model import Model
from schemas.quantities import Share
from schemas.support import unsupported

NOTHING = Effective(generation=0)
"""What holds before any document was accepted: serve nothing."""


def resolve(accepted: Accepted | None, demands: Mapping[ModelKey, Demand]) -> Effective:
    """The effective state of an accepted document under the demand of requests."""
    return NOTHING if accepted is None else under_demand(of_document(accepted), demands)


def under_demand(effective: Effective, demands: Mapping[ModelKey, Demand]) -> Effective:
    """What holds of `effective` while requests demand models."""
    models = tuple(_demanded(model, demands.get(model.key)) for model in effective.models)
    raised = any(model.demanded for model in models)
    return replace(effective, models=models) if raised else effective


def of_document(accepted: Accepted) -> Effective:
    """What an accepted document says, before anybody demands anything."""
    document = accepted.document
    of_document, of_models = unsupported(document)
    models = tuple(
        _model(order, key, document.resolved(key), of_models.get(key, ()))
        for order, key in enumerate(document.models)
    )
    return Effective(
        generation=accepted.generation,
        models=models,
        aliases=_aliases(document),
        memory=_memory(document),
        disk=DiskLimits(own=document.limits.disk, free=document.limits.free_disk),
        downloads=document.limits.downloads,
        flow=FlowLimits(
            queue=document.limits.queue,
            wait_s=document.limits.wait,
            request_s=document.limits.request,
            body=document.limits.body,
        ),
        suspended=document.suspend,
        unsupported=of_document,
    )


def fingerprint(effective: Effective) -> str:
    """Equal for equal effective states, whatever generation they came from."""
    return hashlib.sha256(repr(replace(effective, generation=0)).encode()).hexdigest()


def _model(order: int, key: str, model: Model, missing: tuple[str, ...]) -> EffectiveModel:
    return EffectiveModel(
        key=ModelKey(key),
        order=order,
        artifact=ArtifactRef(*model.artifact),
        state=ModelState(model.state),
        priority=model.priority,
        pinned=model.pinned,
        suspended=model.suspend,
        engine=model.engine,
        task=model.task,
        context=model.context,
        parallel=model.parallel,
        kv_memory=model.kv_memory,
        keep_alive_s=model.keep_alive,
        drain_s=model.drain,
        load_timeout_s=model.load_timeout,
        serving=_serving(model),
        unsupported=missing,
    )


def _serving(model: Model) -> ServingDefaults:
    sampling = model.sampling
    return ServingDefaults(
        system=model.system,
        sampling=Sampling(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            top_k=sampling.top_k,
            min_p=sampling.min_p,
            seed=sampling.seed,
        ),
        max_tokens=sampling.max_tokens,
        stop=sampling.stop,
        template=None if model.template == "default" else model.template,
    )


def _demanded(model: EffectiveModel, demand: Demand | None) -> EffectiveModel:
    """Demand may only raise a model that is on-demand."""
    if model.state is not ModelState.ON_DEMAND or demand is None:
        return model
    used = demand.waiting > 0 or demand.quiet_s <= 0
    return replace(model, demanded=True) if used or demand.quiet_s < model.keep_alive_s else model


def _aliases(document: DesiredState) -> dict[str, tuple[ModelKey, ...]]:
    """Names to ordered keys; a route by task is the list of its targets."""
    return {
        name: tuple(ModelKey(key) for key in alias_targets(alias))
        for name, alias in sorted(document.aliases.items())
    }


def _memory(document: DesiredState) -> MemoryLimit:
    limit = document.limits.memory
    if isinstance(limit, Share):
        return MemoryLimit(share=limit.value)
    return MemoryLimit(share=None, size=limit)
