"""Outside of the novel stretches windows stand as they stood a week before."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from reconciler.novelty import novel
from reconciler.timetable import DAY, HORIZON, Span, active, around
from schemas.schedule import DAYS, Schedule

AT = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
ZONES = ("Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Asia/Tokyo", "Africa/Cairo")
Zoned = tuple[Schedule, ZoneInfo]


def rule(rng: random.Random) -> dict[str, object]:
    clocks = rng.sample([f"{hour:02}:{minute}" for hour in range(24) for minute in ("00", "30")], 2)
    if rng.random() < 0.4:
        first, last = (f"{rng.choice(DAYS)} {clock}" for clock in clocks)
        return {"from": first, "to": last}
    days = rng.sample(DAYS, rng.randint(1, 3)) if rng.random() < 0.5 else []
    return {"from": clocks[0], "to": clocks[1], **({"days": days} if days else {})}


def windows(rng: random.Random) -> list[Zoned]:
    found = []
    for _ in range(rng.randint(1, 4)):
        left_out = [
            f"{AT + rng.randint(0, 420) * DAY:%Y-%m-%d}" for _ in range(rng.choice((0, 0, 3)))
        ]
        rules = [rule(rng) for _ in range(rng.randint(1, 2))]
        schedule = Schedule.model_validate({"when": rules, "except": left_out, "set": {}})
        found.append((schedule, ZoneInfo(rng.choice(ZONES))))
    return found


def standing(those: list[Zoned], at: datetime) -> list[bool]:
    return [active(schedule, zone, at) for schedule, zone in those]


@pytest.mark.parametrize("seed", range(12))
def test_what_lies_outside_is_as_it_was_a_week_before(seed: int) -> None:
    """At every turn of a year, and just before it."""
    those = windows(random.Random(seed))
    stretches = novel(those, AT)
    assert stretches[0].start == AT
    assert all(one.end < two.start for one, two in pairwise(stretches))
    assert stretches[-1].end <= AT + HORIZON
    edges = {
        edge
        for schedule, zone in those
        for span in around(schedule, zone, AT, HORIZON)
        for edge in (span.start, span.end)
    }
    turns = [each - off for each in edges for off in (timedelta(), timedelta(microseconds=1))]
    outside = [at for at in turns if AT <= at < AT + HORIZON and not inside(at, stretches)]
    assert outside
    for at in outside:
        assert at - 7 * DAY >= AT
        assert standing(those, at) == standing(those, at - 7 * DAY), at


def inside(at: datetime, stretches: tuple[Span, ...]) -> bool:
    return any(each.start <= at < each.end for each in stretches)


def test_a_year_without_odd_dates_has_two_changes_of_clocks_and_its_first_week() -> None:
    night = Schedule.model_validate({"when": [{"from": "22:00", "to": "06:00"}], "set": {}})
    stretches = novel([(night, ZoneInfo("Europe/Paris"))], AT)
    assert [f"{each.start:%Y-%m}" for each in stretches] == ["2026-11", "2027-03", "2027-10"]
    assert sum((each.end - each.start for each in stretches), timedelta()) < 60 * DAY
    assert novel([(night, ZoneInfo("Asia/Tokyo"))], AT) == (Span(AT, AT + 7 * DAY),)
