"""What a change would lead to, from the pictures without it and with it. Pure.

Asked by whoever makes or rehearses a change: which models it moves, what a person should be warned
of, and the name of the plan it leads to.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace

from reconciler.actions import Action, Load, Publish
from reconciler.picture import Picture
from reconciler.state import EffectiveModel, ModelKey

__all__ = ["plan_id", "touched", "warnings"]


def touched(before: Picture, after: Picture) -> frozenset[str]:
    """The models whose own entry, place in memory or part in a name is another one."""
    old = {model.key: model for model in before.effective.models}
    new = {model.key: model for model in after.effective.models}
    found = {
        key
        for key in old.keys() | new.keys()
        if key not in old
        or key not in new
        or replace(old[key], order=0) != replace(new[key], order=0)
        or _fate(key, before) != _fate(key, after)
    }
    names, aliases = before.effective.aliases, after.effective.aliases
    for name, keys in aliases.items():
        if names.get(name) != keys:
            found.update(keys)
    return frozenset(found)


def warnings(before: Picture, after: Picture, *, changed: bool) -> tuple[str, ...]:
    """Sentences for whoever asked for the change. `changed`: the document is another one."""
    return (
        *_not_admitted(before, after),
        *_without_effect(before, after, changed=changed),
    )


def plan_id(picture: Picture) -> str:
    """A name for what would be done: equal as long as the document, the order of the actions,
    the verdicts and what stands in the way are. It does not move with epochs, progress or numbers
    of instances.
    """
    accepted = picture.config.accepted
    facts = [
        picture.effective.generation,
        accepted.data if accepted is not None else None,
        [[lease.id, lease.patch] for lease in picture.effective.leases],
        [_named(step.action) for step in picture.plan.steps],
        [_verdict(model, picture) for model in picture.effective.models],
        str(picture.asked_at),
    ]
    return f"p-{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]}"


def _verdict(model: EffectiveModel, picture: Picture) -> list[object]:
    verdict, failure = picture.plan.verdicts[model.key], picture.failure(model)
    trouble = failure.reason if failure is not None else None
    return [model.key, verdict.wanted, verdict.admitted, verdict.reason, trouble]


def _fate(key: ModelKey, picture: Picture) -> tuple[object, ...]:
    verdict = picture.plan.verdicts.get(key)
    if verdict is None:
        return ()
    spec = verdict.spec.spec_hash if verdict.spec is not None else None
    return verdict.wanted, verdict.admitted, spec


def _not_admitted(before: Picture, after: Picture) -> Iterator[str]:
    """Who has no place after this and had one, or was not wanted."""
    for key, verdict in after.plan.verdicts.items():
        earlier = before.plan.verdicts.get(key)
        refused = verdict.wanted and verdict.admitted is False
        was_refused = earlier is not None and earlier.wanted and earlier.admitted is False
        if refused and not was_refused:
            yield f"{key} is not admitted after this: {verdict.message}"


def _without_effect(before: Picture, after: Picture, *, changed: bool) -> Iterator[str]:
    same = replace(before.effective, generation=0) == replace(after.effective, generation=0)
    if changed and same:
        turn, leases = after.effective.turn, after.effective.leases
        coming = [*([turn.at] if turn else ()), *(lease.expires_at for lease in leases)]
        at = f"{min(coming):%Y-%m-%dT%H:%MZ}" if coming else ""
        hours = f"; by the clock the next change comes at {at}" if coming else ""
        yield f"nothing that holds at this instant changes{hours}"


def _named(action: Action) -> list[str]:
    """An action by what it does and to whom; uids are numbered anew each time."""
    kind = type(action).__name__
    if isinstance(action, Load):
        return [kind, action.model, action.spec.spec_hash]
    if isinstance(action, Publish):
        return [kind, *(f"{name} {' '.join(keys)}" for name, keys in sorted(action.names.items()))]
    model = getattr(action, "model", None)
    return [kind, model] if model is not None else [action.key]
