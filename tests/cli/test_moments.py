"""Times on the command line are those of the document's zone, in every night."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import typer

from lmxd.cli.moments import read

NOW = datetime(2026, 11, 21, 21, 30, tzinfo=UTC)  # a Saturday, 22:30 in Paris
PARIS = "Europe/Paris"


@pytest.mark.parametrize(
    ("text", "zone", "instant"),
    [
        ("23:00", PARIS, "2026-11-21T22:00"),
        ("22:00", PARIS, "2026-11-22T21:00"),  # today it is over
        ("22:00:30", "UTC", "2026-11-21T22:00:30"),
        ("2026-11-23T22:00", PARIS, "2026-11-23T21:00"),
        ("2026-11-23T22:00", "Asia/Kolkata", "2026-11-23T16:30"),
        ("2026-11-23", PARIS, "2026-11-22T23:00"),
        ("2026-03-29T02:30", PARIS, "2026-03-29T01:00"),  # left out: when clocks jump
        ("2026-10-25T02:30", PARIS, "2026-10-25T00:30"),  # comes twice: the first
        ("2026-11-23T22:00Z", PARIS, "2026-11-23T22:00"),
        ("2026-11-23T22:00-05:00", PARIS, "2026-11-24T03:00"),
    ],
)
def test_a_time_is_that_of_the_zone(text: str, zone: str, instant: str) -> None:
    assert read(text).of_zone(zone, NOW) == datetime.fromisoformat(instant).replace(tzinfo=UTC)


def test_without_a_zone_it_is_a_time_of_this_machine() -> None:
    here = datetime(2026, 11, 23, 22).astimezone()
    assert read("2026-11-23T22:00").of_zone(None, NOW) == here


@pytest.mark.parametrize("text", ["tonight", "25:00", "22", "", "22:00+01:00", "2026-13-01"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="is not a time; write 22:00"):
        read(text)


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00", "9999-01-01T00:00", "9999-12-31T23:59", "0001-01-01T00:00+10:00"]
)
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Adak"])
def test_the_ends_of_the_calendar_do_not_break_it(text: str, zone: str) -> None:
    with pytest.raises(typer.BadParameter, match="is no instant between 1970 and 2200"):
        read(text).of_zone(zone, NOW)
