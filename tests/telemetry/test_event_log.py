"""The log of events: numbers that only grow, repeats that are counted, places that are lost."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from lmxd.telemetry.events import BLOCK, KEPT, EventLog
from schemas.errors import Code, RequestError
from schemas.events import Event, Recorded

DEADLINE_S = 20.0


class Shelf:
    """Where the numbers are written down, and a clock; a daemon is a log over it."""

    def __init__(self) -> None:
        self.reserved = 0
        self.writes: list[int] = []
        self.broken = False
        self.now = datetime(2026, 11, 20, 12, tzinfo=UTC)

    async def reserve(self, upto: int) -> None:
        if self.broken:
            raise OSError("no space left")
        await asyncio.sleep(0)
        self.reserved = upto
        self.writes.append(upto)

    async def start(self) -> EventLog:
        log = EventLog(
            "state",
            reserved=self.reserved,
            reserve=self.reserve,
            now=lambda: self.now,
            where=lambda: (3, 5),
        )
        await log.start()
        return log


def event(message: str, reason: str = "Ready", subject: str = "model/a") -> Event:
    return Event("Normal", reason, subject, message, {"n": message})


def told(events: tuple[Recorded, ...]) -> list[str]:
    return [each.message for each in events]


async def test_an_event_gets_a_number_a_time_and_its_place() -> None:
    log = await Shelf().start()
    log.emit(event("hello"))
    (found,) = log.held()
    assert found == Recorded(
        kind="Normal",
        reason="Ready",
        subject="model/a",
        message="hello",
        data={"n": "hello"},
        id=1,
        at="2026-11-20T12:00:00.000Z",
        first_at="2026-11-20T12:00:00.000Z",
        count=1,
        generation=3,
        epoch=5,
    )
    assert (log.last_id, log.floor) == (1, 0)


async def test_what_comes_after_a_number_is_found() -> None:
    log = await Shelf().start()
    for text in "abc":
        log.emit(event(text))
    assert told(log.after(0)) == ["a", "b", "c"]
    assert told(log.after(2)) == ["c"]
    assert log.after(3) == ()


@pytest.mark.parametrize("place", [-1, 4, 10**17])
async def test_a_number_that_was_never_given_is_gone(place: int) -> None:
    log = await Shelf().start()
    for text in "abc":
        log.emit(event(text))
    with pytest.raises(RequestError) as caught:
        log.after(place)
    assert caught.value.code is Code.GONE
    assert caught.value.details == {"stateId": "state", "lastId": 3, "oldestAfter": 0}


async def test_the_oldest_fall_out_of_the_ring_and_are_gone() -> None:
    log = await Shelf().start()
    for number in range(KEPT + 10):
        log.emit(event(str(number)))
    assert len(log.held()) == KEPT
    assert log.floor == 10
    assert told(log.after(10))[0] == "10"
    with pytest.raises(RequestError, match="no longer held, only those after 10"):
        log.after(9)


async def test_a_repeat_is_counted_and_moves_to_a_new_number() -> None:
    shelf = Shelf()
    log = await shelf.start()
    log.emit(event("again"))
    log.emit(event("other"))
    for _ in range(16):
        shelf.now += timedelta(minutes=9)
        log.emit(event("again"))
    assert [(e.message, e.id, e.count) for e in log.held()] == [("other", 2, 1), ("again", 18, 17)]
    last = log.held()[-1]
    assert (last.first_at, last.at) == ("2026-11-20T12:00:00.000Z", "2026-11-20T14:24:00.000Z")
    assert told(log.after(1)) == ["other", "again"]


@pytest.mark.parametrize(
    "other",
    [
        event("again", reason="NotReady"),
        event("again", subject="model/b"),
        event("not again"),
    ],
)
async def test_only_the_same_of_the_same_is_a_repeat(other: Event) -> None:
    log = await Shelf().start()
    log.emit(event("again"))
    log.emit(other)
    assert [e.count for e in log.held()] == [1, 1]


async def test_what_comes_back_after_ten_minutes_is_news() -> None:
    shelf = Shelf()
    log = await shelf.start()
    log.emit(event("again"))
    shelf.now += timedelta(minutes=10, seconds=1)
    log.emit(event("again"))
    assert [e.count for e in log.held()] == [1, 1]
    shelf.now -= timedelta(days=1)  # a clock that was set back
    log.emit(event("again"))
    assert [e.count for e in log.held()] == [1, 1, 1]


async def test_a_storm_of_repeats_does_not_push_others_out() -> None:
    log = await Shelf().start()
    log.emit(event("first"))
    for _ in range(3 * KEPT):
        log.emit(event("again"))
    assert told(log.held()) == ["first", "again"]
    assert log.floor == 0
    await log.close()


async def test_numbers_grow_over_restarts_whenever_the_daemon_dies() -> None:
    shelf, seen = Shelf(), 0
    for rounds in (0, 3, BLOCK // 2 + 1, 2 * BLOCK + 7):
        log = await shelf.start()
        assert log.last_id >= seen
        for number in range(rounds):
            log.emit(event(f"{rounds} {number}"))
            await asyncio.sleep(0)
            assert log.last_id <= shelf.reserved
        seen = max(seen, log.last_id)
    assert len(shelf.writes) <= 4 + 3 * 3  # one at each start, and one for a thousand numbers


async def test_places_of_an_earlier_process_are_gone() -> None:
    shelf = Shelf()
    log = await shelf.start()
    log.emit(event("before"))
    again = await shelf.start()
    again.emit(event("after"))
    with pytest.raises(RequestError):
        again.after(1)
    assert told(again.after(again.floor)) == ["after"]


async def test_a_disk_that_is_full_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf()
    shelf.broken = True
    log = await shelf.start()
    for number in range(3):
        log.emit(event(str(number)))
        await asyncio.sleep(0)
    assert told(log.held()) == ["0", "1", "2"]
    assert "event numbers not reserved" in caplog.messages
    shelf.broken = False
    log.emit(event("more"))
    await log.close()
    assert shelf.reserved >= log.last_id


async def test_who_follows_is_woken_by_each_event_and_by_the_end() -> None:
    log = await Shelf().start()
    seen: list[str] = []

    async def follow() -> None:
        place = log.last_id
        while not log.closed:
            await log.newer(place)
            new = log.after(place)
            seen.extend(told(new))
            place = log.last_id

    followers = [asyncio.create_task(follow()) for _ in range(3)]
    await asyncio.sleep(0)
    log.emit(event("a"))
    log.emit(event("b"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert seen == ["a", "b"] * 3
    await log.close()
    async with asyncio.timeout(DEADLINE_S):
        await asyncio.gather(*followers)
