"""What the clock adds to a model that is not to be loaded now: when it comes back, from when on its
files are there, and why it may be in spare memory until then. Pure.

Called by `resolve` with the models as windows and leases leave them. All of it is read off the
calendar at that instant; what is loaded, and whether there is room, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from reconciler.closing import LINGERS, Close, bridge, closes
from reconciler.overlay import Coming, Return, coming
from reconciler.prewarm import Loads, lead
from reconciler.state import EffectiveModel, ModelState, Spare
from reconciler.timetable import HORIZON
from reconciler.turns import Turns
from schemas.desired import DesiredState

RESTING = (ModelState.ABSENT, ModelState.DOWNLOADED)


@dataclass(frozen=True, slots=True)
class Hours:
    """The models, and the instants after `at` at which the clock gives one of them another value,
    openings and closings of windows left out.
    """

    models: tuple[EffectiveModel, ...]
    changes: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class _Facts:
    """What the calendar says about one model at an instant."""

    document: DesiredState
    at: datetime
    load_s: float
    coming: Coming
    close: Close | None

    @property
    def hard(self) -> bool:
        return self.close is not None and self.close.how == "hard"

    def fetched_from(self, back: Return) -> datetime:
        """From when on the files of a model that comes back are to be on disk."""
        prefetch = self.document.schedules[back.window].prefetch if back.window else 0
        begin = back.at - min(timedelta(seconds=min(prefetch, 1e9)), HORIZON)
        prewarm = self.prewarmed_from() if back.window else None
        return begin if prewarm is None else min(begin, prewarm)

    def prewarmed_from(self) -> datetime | None:
        """From when on the model is loaded ahead."""
        back = self.coming.loaded
        if back is None:
            return None
        ahead = lead(self.document.schedules[back.turned], self.load_s)
        return None if ahead is None else back.at - ahead

    def bridged_from(self) -> datetime | None:
        """From when on what is loaded stays, as a window is about to want it."""
        back = self.coming.loaded
        if back is None or back.window is None or self.hard:
            return None
        return back.at - bridge(self.load_s)

    def changes(self) -> list[datetime]:
        """All instants of the calendar that matter here."""
        found = [self.prewarmed_from(), self.bridged_from()]
        if self.coming.served is not None:
            found.append(self.fetched_from(self.coming.served))
        if self.close is not None:
            found.append(self.close.at + LINGERS)
        return [moment for moment in found if moment is not None and moment > self.at]


def by_the_clock(
    document: DesiredState,
    windows: Sequence[str],
    models: Sequence[EffectiveModel],
    loads: Loads,
    turns: Turns,
    leased: Collection[str] = (),
) -> Hours:
    """The models with what the clock adds at the instant that `turns` follow. `document` is without
    its windows; `leased` names models whose state a lease sets: no window has a say in them while
    it lasts.
    """
    at = turns.at
    away = [m.key for m in models if m.state is not ModelState.LOADED and m.key not in leased]
    back, closed = coming(document, windows, away, turns), closes(document, away, at)
    result, changes = [], set[datetime]()
    for model in models:
        if model.key in back or model.key in closed:
            facts = _Facts(
                document,
                at,
                loads.of(model.key),
                back.get(model.key, Coming()),
                closed.get(model.key),
            )
            changes.update(facts.changes())
            model = _placed(model, facts)  # noqa: PLW2901 - the same model, with more known
        result.append(model)
    return Hours(tuple(result), tuple(sorted(changes)))


def _placed(model: EffectiveModel, facts: _Facts) -> EffectiveModel:
    served, loaded = facts.coming.served, facts.coming.loaded
    rests = model.state in RESTING
    if served is not None and model.state is ModelState.ABSENT:
        model = _fetched(model, facts, served)
    spare = _spare(model, facts)
    ahead = loaded if spare is Spare.PREWARM else None
    return replace(
        model,
        served_at=served.at if rests and served is not None else model.served_at,
        drain_s=0.0 if rests and facts.hard else model.drain_s,
        context=ahead.context if ahead is not None else model.context,
        spare=spare,
        loaded_at=loaded.at if loaded is not None else None,
    )


def _fetched(model: EffectiveModel, facts: _Facts, back: Return) -> EffectiveModel:
    """A model of which nothing is kept between its windows: its files are there in time."""
    if facts.at < facts.fetched_from(back):
        return model
    because = f"schedule/{back.window}" if back.window else "document"
    return replace(model, state=ModelState.DOWNLOADED, because=because)


def _spare(model: EffectiveModel, facts: _Facts) -> Spare | None:
    """Why the model may be in spare memory. One that requests may load meanwhile is loaded ahead
    only if its window wants it just as it is: what serves is not reloaded for it.
    """
    if model.state is ModelState.ABSENT:
        return None
    begin, kept, loaded = facts.prewarmed_from(), facts.bridged_from(), facts.coming.loaded
    alike = loaded is not None and loaded.context == model.context
    if begin is not None and facts.at >= begin and (alike or model.state in RESTING):
        return Spare.PREWARM
    if kept is not None and facts.at >= kept:
        return Spare.BRIDGE
    return Spare.LAZY if facts.close is not None and facts.close.how == "lazy" else None
