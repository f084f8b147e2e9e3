"""Windows in time: weekdays, midnight, several days, left-out dates, and the nights of Paris."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from reconciler.timetable import Span, active, instant, next_boundary, spans
from schemas.schedule import Schedule

PARIS = ZoneInfo("Europe/Paris")
HOUR = timedelta(hours=1)


def window(*rules: dict[str, object], **parts: object) -> Schedule:
    return Schedule.model_validate({"when": list(rules), "set": {}, **parts})


def hours(begin: str, end: str, *days: str) -> dict[str, object]:
    return {"from": begin, "to": end, **({"days": list(days)} if days else {})}


def at(text: str, zone: ZoneInfo = PARIS) -> datetime:
    """A wall time that comes once."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def length(schedule: Schedule, day: str) -> timedelta | None:
    """How long it is open from a start on that date; None when it does not open."""
    start = date.fromisoformat(day)
    found = list(spans(schedule, PARIS, start, start))
    return found[0].end - found[0].start if found else None


@pytest.mark.parametrize(
    ("begin", "end", "plain", "spring", "autumn"),
    [
        ("22:00", "06:00", 8.0, 7.0, 9.0),
        ("22:00", "02:30", 4.5, 4.0, 4.5),
        ("02:30", "10:00", 7.5, 7.0, 8.5),
        ("02:15", "02:45", 0.5, None, 0.5),
        ("00:00", "24:00", 24.0, 23.0, 25.0),
    ],
)
def test_nights_in_which_clocks_change(
    begin: str, end: str, plain: float, spring: float | None, autumn: float
) -> None:
    here = window(hours(begin, end))
    evening = begin == "22:00"
    assert length(here, "2026-06-10") == plain * HOUR
    found = length(here, "2026-03-28" if evening else "2026-03-29")
    assert found == (None if spring is None else spring * HOUR)
    assert length(here, "2026-10-24" if evening else "2026-10-25") == autumn * HOUR


def test_a_time_that_is_left_out_is_the_moment_at_which_clocks_jump() -> None:
    jump = datetime(2026, 3, 29, 1, tzinfo=UTC)
    for minutes in (0, 1, 30, 59):
        assert instant(date(2026, 3, 29), (120 + minutes) * 60, PARIS) == jump
    assert instant(date(2026, 3, 29), 3 * 3600, PARIS) == jump
    assert instant(date(2026, 10, 25), 9000, PARIS) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_a_window_that_ends_in_the_first_pass_does_not_open_again_in_the_second() -> None:
    here = window(hours("22:00", "02:30"))
    end = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert active(here, PARIS, end - timedelta(microseconds=1))
    for minutes in range(0, 180, 5):
        assert not active(here, PARIS, end + timedelta(minutes=minutes))


def test_days_are_those_of_the_start() -> None:
    friday = window(hours("22:00", "06:00", "fri"))
    assert active(friday, PARIS, at("2026-11-20T23:00"))
    assert active(friday, PARIS, at("2026-11-21T05:59:59"))
    assert not active(friday, PARIS, at("2026-11-21T06:00"))
    assert not active(friday, PARIS, at("2026-11-20T05:00"))
    assert not active(friday, PARIS, at("2026-11-21T22:30"))


def test_a_span_of_days_may_run_over_the_end_of_the_week() -> None:
    here = window(hours("12:00", "13:00", "sat-mon", "wed"))
    first = date(2026, 11, 16)  # a Monday
    found = [s.start.weekday() for s in spans(here, PARIS, first, first + timedelta(days=6))]
    assert found == [0, 2, 5, 6]


def test_a_window_over_several_days_is_one_span() -> None:
    here = window(hours("fri 22:00", "mon 06:00"))
    begin, end = at("2026-11-20T22:00"), at("2026-11-23T06:00")
    assert next_boundary(here, PARIS, at("2026-11-20T12:00")) == begin
    assert next_boundary(here, PARIS, begin) == end
    assert next_boundary(here, PARIS, end - HOUR) == end
    assert next_boundary(here, PARIS, end) == begin + timedelta(days=7)
    assert active(here, PARIS, begin)
    assert not active(here, PARIS, end)


@pytest.mark.parametrize(
    ("rule", "days"),
    [
        (hours("fri 22:00", "fri 21:00"), timedelta(days=7) - HOUR),
        (hours("fri 20:00", "fri 22:00"), 2 * HOUR),
        (hours("mon 00:00", "sun 24:00"), timedelta(days=7)),
        (hours("sun 23:00", "mon 24:00"), 25 * HOUR),
    ],
)
def test_how_long_a_span_with_days_lasts(rule: dict[str, object], days: timedelta) -> None:
    first = date(2026, 11, 16)
    (found,) = spans(window(rule), PARIS, first, first + timedelta(days=6))
    assert found.end - found.start == days


def test_a_window_that_never_closes_has_no_boundary() -> None:
    for rule in (hours("00:00", "24:00"), hours("mon 00:00", "sun 24:00")):
        here = window(rule)
        assert active(here, PARIS, at("2026-11-20T12:00"))
        assert next_boundary(here, PARIS, at("2026-11-20T12:00")) is None


def test_rules_that_meet_or_overlap_are_one_opening() -> None:
    here = window(hours("08:00", "12:00"), hours("12:00", "14:00"), hours("13:00", "16:00"))
    assert next_boundary(here, PARIS, at("2026-11-20T09:00")) == at("2026-11-20T16:00")


def test_dates_left_out_are_dates_of_starts() -> None:
    here = window(hours("22:00", "06:00"), **{"except": ["2026-12-24"]})
    assert active(here, PARIS, at("2026-12-24T05:00"))
    assert not active(here, PARIS, at("2026-12-24T23:00"))
    assert not active(here, PARIS, at("2026-12-25T05:00"))
    assert active(here, PARIS, at("2026-12-25T22:00"))
    assert next_boundary(here, PARIS, at("2026-12-24T06:00")) == at("2026-12-25T22:00")


def test_a_day_that_a_zone_left_out_holds_no_opening() -> None:
    """Apia crossed the date line: after 29 December 2011 came the 31st."""
    apia = ZoneInfo("Pacific/Apia")
    here = window(hours("08:00", "16:00"))
    found = list(spans(here, apia, date(2011, 12, 29), date(2011, 12, 31)))
    assert [span.start.astimezone(apia).day for span in found] == [29, 31]
    night = window(hours("22:00", "06:00"))
    found = list(spans(night, apia, date(2011, 12, 29), date(2011, 12, 31)))
    assert [span.end - span.start for span in found] == [2 * HOUR, 6 * HOUR, 8 * HOUR]


def test_seconds_count() -> None:
    here = window(hours("22:00:30", "22:00:31"))
    (found,) = spans(here, PARIS, date(2026, 11, 20), date(2026, 11, 20))
    assert found == Span(at("2026-11-20T22:00:30"), at("2026-11-20T22:00:31"))


def test_a_year_of_nights_is_nominal_but_for_the_clocks() -> None:
    """They gain an hour in autumn and lose one in spring."""
    here = window(hours("22:00", "06:00"))
    found = list(spans(here, PARIS, date(2026, 1, 1), date(2026, 12, 31)))
    assert len(found) == 365
    assert sum((s.end - s.start for s in found), timedelta()) == 365 * 8 * HOUR
    assert all(one.end < two.start for one, two in pairwise(found))
