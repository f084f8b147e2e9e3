"""What the calendar says of each model, for people: open windows, the next turn, odd nights. Pure.

The loop's `Calendar` asks for it whenever the clock, an edit or a lease may have changed it; what
models are to do about it is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from reconciler.conditions import instant, wall
from reconciler.overlay import TURNS, for_host, open_windows
from reconciler.state import Accepted, Effective, EffectiveModel, ModelKey
from reconciler.timetable import HORIZON, adjusted, skipped, zone_of
from reconciler.turns import Turns
from reconciler.window_states import WindowStates
from schemas.desired import DesiredState
from schemas.status import NextStatus, ScheduleStatus

LEASE = "lease/"


@dataclass(frozen=True, slots=True)
class Skip:
    """A time at which a window does not open, as clocks jump over it, and when they do."""

    at: datetime
    window: str
    words: str


@dataclass(frozen=True, slots=True)
class Agenda:
    """What is known of a document's windows at an instant; `skips` by time."""

    schedules: Mapping[ModelKey, ScheduleStatus] = field(default_factory=dict)
    skips: tuple[Skip, ...] = ()


EMPTY = Agenda()


def agenda(accepted: Accepted, held: Effective, at: datetime, host: str) -> Agenda:
    """The agenda at an instant. `held` is what the document, its windows and leases say then; it
    is right until `held.until`, and the skips are those until then.
    """
    document = for_host(accepted.document, host)
    if not document.schedules:
        return EMPTY
    until = min(held.until or at + HORIZON, at + HORIZON)
    zones = {name: zone_of(each, document.timezone) for name, each in document.schedules.items()}
    found = (
        Skip(jump, name, f"{name} is left out: {words}")
        for name, schedule in document.schedules.items()
        for jump, words in skipped(schedule, zones[name], at, until)
    )
    named = {key for schedule in document.schedules.values() for key in schedule.set.models}
    odd = {
        name: tuple(f"{name}: {words}" for words in adjusted(schedule, zones[name], at))
        for name, schedule in document.schedules.items()
    }
    turns = _turns(document, held, at)
    schedules = {
        model.key: ScheduleStatus(
            zone=document.timezone or "UTC",
            active=tuple(n for n in held.windows if _names(document, n, model.key)),
            next=_after_lease(document, held, model) or turns.get(model.key),
            adjusted=tuple(w for n in odd if _names(document, n, model.key) for w in odd[n]),
        )
        for model in held.models
        if model.key in named
    }
    return Agenda(schedules, tuple(sorted(found, key=lambda skip: (skip.at, skip.window))))


def _names(document: DesiredState, window: str, key: ModelKey) -> bool:
    """Does the window set anything of the model."""
    return key in document.schedules[window].set.models


def _turns(document: DesiredState, held: Effective, at: datetime) -> dict[ModelKey, NextStatus]:
    """By model, the next time at which a window gives it another state. What a lease sets stays
    until the lease ends.
    """
    states = WindowStates(document)
    may = states.ever()
    open_ = set(held.windows)
    before = states.setters(open_)
    waiting = {
        model.key
        for model in held.models
        if not model.because.startswith(LEASE)
        and may.get(model.key, set()) - {states.said(before.get(model.key), model.key)}
    }
    found: dict[ModelKey, NextStatus] = {}
    for turn in islice(Turns(document, at), TURNS):
        if not waiting or turn.at - at > HORIZON:
            break
        open_ = (open_ | set(turn.opens)) - set(turn.closes)
        setting = states.setters(open_)
        for key in sorted(waiting):
            state = states.said(setting.get(key), key)
            if state != states.said(before.get(key), key):
                window = setting[key] if setting.get(key) in turn.opens else before.get(key)
                local = wall(turn.at, turn.zone)
                found[key] = NextStatus(instant(turn.at), local, state, window)
        waiting -= found.keys()
    return found


def _after_lease(
    document: DesiredState, held: Effective, model: EffectiveModel
) -> NextStatus | None:
    """When the lease that sets a state ends; None where none does, or another takes over."""
    setting = [lease for lease in held.leases if _sets_state(lease.patch, model.key)]
    if len(setting) != 1 or model.because != f"{LEASE}{setting[0].id}":
        return None
    at = setting[0].expires_at
    states = WindowStates(document)
    state = states.said(states.setters(open_windows(document, at)).get(model.key), model.key)
    return NextStatus(instant(at), wall(at, document.timezone or "UTC"), state, None)


def _sets_state(patch: Mapping[str, object], key: ModelKey) -> bool:
    models = patch.get("models")
    fields = models.get(key) if isinstance(models, Mapping) else None
    return isinstance(fields, Mapping) and "state" in fields
