"""Responses on disk: found again, over restarts too, and never more than the bounds allow."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lmxd.kept_responses import Bounds, Kept, Responses
from lmxd.statefolder import StateFolder

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NONE = "resp_" + "f" * 32


def name(number: int) -> str:
    return f"resp_{number:032x}"


def kept(number: int, size: int = 0) -> Kept:
    return Kept({"id": name(number), "output": []}, [{"text": "x" * size}])


class Clock:
    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path, clock: Clock) -> Iterator[StateFolder]:
    with StateFolder(tmp_path / "state", now=clock) as opened:
        yield opened


async def numbers(responses: Responses, count: int) -> list[int]:
    return [number for number in range(count) if await responses.find(name(number))]


async def test_what_is_kept_is_found_after_a_restart(folder: StateFolder, clock: Clock) -> None:
    responses = Responses(folder, clock)
    assert await responses.find(name(1)) is None
    await responses.keep(name(1), kept(1))
    assert await responses.find(name(1)) == kept(1)
    again = Responses(folder, clock)
    assert await again.find(name(1)) == kept(1)
    assert await again.forget(name(1))
    assert not await again.forget(name(1))
    assert await Responses(folder, clock).find(name(1)) is None


async def test_the_oldest_make_room_when_there_are_too_many(
    folder: StateFolder, clock: Clock
) -> None:
    responses = Responses(folder, clock, Bounds(count=3))
    for number in range(5):
        await responses.keep(name(number), kept(number))
    assert await numbers(responses, 5) == [2, 3, 4]
    assert len(list((folder.path / "responses").iterdir())) == 3


async def test_the_oldest_make_room_when_it_is_too_much(folder: StateFolder, clock: Clock) -> None:
    responses = Responses(folder, clock, Bounds(bytes=5000))
    for number in range(3):
        await responses.keep(name(number), kept(number, size=2000))
    assert await numbers(responses, 3) == [1, 2]
    await responses.keep(name(3), kept(3, size=6000))
    assert await numbers(responses, 4) == [1, 2]


async def test_what_is_too_old_goes_also_without_anything_new(
    folder: StateFolder, clock: Clock
) -> None:
    responses = Responses(folder, clock, Bounds(age=timedelta(days=1)))
    await responses.keep(name(0), kept(0))
    clock.at += timedelta(hours=23)
    await responses.keep(name(1), kept(1))
    clock.at += timedelta(hours=2)
    assert await numbers(responses, 2) == [1]


async def test_bounds_hold_over_a_restart(folder: StateFolder, clock: Clock) -> None:
    responses = Responses(folder, clock)
    for number in (2, 0, 1):
        await responses.keep(name(number), kept(number))
        written = folder.path / "responses" / f"{name(number)}.json"
        os.utime(written, (clock().timestamp(), clock().timestamp()))
        clock.at += timedelta(minutes=1)
    again = Responses(folder, clock, Bounds(count=2))
    assert await numbers(again, 3) == [0, 1]


async def test_what_a_crash_or_a_hand_left_behind(folder: StateFolder, clock: Clock) -> None:
    place = folder.path / "responses"
    place.mkdir()
    (place / f".{name(1)}.json.abc").write_text("half")
    (place / f"{name(2)}.json").write_text("{not json")
    (place / f"{name(3)}.json").write_text('{"format":"x","version":1,"kept":{}}')
    (place / "mine.json").write_text("{}")
    responses = Responses(folder, clock)
    assert await responses.find(name(2)) is None
    assert await responses.find(name(3)) is None
    assert sorted(path.name for path in place.iterdir()) == ["mine.json"]


@pytest.mark.parametrize("odd", ["../state", "resp_x", "", NONE.upper(), f"{NONE}/../x"])
async def test_no_id_leads_out_of_the_folder(folder: StateFolder, clock: Clock, odd: str) -> None:
    responses = Responses(folder, clock)
    assert await responses.find(odd) is None
    assert not await responses.forget(odd)


async def test_a_disk_that_refuses_costs_only_that_response(
    folder: StateFolder, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    (folder.path / "responses").write_text("in the way")
    responses = Responses(folder, clock)
    await responses.keep(name(1), kept(1))
    assert "response not kept" in caplog.text
    (folder.path / "responses").unlink()
    await responses.keep(name(1), kept(1))
    assert await responses.find(name(1)) == kept(1)


async def test_many_at_once(folder: StateFolder, clock: Clock) -> None:
    responses = Responses(folder, clock, Bounds(count=5))
    await asyncio.gather(*(responses.keep(name(n), kept(n)) for n in range(20)))
    assert await numbers(responses, 20) == [15, 16, 17, 18, 19]
