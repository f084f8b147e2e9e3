"""The log of events: numbers what happened, keeps the newest of it, and wakes who follows.

Events come from the reconciler and from the owners of document and leases, all on the event loop;
`GET /lmxd/v1/events` reads. Numbers grow over restarts: they are handed out from blocks, and a
block is written down before it is used up. The events themselves live in memory only: they are
never the source of truth, and a client whose place is lost looks at the status instead.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import takewhile

from msgspec.structs import asdict

from schemas.errors import Code, RequestError
from schemas.events import Event, Recorded

__all__ = ["BLOCK", "EventLog"]

log = logging.getLogger(__name__)

KEPT = 1000
"""So many events are held; a client that is further behind is told so."""
BLOCK = 1000
"""So many numbers are reserved by one write."""
SAME = timedelta(minutes=10)
"""A repeat within this of the last counts it up instead of standing beside it."""

Reserve = Callable[[int], Awaitable[None]]
"""Writes down that all numbers up to this one may have been given out."""


class EventLog:
    """Owns the numbers and the ring; lives on one event loop.

    Args:
        state_id: names the history; numbers of another one mean nothing here.
        reserved: the number up to which an earlier process may have given numbers out.
        reserve: see `Reserve`; when it fails, events go on and it is tried again.
        now: the wall clock, aware, in UTC.
        where: generation and epoch of this instant.
    """

    def __init__(
        self,
        state_id: str,
        *,
        reserved: int,
        reserve: Reserve,
        now: Callable[[], datetime],
        where: Callable[[], tuple[int, int]],
    ) -> None:
        self.state_id = state_id
        self._reserve = reserve
        self._now = now
        self._where = where
        self._last = self._floor = self._reserved = reserved
        self._ring: dict[int, Recorded] = {}
        self._times: dict[int, datetime] = {}
        self._same: dict[tuple[str, str, str], int] = {}
        self._news = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None
        self._closed = False

    async def start(self) -> None:
        """Reserve the first block; before it no number of this process is safe over a crash."""
        await self._write(self._last + BLOCK)

    @property
    def last_id(self) -> int:
        """The number of the newest event; what an earlier process reached when there is none."""
        return self._last

    @property
    def floor(self) -> int:
        """All events after this number are held."""
        return self._floor

    @property
    def closed(self) -> bool:
        """Nothing comes any more."""
        return self._closed

    def emit(self, event: Event) -> None:
        """Number it and tell who follows. Never blocks, never fails; call it on the loop."""
        now = self._now()
        self._last += 1
        key = event.reason, event.subject, event.message
        before = self._repeated(key, now)
        generation, epoch = self._where()
        at = _text(now)
        self._same[key] = self._last
        self._times[self._last] = now
        self._ring[self._last] = Recorded(
            **asdict(event),
            id=self._last,
            at=at,
            first_at=before.first_at if before else at,
            count=before.count + 1 if before else 1,
            generation=generation,
            epoch=epoch,
        )
        while len(self._ring) > KEPT:
            self._floor = next(iter(self._ring))
            self._drop(self._floor)
        self._keep_ahead()
        self._wake()

    def held(self) -> tuple[Recorded, ...]:
        """All events that are held, oldest first."""
        return tuple(self._ring.values())

    def after(self, last_seen: int) -> tuple[Recorded, ...]:
        """The events after a number, oldest first; RequestError (gone) when some of them may not
        be held any more, or the number was never given out.
        """
        if not self._floor <= last_seen <= self._last:
            raise self._gone(last_seen)
        newer = takewhile(lambda each: each.id > last_seen, reversed(self._ring.values()))
        return tuple(newer)[::-1]

    async def newer(self, last_seen: int) -> None:
        """Returns as soon as there is an event after that number, or the log is closed."""
        while self._last <= last_seen and not self._closed:
            await self._news.wait()

    async def close(self) -> None:
        """Let everybody who follows come to the end; later events reach nobody. Repeatable."""
        self._closed = True
        self._wake()
        if self._writing is not None:
            await asyncio.wait({self._writing})

    def _repeated(self, key: tuple[str, str, str], now: datetime) -> Recorded | None:
        """The entry that this one repeats; it leaves its old place."""
        number = self._same.get(key)
        if number is None or abs(now - self._times[number]) > SAME:
            return None
        before = self._ring[number]
        self._drop(number)
        return before

    def _drop(self, number: int) -> None:
        gone = self._ring.pop(number)
        del self._times[number]
        key = gone.reason, gone.subject, gone.message
        if self._same.get(key) == number:
            del self._same[key]

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _keep_ahead(self) -> None:
        """Reserve the next block in time, so that no event ever waits for a disk."""
        if self._last + BLOCK // 2 > self._reserved and self._writing is None and not self._closed:
            block = self._write(max(self._reserved, self._last) + BLOCK)
            self._writing = asyncio.get_running_loop().create_task(block, name="event numbers")

    async def _write(self, upto: int) -> None:
        try:
            await self._reserve(upto)
            self._reserved = upto
        except OSError as error:  # the next event tries again
            log.warning("event numbers not reserved", extra={"error": str(error)})
        finally:
            self._writing = None

    def _gone(self, last_seen: int) -> RequestError:
        if last_seen > self._last:
            words = f"no event has the number {last_seen}, the newest is {self._last}"
        else:
            words = f"events after {last_seen} are no longer held, only those after {self._floor}"
        return RequestError(
            Code.GONE,
            words,
            hint="look at the status, and go on from the lastId of a list",
            param="after",
            details={"stateId": self.state_id, "lastId": self._last, "oldestAfter": self._floor},
        )


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
