"""The coming hours: what the clock alone will have in memory, who loses, and who then waits.

A walk from one instant at which the clock changes something to the next. At each the plan of that
instant is made, by the same code that the loop runs, for the world that the one before left
behind, and taken to end well: nothing fails, nobody asks for anything, files arrive in time. Pure;
asked for by previews over HTTP and on the command line, never by the loop. A walk of N instants
costs about three plans each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from reconciler import projection
from reconciler.budget import accounted
from reconciler.overlay import for_host
from reconciler.picture import Picture
from reconciler.routes import closed
from reconciler.silences import silences
from reconciler.state import InstancePhase, ModelKey, ModelState
from reconciler.timetable import adjusted, zone_of
from schemas.desired import DesiredState
from schemas.quantities import format_bytes

__all__ = ["Gap", "Loser", "Stretch", "Timeline", "overcommitted", "timeline"]


@dataclass(frozen=True, slots=True)
class Loser:
    """A model that is to be loaded and has no place, or cannot be; `needs` bytes, None: unknown."""

    model: ModelKey
    needs: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """From `start` on until just before `end` the clock changes nothing.

    Bytes by model: `loaded` is what answers, `standby` what is in memory and answers nobody.
    `on_demand` may be loaded by requests. `reserved` is the sum of both maps.
    """

    start: datetime
    end: datetime
    windows: tuple[str, ...]
    loaded: Mapping[ModelKey, int]
    standby: Mapping[ModelKey, int]
    on_demand: tuple[ModelKey, ...]
    losers: tuple[Loser, ...]
    aliases: Mapping[str, tuple[ModelKey, ...]]

    @property
    def reserved(self) -> int:
        """Bytes of the budget that are taken."""
        return sum(self.loaded.values()) + sum(self.standby.values())

    @property
    def wanted(self) -> int:
        """Bytes that all models which are to be loaded would take together."""
        return sum(self.loaded.values()) + sum(loser.needs or 0 for loser in self.losers)


@dataclass(frozen=True, slots=True)
class Gap:
    """From `start` on a name answers nobody, for so many seconds by measured loads; None: what
    has to be loaded never was. Answers that still run make it longer, by `drain` at most.
    """

    name: str
    start: datetime
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The coming hours. `zone` is that of the document; `budget` None: not known yet."""

    zone: str
    start: datetime
    end: datetime
    budget: int | None
    stretches: tuple[Stretch, ...]
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...]


def timeline(picture: Picture, hours: float, host: str) -> Timeline:
    """What the clock brings from the instant of the picture on, on the machine of that name."""
    start = picture.asked_at or picture.observed.at
    end = start + timedelta(hours=hours)
    accepted = picture.config.accepted
    document = for_host(accepted.document, host) if accepted is not None else None
    found = Timeline(
        zone=(document.timezone if document is not None else None) or "UTC",
        start=start,
        end=end,
        budget=None,
        stretches=(),
        gaps=(),
        notes=(),
    )
    stretches: list[Stretch] = []
    gaps: list[Gap] = []
    for opening, rest, until in _walk(picture, start, end, host):
        stretch = _stretch(rest, until)
        if stretches and _alike(stretches[-1], stretch):
            stretches[-1] = replace(stretches[-1], end=until)
        else:
            stretches.append(stretch)
        if stretch.start > start:
            gaps += (Gap(each.name, stretch.start, each.seconds) for each in silences(opening))
        found = replace(found, budget=rest.plan.budget)
    found = replace(found, stretches=tuple(stretches), gaps=tuple(gaps))
    moved = _moved(document, start, end - start) if document is not None else ()
    return replace(found, notes=(*moved, *overcommitted(found)))


def overcommitted(found: Timeline) -> tuple[str, ...]:
    """A sentence for each time at which more is to be loaded than there is memory for; for whoever
    changes the document.
    """
    sentences = []
    for first, last in _runs(found):
        names = ", ".join(loser.model for loser in first.losers)
        verb = "loses" if len(first.losers) == 1 else "lose"
        budget = format_bytes(found.budget or 0)
        sentences.append(
            f"{_when(first.start, last.end, found.zone)} wants {format_bytes(first.wanted)} "
            f"of {budget}; {names} {verb}"
        )
    return tuple(sentences)


def _runs(found: Timeline) -> Iterator[tuple[Stretch, Stretch]]:
    """First and last of the stretches in a row in which the same models have no place."""
    run: tuple[Stretch, Stretch] | None = None
    for stretch in found.stretches:
        over = bool(stretch.losers) and stretch.wanted > (found.budget or 0)
        if run is not None and over and _same(run[0], stretch):
            run = (run[0], stretch)
            continue
        if run is not None:
            yield run
        run = (stretch, stretch) if over else None
    if run is not None:
        yield run


def _same(one: Stretch, two: Stretch) -> bool:
    return one.wanted == two.wanted and [r.model for r in one.losers] == [
        r.model for r in two.losers
    ]


def _alike(one: Stretch, two: Stretch) -> bool:
    return replace(one, start=two.start, end=two.end) == two


def _when(start: datetime, end: datetime, zone: str) -> str:
    """Two instants as people say them: Tue 08:00-09:00."""
    first, last = (moment.astimezone(ZoneInfo(zone)) for moment in (start, end))
    same = first.date() == (last - timedelta(microseconds=1)).date()
    until = f"{last:%H:%M}" if same and last.date() == first.date() else f"{last:%a %H:%M}"
    return f"{first:%a %H:%M}-{until}"


def _moved(document: DesiredState, start: datetime, ahead: timedelta) -> Iterator[str]:
    for name, schedule in document.schedules.items():
        zone = zone_of(schedule, document.timezone)
        yield from (f"{name}: {words}" for words in adjusted(schedule, zone, start, ahead))


def _walk(
    picture: Picture, start: datetime, end: datetime, host: str
) -> Iterator[tuple[Picture, Picture, datetime]]:
    """From instant to instant: the plan there, the world it leads to, and until when that lasts."""
    at = start
    while at < end:
        opening = projection.opening(picture, at, host)
        picture = projection.at_rest(opening, host)
        until = min(picture.effective.until or end, end)
        yield opening, picture, until
        at = until


def _stretch(picture: Picture, until: datetime) -> Stretch:
    effective, verdicts = picture.effective, picture.plan.verdicts
    loaded: dict[ModelKey, int] = {}
    standby: dict[ModelKey, int] = {}
    for model in effective.models:
        verdict = verdicts[model.key]
        if model.state is ModelState.LOADED and verdict.wanted and verdict.admitted:
            loaded[model.key] = verdict.need.total
            continue
        found = [i for i in picture.observed.instances if i.key == model.key]
        if not found:
            continue
        answers = any(i.phase is InstancePhase.CURRENT for i in found) and model.spare is None
        place = standby if closed(model, picture.plan) or not answers else loaded
        place[model.key] = sum(map(accounted, found))
    return Stretch(
        start=picture.observed.at,
        end=until,
        windows=effective.windows,
        loaded=loaded,
        standby=standby,
        on_demand=tuple(m.key for m in effective.models if m.state is ModelState.ON_DEMAND),
        losers=tuple(_losers(picture)),
        aliases=effective.aliases,
    )


def _losers(picture: Picture) -> Iterator[Loser]:
    """Models that are to be loaded and will not be. Nobody loses before the device is known."""
    for model in picture.effective.models:
        verdict = picture.plan.verdicts[model.key]
        resting = verdict.reason in ("Suspended", "ProbePending")
        if model.state is ModelState.LOADED and not verdict.admitted and not resting:
            needs = verdict.need.total if verdict.need.basis != "unknown" else None
            yield Loser(model.key, needs, verdict.message)
