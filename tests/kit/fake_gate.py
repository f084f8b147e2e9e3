"""A gate in memory, for tests of the HTTP mapping: generations go as the test tells them to.

A `Script` says how a submitted request fares; `Generation`s are driven through queues and events,
so that tests wait for things instead of sleeping.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from lmxd.serving.decisions import Decision
from reconciler.state import Live, ModelKey, Routes, ServingDefaults, Target
from schemas.errors import RequestError
from schemas.inference import Accepted, Event, Failed, Finish, Request, Text, Timings, Usage

DEADLINE_S = 20.0
TIMINGS = Timings(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Served:
    key: str
    revision: str | None
    why: str = ""


class FakeGeneration:
    """A request that is accepted, fed and ended by the test."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.id, self.name = request.id, request.name
        self.served: Served | None = None
        self.closed = asyncio.Event()
        self._events: deque[Event | Exception | None] = deque()
        self._news = asyncio.Event()
        self._decided: asyncio.Future[Accepted] = asyncio.get_running_loop().create_future()

    def accept(self, served: Served | None = None) -> FakeGeneration:
        self.served = served or Served("day-coder", "4f0c8e1")
        self._decided.set_result(Accepted(self.request.id, 0, prompt_tokens=7, cached_tokens=2))
        return self

    def refuse(self, error: Exception) -> None:
        self._decided.set_exception(error)

    def say(self, *texts: str) -> FakeGeneration:
        for text in texts:
            self.put(Text(self.request.id, 0, text))
        return self

    def finish(self, reason: str = "stop", completion: int = 3) -> None:
        self.put(Finish(self.request.id, 0, reason))  # type: ignore[arg-type]
        self.put(Usage(self.request.id, 0, 7, completion, 2, TIMINGS))
        self.put(None)

    def fail(self, failed: Failed) -> None:
        self.put(failed)
        self.put(None)

    def put(self, event: Event | Exception | None) -> None:
        self._events.append(event)
        self._news.set()

    async def accepted(self) -> Accepted:
        return await asyncio.shield(self._decided)

    async def __aiter__(self) -> AsyncIterator[Event]:
        while True:
            while not self._events:
                self._news.clear()
                await self._news.wait()
            event = self._events.popleft()
            if event is None:
                return
            if isinstance(event, Exception):
                raise event
            yield event

    async def aclose(self) -> None:
        self.closed.set()
        if self._decided.done():
            self._decided.exception()  # looked at


Script = Callable[[FakeGeneration], None]


def answer(*texts: str, reason: str = "stop") -> Script:
    """Accept at once, say these texts and finish."""

    def script(generation: FakeGeneration) -> None:
        generation.accept().say(*texts).finish(reason, completion=len(texts))

    return script


def hang(_: FakeGeneration) -> None:
    """Leave everything to the test."""


class FakeGate:
    """Takes requests and lets `script` decide; remembers what it took."""

    def __init__(self, routes: Routes | None = None, script: Script = hang) -> None:
        self.routes = routes or Routes()
        self.script = script
        self.refusal: RequestError | None = None
        self.cancelled: list[str] = []
        self.decided: tuple[Decision, ...] = ()
        self.taken: list[FakeGeneration] = []
        self._arrived = asyncio.Condition()

    def cancel(self, name: str) -> int:
        self.cancelled.append(name)
        return sum(name in {each.request.id, each.tag} for each in self.taken)

    def submit(self, request: Request, *, tag: str = "") -> FakeGeneration:
        if self.refusal is not None:
            raise self.refusal
        generation = FakeGeneration(request)
        generation.tag = tag
        self.taken.append(generation)
        self.script(generation)
        self._waker = asyncio.ensure_future(self._wake())
        return generation

    def decisions(self, limit: int) -> tuple[Decision, ...]:
        return self.decided[:limit]

    async def _wake(self) -> None:
        async with self._arrived:
            self._arrived.notify_all()

    async def nth(self, number: int) -> FakeGeneration:
        """The generation of that number, as soon as it is there."""
        async with asyncio.timeout(DEADLINE_S), self._arrived:
            await self._arrived.wait_for(lambda: len(self.taken) > number)
        return self.taken[number]

    @property
    def last(self) -> Request:
        """The request taken last."""
        return self.taken[-1].request


def routes(
    names: dict[str, Sequence[str]] | None = None, **live: tuple[Live, str] | Live
) -> Routes:
    """A table of names: models with their liveness, and aliases."""
    targets = {}
    for name, state in live.items():
        key = ModelKey(name.replace("_", "-"))
        now, why = state if isinstance(state, tuple) else (state, "")
        targets[key] = Target(key, now, ServingDefaults(), parallel=8, message=why)
    aliases = {name: tuple(ModelKey(key) for key in keys) for name, keys in (names or {}).items()}
    return Routes(epoch=4, names=aliases, targets=targets)
