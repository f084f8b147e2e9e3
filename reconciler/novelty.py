"""The stretches of the coming 400 days in which windows may stand as they never stood before. Pure.

Windows are rules of the week: but for the nights in which clocks change and the dates that are
left out, what is open now was open a week ago. Whoever asks for the first instant at which windows
meet (`clashes`, `pinned`) need not look anywhere else, which is a tenth of the days.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

from reconciler.timetable import DAY, HORIZON, Span, jumps, longest
from schemas.schedule import Schedule

WEEK = 7 * DAY
_SLACK = 3 * DAY
"""By which local dates and UTC, and a rule and its end, may be apart in all."""


def novel(windows: Collection[tuple[Schedule, ZoneInfo]], at: datetime) -> tuple[Span, ...]:
    """Stretches from `at` on, in order and apart from each other. At any instant of the 400 days
    after `at` that is in none of them, the same windows are open as a week before, which is not
    before `at`.
    """
    reach = DAY * max((longest(schedule) for schedule, _ in windows), default=0) + _SLACK
    end = at + HORIZON
    found = [Span(at, min(at + WEEK, end))]
    for day in sorted(set(_odd(windows, at - reach, end + reach))):
        night = datetime.combine(day, time(), UTC)
        start, stop = max(night - reach, at), min(night + WEEK + reach, end)
        if start >= stop:
            continue
        if start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, stop))
        else:
            found.append(Span(start, stop))
    return tuple(found)


def _odd(
    windows: Collection[tuple[Schedule, ZoneInfo]], at: datetime, until: datetime
) -> Iterator[date]:
    """Dates on which some window does not do as it does on that day of other weeks."""
    for zone in dict.fromkeys(zone for _, zone in windows):
        yield from jumps(zone, at, until)
    for schedule, _ in windows:
        yield from (date.fromisoformat(text) for text in schedule.except_)
