"""Windows in every zone there is, in the nights in which its clocks change, 2000 to 2037."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.timetable import active, instant, next_boundary, spans
from schemas.schedule import Schedule

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2037, 12, 31, tzinfo=UTC)
STEP = timedelta(days=10)
SECOND = timedelta(seconds=1)
NAMES = sorted(name for name in available_timezones() if name != "localtime")


@cache
def changes(name: str) -> tuple[datetime, ...]:
    """The instants at which the clocks of a zone change."""
    zone = ZoneInfo(name)
    found = []
    at, offset = FIRST, FIRST.astimezone(zone).utcoffset()
    while at < LAST:
        later = at + STEP
        other = later.astimezone(zone).utcoffset()
        if other != offset:
            low, high = at, later
            while high - low > SECOND:
                middle = low + (high - low) // 2
                middle = middle.replace(microsecond=0)
                if middle.astimezone(zone).utcoffset() == offset:
                    low = middle
                else:
                    high = middle
            found.append(high)
        at, offset = later, other
    return tuple(found)


@cache
def distinct() -> tuple[str, ...]:
    """One name for all zones that are alike in these years."""
    found: dict[object, str] = {}
    for name in NAMES:
        zone = ZoneInfo(name)
        offsets = tuple(at.astimezone(zone).utcoffset() for at in (FIRST, *changes(name)))
        found.setdefault((changes(name), offsets), name)
    return tuple(found.values())


def cases() -> Iterator[tuple[str, datetime]]:
    return ((name, change) for name in distinct() for change in changes(name))


def walls(zone: ZoneInfo, change: datetime) -> list[datetime]:
    """Wall times on both sides of a change and inside it, in order."""
    before = (change - SECOND).astimezone(zone).replace(tzinfo=None) + SECOND
    after = change.astimezone(zone).replace(tzinfo=None)
    low, high = min(before, after), max(before, after)
    inside = [low + (high - low) * part // 4 for part in (1, 2, 3)]
    inside = [wall.replace(microsecond=0) for wall in inside]
    quarter = timedelta(minutes=15)
    return [
        low - 4 * quarter,
        low - quarter,
        low,
        *inside,
        high,
        high + quarter,
        high + 4 * quarter,
    ]


def test_there_are_zones_and_changes() -> None:
    assert len(NAMES) > 400
    assert len(distinct()) > 100
    assert sum(1 for _ in cases()) > 2_000


def test_a_later_wall_time_is_never_an_earlier_instant() -> None:
    for name, change in cases():
        zone = ZoneInfo(name)
        found = []
        for wall in walls(zone, change):
            seconds = wall.hour * 3600 + wall.minute * 60 + wall.second
            found.append(instant(wall.date(), seconds, zone))
            back = found[-1].astimezone(zone).replace(tzinfo=None)
            assert back == wall or found[-1] == change, (name, wall)
        assert found == sorted(found), (name, change)


def window(begin: datetime, end: datetime) -> Schedule:
    when = {"from": f"{begin:%H:%M:%S}", "to": f"{end:%H:%M:%S}"}
    return Schedule.model_validate({"when": [when], "set": {}})


def test_windows_that_tile_the_day_have_exactly_one_open_and_hold_until_the_boundary() -> None:
    """A sample, as each takes milliseconds: every 41st change, over all zones and years."""
    for number, (name, change) in enumerate(cases()):
        if number % 41:
            continue
        zone = ZoneInfo(name)
        edges = walls(zone, change)[2:7:2]
        if len({edge.time() for edge in edges}) < 3:
            continue
        tiles = [window(one, two) for one, two in pairwise([*edges, edges[0]])]
        for minutes in (-90, -31, -1, 0, 1, 29, 61, 150):
            at = change + timedelta(minutes=minutes)
            open_ = [tile for tile in tiles if active(tile, zone, at)]
            assert len(open_) == 1, (name, at)
        at = change - timedelta(minutes=45)
        for tile in tiles:
            until = next_boundary(tile, zone, at)
            assert until is not None
            assert until > at
            state = active(tile, zone, at)
            assert active(tile, zone, at + (until - at) / 2) is state
            assert active(tile, zone, until - timedelta(microseconds=1)) is state
            assert active(tile, zone, until) is not state


@pytest.mark.parametrize("part", range(4))
def test_a_year_of_tiles_has_no_gap_and_no_overlap(part: int) -> None:
    for number, name in enumerate(NAMES[part::16]):
        zone = ZoneInfo(name)
        year = 2000 + (number * 7 + part) % 38
        night = Schedule.model_validate({"when": [{"from": "02:30", "to": "00:30"}], "set": {}})
        rest = Schedule.model_validate({"when": [{"from": "00:30", "to": "02:30"}], "set": {}})
        both = sorted(
            span
            for tile in (night, rest)
            for span in spans(tile, zone, date(year, 1, 1), date(year, 12, 31))
        )
        assert all(one.end == two.start for one, two in pairwise(both)), (name, year)


CLOCK = st.integers(0, 24 * 60 - 1).map(lambda m: f"{m // 60:02}:{m % 60:02}")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@settings(max_examples=60)
@given(
    name=st.sampled_from(NAMES),
    rules=st.lists(
        st.one_of(
            st.tuples(CLOCK, CLOCK, st.sampled_from([*DAYS, "mon-fri", "sat-mon"])).map(
                lambda t: {"from": t[0], "to": t[1], "days": [t[2]]}
            ),
            st.tuples(st.sampled_from(DAYS), CLOCK, st.sampled_from(DAYS), CLOCK).map(
                lambda t: {"from": f"{t[0]} {t[1]}", "to": f"{t[2]} {t[3]}"}
            ),
        ).filter(lambda rule: rule["from"] != rule["to"]),
        min_size=1,
        max_size=3,
    ),
    at=st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001 - made aware below
    part=st.floats(0, 0.999),
)
def test_nothing_changes_before_the_next_boundary(
    name: str, rules: list[dict[str, object]], at: datetime, part: float
) -> None:
    here = Schedule.model_validate({"when": rules, "set": {}})
    zone, now = ZoneInfo(name), at.replace(tzinfo=UTC)
    until = next_boundary(here, zone, now)
    assert until is None or until > now
    state = active(here, zone, now)
    if until is not None:
        assert active(here, zone, now + (until - now) * part) is state
        assert active(here, zone, until) is not state


@pytest.mark.parametrize("local", ["UTC", "Pacific/Apia", "America/St_Johns", "Asia/Kathmandu"])
def test_the_zone_of_the_process_has_no_say(local: str, monkeypatch: pytest.MonkeyPatch) -> None:
    here = Schedule.model_validate({"when": [{"from": "22:00", "to": "02:30"}], "set": {}})
    paris = ZoneInfo("Europe/Paris")
    at = datetime(2026, 10, 24, 23, 59, tzinfo=UTC)
    monkeypatch.setenv("TZ", local)
    time.tzset()
    try:
        assert active(here, paris, at)
        assert next_boundary(here, paris, at) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    finally:
        monkeypatch.undo()
        time.tzset()
