"""What holds at an instant: document < hosts < open windows < leases < demand.

`resolve` is a pure function of what was accepted and of the instant; the loop calls its two parts
at every pass and counts a new epoch whenever the result differs from the last one. So a boundary
that was slept through, a clock that was set and a restart inside a window need no code of their
own; leases run out in the same way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import cast

from reconciler.canary import Canary
from reconciler.hours import RESTING, by_the_clock
from reconciler.leases import ABOVE_WINDOWS, Leased, laid, leased
from reconciler.limits import DiskLimits, FlowLimits, MemoryLimit, Upkeep
from reconciler.overlay import SERVED, Coming, coming, for_host, in_windows
from reconciler.prewarm import NOTHING_KNOWN, Loads, contexts
from reconciler.state import (
    Accepted,
    ArtifactRef,
    Demand,
    Effective,
    EffectiveModel,
    Lease,
    ModelKey,
    ModelState,
    ServingDefaults,
)
from reconciler.turns import Turns
from reconciler.window_states import WindowStates, in_order
from schemas.alias import Route, alias_targets
from schemas.desired import DesiredState
from schemas.inference import Sampling
from schemas.model import Model
from schemas.quantities import Share
from schemas.support import of_model, of_whole

NOTHING = Effective(generation=0)
"""What holds before any document was accepted: serve nothing."""
_SERVING_FIELDS = ("sampling", "system", "template")
_NO_DEFAULTS = ServingDefaults()


def resolve(
    accepted: Accepted | None,
    at: datetime,
    demands: Mapping[ModelKey, Demand],
    host: str = "",
    loads: Loads = NOTHING_KNOWN,
    leases: Iterable[Lease] = (),
) -> Effective:
    """What holds at an instant, on the machine of that name, under leases and under the demand of
    requests.
    """
    if accepted is None:
        return NOTHING
    return under_demand(of_document(accepted, at, host, loads, leases), demands)


def artifacts(
    accepted: Accepted | None, host: str, leases: Collection[Lease], at: datetime
) -> frozenset[ArtifactRef]:
    """The files that the document names on that machine, and those that leases have instead at an
    instant; no window changes them.
    """
    if accepted is None:
        return frozenset()
    plain = for_host(accepted.document, host)
    documents = (plain, laid(plain, leased(accepted, leases, at))) if leases else (plain,)
    return frozenset(
        ArtifactRef(*document.resolved(key).artifact)
        for document in documents
        for key in document.models
    )


def named(accepted: Accepted, host: str) -> dict[ModelKey, ArtifactRef]:
    """The files of each model of the document on that machine, whatever leases say."""
    plain = for_host(accepted.document, host)
    return {ModelKey(k): ArtifactRef(*plain.resolved(k).artifact) for k in plain.models}


def under_demand(effective: Effective, demands: Mapping[ModelKey, Demand]) -> Effective:
    """What holds of `effective` while requests demand models."""
    models = tuple(_demanded(model, demands.get(model.key)) for model in effective.models)
    raised = any(model.demanded for model in models)
    return replace(effective, models=models) if raised else effective


def variants(accepted: Accepted | None, host: str) -> tuple[EffectiveModel, ...]:
    """The models that windows load, in every form they then have: how long loads of these take is
    what `of_document` reckons with.
    """
    if accepted is None:
        return ()
    document = for_host(accepted.document, host)
    return tuple(
        replace(_model(0, key, document.resolved(key), ()), context=context)
        for key, context in contexts(document)
    )


def of_document(
    accepted: Accepted,
    at: datetime,
    host: str = "",
    loads: Loads = NOTHING_KNOWN,
    leases: Iterable[Lease] = (),
) -> Effective:
    """What an accepted document says of an instant under leases, before anybody demands anything.
    The value is the same until `until`, while loads take as long as that.
    """
    plain = for_host(accepted.document, host)
    turns, found = Turns(plain, at), leased(accepted, leases, at)
    windows = in_order(plain, turns.open)
    document = laid(in_windows(plain, windows), found)
    lent = laid(plain, found)
    models = tuple(_models(document, plain, windows, lent))
    hours = by_the_clock(plain, windows, models, loads, turns, found.states)
    turn = next(iter(turns), None)
    changes = [*hours.changes, *(lease.expires_at for lease in found.held)]
    if turn is not None:
        changes.append(turn.at)
    return Effective(
        generation=accepted.generation,
        models=tuple(_lent(model, document, plain, found) for model in hours.models),
        aliases=_aliases(document),
        tasks={n: a for n, a in document.aliases.items() if isinstance(a, Route)},
        memory=_memory(document),
        disk=DiskLimits(own=document.limits.disk, free=document.limits.free_disk),
        downloads=document.limits.downloads,
        loaded=document.limits.loaded,
        flow=FlowLimits(
            queue=document.limits.queue,
            wait_s=document.limits.wait,
            request_s=document.limits.request,
            body=document.limits.body,
        ),
        upkeep=Upkeep(
            drift=document.reconcile.drift,
            prune_disk=document.reconcile.prune_disk,
            retention_s=document.reconcile.retention,
        ),
        suspended=document.suspend,
        unsupported=of_whole(lent),
        windows=windows,
        leases=found.held,
        turn=turn,
        until=min(changes, default=None),
    )


def fingerprint(effective: Effective) -> str:
    """Equal for equal effective states, whatever generation they came from."""
    return hashlib.sha256(repr(replace(effective, generation=0)).encode()).hexdigest()


def _models(
    document: DesiredState, plain: DesiredState, windows: Sequence[str], lent: DesiredState
) -> Iterator[EffectiveModel]:
    """The models of a document on which windows lie. `plain` is without windows and leases, `lent`
    without windows: what has no effect is said of those.
    """
    by = WindowStates(plain).setters(windows)
    for order, (key, entry) in enumerate(document.models.items()):
        model = document.resolved(key)
        missing = of_model(model if lent.models[key] is entry else lent.resolved(key))
        window = by.get(key)
        if window is None:
            yield _model(order, key, model, missing)
        else:
            schedule = plain.schedules[window]
            yield _model(order, key, model, missing, schedule.priority, f"schedule/{window}")


def _model(
    order: int,
    key: str,
    model: Model,
    missing: tuple[str, ...],
    window: int = 0,
    because: str = "document",
) -> EffectiveModel:
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
        group=model.group,
        canary=_canary(model),
        unsupported=missing,
        window=window,
        because=because,
    )


def _lent(
    model: EffectiveModel, document: DesiredState, plain: DesiredState, found: Leased
) -> EffectiveModel:
    """The model as leases have it: by whom its state is set, and when it is served again."""
    if found.sets(model.key, "context"):  # what a window is to have is not loaded ahead of it
        model = replace(model, context=document.resolved(model.key).context)
    lease = found.states.get(model.key)
    if lease is None:
        return model
    again = _after_leases(model.key, plain, found) if model.state in RESTING else None
    because = f"lease/{lease.id}"
    return replace(model, window=ABOVE_WINDOWS, because=because, served_at=again)


def _after_leases(key: str, plain: DesiredState, found: Leased) -> datetime | None:
    """When a model that a lease keeps from being served is served again, as leases run out."""
    for end, says in found.said_later(key):
        if says is not None:
            if says in SERVED:
                return end
            continue
        if key not in plain.models:
            return None
        turns, states = Turns(plain, end), WindowStates(plain)
        if states.said(states.setters(turns.open).get(key), key) in SERVED:
            return end
        served = coming(plain, turns.open, [key], turns).get(key, Coming()).served
        return served.at if served is not None else None
    return None


def _canary(model: Model) -> Canary | None:
    if model.canary is None:
        return None
    template = None if model.template == "default" else model.template
    return Canary(model.canary.prompt, model.canary.expect, model.system, template)


def _serving(model: Model) -> ServingDefaults:
    if model.model_fields_set.isdisjoint(_SERVING_FIELDS):
        return _NO_DEFAULTS
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
    if used or demand.quiet_s < model.keep_alive_s:
        return replace(model, demanded=True, spare=None)
    return model


def _aliases(document: DesiredState) -> dict[str, tuple[ModelKey, ...]]:
    """Names to ordered keys; a route by task is the list of its targets."""
    return {
        name: cast("tuple[ModelKey, ...]", alias_targets(document.aliases[name]))
        for name in sorted(document.aliases)
    }


def _memory(document: DesiredState) -> MemoryLimit:
    limit = document.limits.memory
    if isinstance(limit, Share):
        return MemoryLimit(share=limit.value)
    return MemoryLimit(share=None, size=limit)
