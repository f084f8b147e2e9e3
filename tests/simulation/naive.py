"""What should hold and who should be admitted, computed again, slowly and from plain data.

Nothing here calls the code under test: windows are found by walking the clock forward, overlays
are laid over plain maps, and the set of admitted models is found by trying all sets. Called by
`oracles` at every step, so results that only depend on the document are kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from reconciler.state import Demand, InstancePhase, InstanceView, Lease
from tests.simulation.documents import SECONDS

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
QUARTER = timedelta(minutes=15)
ROUND = 64 * 1024**2
DRAIN_S = 300.0
KEEP_ALIVE_S = 300.0
LENT = 1001
"""What a lease counts among windows, whose priorities end at 1000."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One model as the plain data have it."""

    order: int
    state: str
    priority: int
    window: int
    pinned: bool
    suspended: bool
    able: bool
    group: str | None
    keep_alive_s: float
    drain_s: float

    def raised(self, demand: Demand | None) -> bool:
        """Whether it is to be in memory: always, or because somebody asks or asked for it."""
        if self.state != "on-demand":
            return self.state == "loaded"
        if demand is None:
            return False
        return demand.waiting > 0 or demand.quiet_s <= 0 or demand.quiet_s < self.keep_alive_s


def models(
    data: Mapping[str, Any], at: datetime, leases: Sequence[Lease] = ()
) -> dict[str, Wanted]:
    """What holds of each model at an instant, before anybody asks for one."""
    entries = {key: dict(each) for key, each in data["models"].items()}
    window: dict[str, int] = {}
    for schedule in opened(data, at):
        for key, changes in schedule["set"]["models"].items():
            entries[key].update(changes)
            if "state" in changes:
                window[key] = schedule["priority"]
    for patch in lent(data, at, leases):
        for key, changes in patch.get("models", {}).items():
            entries[key].update(changes)
            if "state" in changes:
                window[key] = LENT
    return {
        key: Wanted(
            order=order,
            state=each["state"],
            priority=each.get("priority", 50),
            window=window.get(key, 0),
            pinned=each.get("pinned", False),
            suspended=each.get("suspend", False),
            able=each.get("engine", "auto") != "gguf",
            group=each.get("group"),
            keep_alive_s=SECONDS[each["keep_alive"]] if "keep_alive" in each else KEEP_ALIVE_S,
            drain_s=SECONDS[each["drain"]] if "drain" in each else DRAIN_S,
        )
        for order, (key, each) in enumerate(entries.items())
    }


def names(
    data: Mapping[str, Any], at: datetime, leases: Sequence[Lease] = ()
) -> dict[str, list[str]]:
    """What each alias leads to at an instant."""
    found = dict(data["aliases"])
    for schedule in opened(data, at):
        found.update(schedule["set"]["aliases"])
    for patch in lent(data, at, leases):
        found.update(patch.get("aliases", {}))
    return found


def suspended(data: Mapping[str, Any], at: datetime, leases: Sequence[Lease] = ()) -> bool:
    """Whether nothing at all is to be done."""
    found = [data["suspend"], *(p["suspend"] for p in lent(data, at, leases) if "suspend" in p)]
    return bool(found[-1])


def lent(
    data: Mapping[str, Any], at: datetime, leases: Sequence[Lease]
) -> Iterator[Mapping[str, Any]]:
    """The patches in force: not expired, and of models that are there."""
    for lease in leases:
        patch: Mapping[str, Any] = lease.patch
        named = {*patch.get("models", {})}
        named.update(key for keys in patch.get("aliases", {}).values() for key in keys)
        if at < lease.expires_at and named <= {*data["models"]}:
            yield patch


def opened(data: Mapping[str, Any], at: datetime) -> list[Mapping[str, Any]]:
    """The windows that are open, the one that wins last."""
    schedules = data.get("schedules", {})
    found = [
        (each["priority"], name)
        for name, each in schedules.items()
        if any(_is_open(rule, each.get("timezone", data["timezone"]), at) for rule in each["when"])
    ]
    return [schedules[name] for _, name in sorted(found)]


def _is_open(rule: Mapping[str, Any], zone: str, at: datetime) -> bool:
    today = at.astimezone(ZoneInfo(zone)).date()
    begin, end = rule["from"], rule["to"]
    days = tuple(rule.get("days", ()))
    return any(
        start <= at < stop
        for ago in (-1, 0, 1, 2)
        for start, stop in span(today - timedelta(days=ago), begin, end, days, zone)
    )


@lru_cache(maxsize=65536)
def span(
    day: date, begin: str, end: str, days: tuple[str, ...], zone: str
) -> tuple[tuple[datetime, datetime], ...]:
    """Beginning and end of the window that begins on that day, if it does."""
    if days and not any(_names_day(text, day.weekday()) for text in days):
        return ()
    over = timedelta(days=1 if end <= begin else 0)
    return ((_reached(day, begin, zone), _reached(day + over, end, zone)),)


def _names_day(text: str, weekday: int) -> bool:
    first, _, last = text.partition("-")
    at, stop = DAYS.index(first), DAYS.index(last or first)
    while at != stop:
        if at == weekday:
            return True
        at = (at + 1) % 7
    return at == weekday


@lru_cache(maxsize=65536)
def _reached(day: date, clock: str, zone: str) -> datetime:
    """The first instant at which a clock in that zone shows this time or a later one."""
    hours, minutes = map(int, clock.split(":"))
    wall = datetime.combine(day, time()) + timedelta(hours=hours, minutes=minutes)
    here = ZoneInfo(zone)
    at = wall.replace(tzinfo=UTC) - timedelta(hours=15)
    while at.astimezone(here).replace(tzinfo=None) < wall:
        at += QUARTER
    return at


def held(instance: InstanceView) -> int:
    """Bytes an instance takes of the budget."""
    if instance.phase is InstancePhase.DEAD:
        return 0
    if instance.measured is None:
        return instance.reserved
    return rounded(instance.measured) + instance.kv_bytes


def rounded(size: int) -> int:
    """Up to whole 64 MiB."""
    return (size + ROUND - 1) // ROUND * ROUND


def in_order(
    wanted: Mapping[str, Wanted],
    demands: Mapping[Any, Demand],
    instances: Iterable[InstanceView],
    refused: Collection[Any] = (),
) -> list[str]:
    """The models that are wanted, the one that gets memory first first: pinned, then what the
    document loads, then what is in use, waited for, of higher priority, and used last.
    """
    busy = {i.key for i in instances if i.in_flight}

    def place(key: str) -> tuple[Any, ...]:
        model, demand = wanted[key], demands.get(key)
        merit = (-model.priority, -model.window)
        if model.state == "loaded":
            return (not model.pinned, False, merit, model.order)
        waiting = demand is not None and demand.waiting > 0
        since = 0.0 if demand is None or key in busy or waiting else demand.quiet_s
        gives_way = key in refused and key not in busy
        use = (gives_way, key not in busy, not waiting, *merit, since)
        return (not model.pinned, True, use, model.order)

    return sorted(
        (k for k, m in wanted.items() if m.raised(demands.get(k)) and not m.suspended and m.able),
        key=place,
    )


@lru_cache(maxsize=65536)
def admitted(
    sizes: tuple[int, ...],
    groups: tuple[str | None, ...],
    room: int,
    places: int | None,
    gone: frozenset[str],
) -> tuple[bool, ...]:
    """Of all sets that fit, the one that has the earliest models, tried one after the other.

    room, places: bytes and instances that are left; gone: groups that somebody has.
    """
    count = len(sizes)
    for mask in range(2**count - 1, -1, -1):
        chosen = tuple(bool(mask >> (count - 1 - place) & 1) for place in range(count))
        taken = [place for place in range(count) if chosen[place]]
        mates = [each for place in taken if (each := groups[place]) is not None]
        few = places is None or len(taken) <= max(0, places)
        apart = len(mates) == len({*mates}) and gone.isdisjoint(mates)
        if few and apart and sum(sizes[place] for place in taken) <= room:
            return chosen
    return (False,) * count
