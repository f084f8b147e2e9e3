"""Two on-demand models that take each other's memory again and again: one has to wait. Pure.

Declared models cannot do that, as who is loaded follows from the document. Requests can: each
one for the other model unloads what the last one loaded. The core keeps `Thrash` in memory; a
restart forgets it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.actions import Action, Load, Plan, Unload
from reconciler.state import Effective, ModelKey, ModelState

TIMES = 3
WITHIN = timedelta(minutes=10)
PAUSE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Displaced:
    """A model was unloaded because requests for another one needed its memory, place or group."""

    at: datetime
    loser: ModelKey
    winner: ModelKey


@dataclass(frozen=True, slots=True)
class Refusal:
    """A model displaces nobody until then; `times` it and `rival` displaced each other."""

    until: datetime
    rival: ModelKey
    times: int


@dataclass(frozen=True, slots=True)
class Thrash:
    """What happened lately, and who is refused for it."""

    displaced: tuple[Displaced, ...] = ()
    refused: Mapping[ModelKey, Refusal] = field(default_factory=dict)

    def at(self, at: datetime) -> Thrash:
        """What of it still counts. A clock that went back far makes all of it void."""
        if not self.displaced and not self.refused:
            return self
        lately = tuple(d for d in self.displaced if timedelta() <= at - d.at < WITHIN)
        refused = {k: r for k, r in self.refused.items() if timedelta() < r.until - at <= PAUSE}
        return Thrash(lately, refused)

    def pardoned(self, keys: Collection[ModelKey]) -> Thrash:
        """Somebody wants these models tried again."""
        if not any(key in self.refused for key in keys):
            return self
        return replace(self, refused={k: r for k, r in self.refused.items() if k not in keys})

    def after(
        self, decided: Plan, start: Iterable[Action], effective: Effective, at: datetime
    ) -> Thrash:
        """With the displacements that these starts are. The third of one pair within ten minutes
        has the model that lost it refused for as long.
        """
        found = [
            Displaced(at, action.model, winner)
            for action in start
            if isinstance(action, Unload)
            for winner in _winners(action, decided, effective)
        ]
        result = self
        for each in found:
            result = result._with(each)
        return result

    def _with(self, new: Displaced) -> Thrash:
        pair = {new.loser, new.winner}
        displaced = (*self.displaced, new)
        times = sum({d.loser, d.winner} == pair for d in displaced)
        if times < TIMES:
            return replace(self, displaced=displaced)
        refusal = Refusal(new.at + PAUSE, new.winner, times)
        rest = tuple(d for d in displaced if {d.loser, d.winner} != pair)
        return Thrash(rest, {**self.refused, new.loser: refusal})


def words(key: ModelKey, refusal: Refusal) -> str:
    """Why a model is refused, for people."""
    until = refusal.until.isoformat(timespec="seconds").replace("+00:00", "Z")
    return (
        f"{key} and {refusal.rival} displaced each other {refusal.times} times within "
        f"{int(WITHIN.total_seconds() // 60)} minutes, so {key} displaces nobody until {until}"
    )


def _winners(action: Unload, decided: Plan, effective: Effective) -> list[ModelKey]:
    """Models that requests want, and whose load waits for this one, which requests want too."""
    verdict = decided.verdicts.get(action.model)
    lost = verdict is not None and verdict.wanted and verdict.admitted is False
    if not lost or not _demanded(action.model, effective):
        return []
    return [
        step.action.model
        for step in decided.steps
        if isinstance(step.action, Load)
        and action.key in step.after
        and step.action.model != action.model
        and _demanded(step.action.model, effective)
    ]


def _demanded(key: ModelKey, effective: Effective) -> bool:
    model = effective.model(key)
    return model is not None and model.state is ModelState.ON_DEMAND and model.demanded
