"""When windows are open: the rules of a schedule turned into spans of UTC time. Pure.

All arithmetic is in UTC. Wall times become instants in one function, for starts and ends alike,
so that windows that adjoin on the wall clock adjoin in time, also in the nights in which clocks
change. Nothing here looks at a clock, and no instant outlives the call: rules are kept, not times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from schemas.schedule import DAYS, Schedule

HORIZON = timedelta(days=400)
"""How far ahead anybody looks: every weekly rule and every change of clocks comes up in it."""
FIRST_YEAR, LAST_YEAR = 1970, 2200
"""Of the instants that somebody may ask about: beyond them no calendar is sure."""

DAY = timedelta(days=1)
_SLACK = 2
"""Days by which local dates and UTC may be apart: one for the zone, one for a day left out."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Half-open: from `start` on, until just before `end`; both in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Turn:
    """An instant at which windows open or close, and the zone in which people think of it."""

    at: datetime
    zone: str
    opens: tuple[str, ...]
    closes: tuple[str, ...]


@lru_cache(maxsize=32768)
def instant(day: date, seconds: int, zone: ZoneInfo) -> datetime:
    """The instant of a wall time, in UTC; `seconds` after midnight, at most a whole day.

    A time that comes twice is the first one; a time that is left out is the moment at which
    clocks jump over it. So a later wall time is never an earlier instant.
    """
    wall = datetime.combine(day, time()) + timedelta(seconds=seconds)
    before, after = _offsets(wall, zone)
    if before >= after:
        return (wall - before).replace(tzinfo=UTC)
    early, late = wall - after, wall - before  # left out: the jump is between these two
    while late - early > timedelta(seconds=1):
        middle = early + (late - early) // 2
        middle = middle.replace(microsecond=0)
        if _local(middle, zone) >= wall:
            late = middle
        else:
            early = middle
    return late.replace(tzinfo=UTC)


def spans(schedule: Schedule, zone: ZoneInfo, first: date, last: date) -> Iterator[Span]:
    """Every time the window opens with a start on a date of `first` to `last`, ordered by start.

    What the change of clocks leaves nothing of is not among them.
    """
    rules = _rules(schedule)
    excepted = {date.fromisoformat(text) for text in schedule.except_}
    day = first
    while day <= last:
        if day not in excepted:
            weekday = day.weekday()
            found = [rule.on(day, zone) for rule in rules if weekday in rule.days]
            if len(found) > 1:
                found.sort()
            for span in found:
                if span.start < span.end:
                    yield span
        day += DAY


def around(schedule: Schedule, zone: ZoneInfo, at: datetime, ahead: timedelta) -> Iterator[Span]:
    """The spans that end after `at` and whose starts lie at most about `ahead` of it."""
    today = at.astimezone(zone).date()
    first, last = today - DAY * (longest(schedule) + _SLACK), today + DAY * _SLACK + ahead
    return (span for span in spans(schedule, zone, first, last) if span.end > at)


def longest(schedule: Schedule) -> int:
    """Days from the date of a start to the date of its end, at most."""
    return max(rule.length for rule in _rules(schedule))


def active(schedule: Schedule, zone: ZoneInfo, at: datetime) -> bool:
    """Whether the window is open at an instant, whatever happened before it."""
    return any(span.start <= at for span in around(schedule, zone, at, timedelta()))


def next_boundary(schedule: Schedule, zone: ZoneInfo, at: datetime) -> datetime | None:
    """The first instant after `at` at which the window opens or closes; None: not in 400 days."""
    return standing(schedule, zone, at)[1]


def standing(schedule: Schedule, zone: ZoneInfo, at: datetime) -> tuple[bool, datetime | None]:
    """`active` and `next_boundary` at once."""
    until: datetime | None = None
    for span in around(schedule, zone, at, HORIZON):
        if until is None:
            if span.start > at:
                return False, span.start
            until = span.end
        elif span.start <= until:
            until = max(until, span.end)
        else:
            return True, until
    if until is None:
        return False, None
    return True, until if until < at + HORIZON else None


def ended(schedule: Schedule, zone: ZoneInfo, at: datetime, back: timedelta) -> datetime | None:
    """The last instant until `at` at which the window closed, if within `back` of it. Where another
    of its spans goes on, such as the next whole day, it did not.
    """
    today = at.astimezone(zone).date()
    first = today - back - DAY * (longest(schedule) + _SLACK)
    found = tuple(spans(schedule, zone, first, today + DAY * _SLACK))
    ends = {span.end for span in found if at - back < span.end <= at}
    return max(
        (end for end in ends if not any(each.start <= end < each.end for each in found)),
        default=None,
    )


def adjusted(
    schedule: Schedule, zone: ZoneInfo, at: datetime, ahead: timedelta = timedelta(days=7)
) -> tuple[str, ...]:
    """In words, what changes of clocks do to the starts and ends that come until `at + ahead`, in
    the order of their dates.
    """
    rules = _rules(schedule)
    excepted = {date.fromisoformat(text) for text in schedule.except_}
    day = at.astimezone(zone).date() - DAY * (longest(schedule) + _SLACK)
    found: dict[str, None] = {}
    while day <= (at + ahead).astimezone(zone).date():
        for rule in rules:
            if day in excepted or day.weekday() not in rule.days:
                continue
            span = rule.on(day, zone)
            if span.end > at and span.start < at + ahead:
                found.update(dict.fromkeys(rule.moved(day, zone)))
        day += DAY
    return tuple(found)


def skipped(
    schedule: Schedule, zone: ZoneInfo, at: datetime, until: datetime
) -> Iterator[tuple[datetime, str]]:
    """Each time after `at`, up to `until`, that clocks jump over as a whole, so that the window
    does not open: when they jump, and the words of `adjusted`.
    """
    rules = _rules(schedule)
    excepted = {date.fromisoformat(text) for text in schedule.except_}
    for day in jumps(zone, at, until):
        for rule in rules:
            if day in excepted or day.weekday() not in rule.days:
                continue
            span = rule.on(day, zone)
            if span.start >= span.end and at < span.start <= until:
                yield from ((span.start, words) for words in rule.moved(day, zone))


def jumps(zone: ZoneInfo, at: datetime, until: datetime) -> Iterator[date]:
    """The local dates around each change of clocks between two instants."""
    day = at.astimezone(zone).date() - DAY * _SLACK
    last = until.astimezone(zone).date() + DAY * _SLACK
    told = day
    while day <= last:
        night, next_night = (datetime.combine(each, time()) for each in (day, day + DAY))
        if _offsets(night, zone)[0] != _offsets(next_night, zone)[1]:
            for near in (day - DAY, day, day + DAY):
                if near >= told:
                    yield near
                    told = near + DAY
        day += DAY


def zone_of(schedule: Schedule, document_zone: str | None) -> ZoneInfo:
    """The zone of a window's times: its own, else the document's, which a valid one has."""
    return ZoneInfo(schedule.timezone or document_zone or "UTC")


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule in numbers: weekdays of the start, seconds after midnight, days to the end."""

    days: frozenset[int]
    start: int
    end: int
    length: int

    @staticmethod
    @lru_cache(maxsize=1024)
    def of(days: tuple[str, ...], begin: str, end: str) -> _Rule:
        """The rule that was written; its texts are quicker to look up than the record of them."""
        from_day, _, from_clock = begin.rpartition(" ")
        to_day, _, to_clock = end.rpartition(" ")
        start, close = _seconds(from_clock), _seconds(to_clock)
        over = 1 if close <= start else 0
        if not from_day:
            return _Rule(frozenset(_weekdays(days)), start, close, over)
        weekday = DAYS.index(from_day)
        length = (DAYS.index(to_day) - weekday) % 7
        return _Rule(frozenset({weekday}), start, close, length or 7 * over)

    def on(self, day: date, zone: ZoneInfo) -> Span:
        """The span that starts on a date; empty when clocks jump over all of it."""
        return Span(
            instant(day, self.start, zone), instant(day + DAY * self.length, self.end, zone)
        )

    def moved(self, day: date, zone: ZoneInfo) -> Iterator[str]:
        """In words, which ends of the span that starts on a date clocks jump over."""
        last = day + DAY * self.length
        span = self.on(day, zone)
        if span.start >= span.end:
            yield f"{day} {_clock(self.start)}-{_clock(self.end)} does not exist: skipped"
            return
        for date_, seconds, end in ((day, self.start, span.start), (last, self.end, span.end)):
            wall = datetime.combine(date_, time()) + timedelta(seconds=seconds)
            local = end.astimezone(zone).replace(tzinfo=None)
            if local != wall:
                there = (
                    f"{local:%H:%M}" if local.date() == wall.date() else f"{local:%Y-%m-%d %H:%M}"
                )
                yield f"{wall:%Y-%m-%d %H:%M} does not exist -> {there}"


def _rules(schedule: Schedule) -> list[_Rule]:
    return [_Rule.of(when.days, when.from_, when.to) for when in schedule.when]


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}"


def _weekdays(days: Iterable[str]) -> Iterator[int]:
    """ "mon-thu", "sun" -> 0 1 2 3 6; a span may run over the end of the week; none: all."""
    spans_ = tuple(days) or ("mon-sun",)
    for text in spans_:
        first, _, last = text.partition("-")
        begin = DAYS.index(first)
        count = (DAYS.index(last or first) - begin) % 7
        yield from ((begin + step) % 7 for step in range(count + 1))


def _seconds(clock: str) -> int:
    hours, minutes, *rest = (int(part) for part in clock.split(":"))
    return hours * 3600 + minutes * 60 + sum(rest)


def _offsets(wall: datetime, zone: ZoneInfo) -> tuple[timedelta, timedelta]:
    """What the zone is ahead of UTC at a wall time, read as before and as after a change."""
    before = wall.replace(tzinfo=zone, fold=0).utcoffset()
    after = wall.replace(tzinfo=zone, fold=1).utcoffset()
    return before or timedelta(), after or timedelta()


def _local(utc: datetime, zone: ZoneInfo) -> datetime:
    """The wall time of an instant given in UTC without a zone."""
    return utc.replace(tzinfo=UTC).astimezone(zone).replace(tzinfo=None)
