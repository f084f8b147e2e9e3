"""Where requests come in: a name becomes a place in line, and the place a claim on an instance.

Http submits; the reconciler's loop publishes the table of names and asks what is in demand; the
pool says when places are free or another instance answers. A waiter holds the name and its number
of arrival, not a model: whenever the table or the instances change, it is looked up again and
keeps its number. Everything runs on the event loop, and between looking up and claiming there is
no await, so what was found still holds when it is claimed.

It loads nothing: a request that needs a model records demand and pokes the loop.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Mapping
from datetime import datetime

from lmxd.serving.choice import Choice
from lmxd.serving.decisions import Decision
from lmxd.serving.defaults import complete
from lmxd.serving.dispatch import Dispatch, Errand
from lmxd.serving.generation import Generation, Served
from lmxd.serving.open_requests import OpenRequests
from lmxd.serving.pace import Pace
from lmxd.serving.pool import Pool
from lmxd.serving.waiting import Waiting
from reconciler.state import Demand, Live, ModelKey, Routes, Target
from schemas.errors import Code, RequestError
from schemas.inference import Request

__all__ = ["Gate"]

log = logging.getLogger(__name__)

_LONGEST_RETRY_S = 60.0
# In flight on an instance for each sequence it decodes together: the next ones are then at hand
# in the worker, and everything behind them stays where fairness and cancellation are cheap.
_AHEAD = 2


class Gate:
    """Implements the reconciler's port `Traffic`, and what http needs.

    changed: pokes the loop. clock: monotonic seconds. now: the wall clock, aware.
    """

    def __init__(
        self,
        pool: Pool,
        changed: Callable[[], None],
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._changed = changed
        self._clock = clock
        self._routes = Routes()
        self._waiting: Waiting[Generation] = Waiting()
        self._numbers = itertools.count()
        self._asked: dict[ModelKey, float] = {}
        self._closed = False
        self._open = OpenRequests()
        self._pace = Pace(clock)
        self._dispatch = Dispatch(pool.resident, pool.can, now)
        pool.attend(self)

    # --- for http -----------------------------------------------------------------------------

    @property
    def routes(self) -> Routes:
        """The table published last."""
        return self._routes

    @property
    def queued(self) -> int:
        """Requests that wait for a place."""
        return len(self._waiting)

    def submit(self, request: Request, *, tag: str = "") -> Generation:
        """Take in a request: at once, or raises RequestError for what is known now.

        The caller must `aclose` what it gets. `request.id` must be new in this daemon. tag: another
        name for it, that a client gave; several may have the same.
        """
        if self._closed:
            raise _shutting_down()
        errand = Errand(request)
        choice = self._dispatch.choose(self._routes, errand)
        key = choice.target.key
        direct = not self._waiting.at(key) and self._pool.room(key, _places(choice.target))
        if not direct and len(self._waiting) >= self._routes.flow.queue:
            raise self._queue_full(key)
        generation = Generation(errand, next(self._numbers), self._clock(), self)
        self._open.add(generation, tag)
        self._asked[key] = self._clock()
        self._waiting.join(key, generation)
        self._start_timer(generation)
        self._serve(key)
        if choice.live is Live.ON_DEMAND:
            self._changed()
        return generation

    def decisions(self, limit: int) -> tuple[Decision, ...]:
        """The latest choices by task, the newest first."""
        return self._dispatch.decisions.latest(limit)

    def cancel(self, name: str) -> int:
        """End the requests of that id or tag; how many there were. One that runs stops at the next
        token, and its reader gets what there is; one that waits is refused.
        """
        found = self._open.named(name)
        for generation in found:
            if generation.claim is not None:
                self._pool.cancel(generation.claim)
            else:
                self._waiting.leave(generation)
                generation.refuse(RequestError(Code.CANCELLED, "the request was cancelled"))
        return len(found)

    def let_go(self, key: ModelKey) -> None:
        """Forget that a model was asked for, unless somebody waits for it: it need not be kept
        for its `keep_alive`. Requests that run go on.
        """
        if not self._waiting.at(key):
            self._asked.pop(key, None)
            self._changed()

    def close(self) -> None:
        """Refuse new requests and those that wait; running ones go on."""
        self._closed = True
        for generation in self._waiting:
            self._waiting.leave(generation)
            generation.refuse(_shutting_down())

    # --- port Traffic -------------------------------------------------------------------------

    def publish(self, routes: Routes) -> None:
        """Swap the table in one step and let waiters look again."""
        self._routes = routes
        for key in self._asked.keys() - routes.targets.keys():
            del self._asked[key]
            self._pace.forget(key)
        self.moved()

    def demands(self) -> Mapping[ModelKey, Demand]:
        """Models that were asked for, how many wait, and for how long each has been quiet."""
        now = self._clock()
        return {key: self._demand(key, asked, now) for key, asked in self._asked.items()}

    # --- for the pool -------------------------------------------------------------------------

    def moved(self) -> None:
        """The table or the instances changed: every waiter is looked up again, in order."""
        found: dict[tuple[str, str | None], Choice | RequestError] = {}
        wanted = False
        for generation in self._waiting:
            sort = generation.name, self._dispatch.task(self._routes, generation.errand)
            if sort not in found:
                found[sort] = self._look_again(generation)
            choice = found[sort]
            if isinstance(choice, RequestError):
                self._waiting.leave(generation)
                generation.refuse(choice)
            elif self._waiting.move(choice.target.key, generation):
                self._asked[choice.target.key] = self._clock()
                wanted = wanted or choice.live is Live.ON_DEMAND
        for key in self._waiting.models():
            self._serve(key)
        if wanted:
            self._changed()

    def room(self, key: ModelKey) -> None:
        """A place may be free."""
        if key in self._asked:
            self._asked[key] = self._clock()
        self._pace.freed(key, waited_for=self._waiting.at(key) > 0)
        self._serve(key)

    # --- for generations ----------------------------------------------------------------------

    def accepted(self, generation: Generation) -> None:
        """The wait is over; how long the generation takes is the worker's to watch."""
        if generation.timer is not None:
            generation.timer.cancel()

    def leave(self, generation: Generation) -> None:
        """Nobody wants it any more."""
        self._open.remove(generation)
        self._waiting.leave(generation)
        if generation.claim is not None:
            self._pool.release(generation.claim)

    def again(self, generation: Generation) -> None:
        """Its worker died. The pool calls `moved` when it has told all it concerns."""
        choice = _shutting_down() if self._closed else self._look_again(generation)
        if isinstance(choice, RequestError):
            generation.refuse(choice)
            return
        self._waiting.rejoin(choice.target.key, generation)
        self._start_timer(generation)

    def hand_over(self, generation: Generation) -> None:
        """The light model wants the heavy one to answer: back into the line, for that."""
        self._dispatch.hand_over(self._routes, generation.errand)
        if generation.claim is not None:
            self._pool.release(generation.claim)
            generation.claim = None
        self.again(generation)
        key = self._waiting.place(generation)
        if key is not None:
            self._serve(key)
            self._changed()

    # --- inside -------------------------------------------------------------------------------

    def _look_again(self, generation: Generation) -> Choice | RequestError:
        try:
            return self._dispatch.choose(self._routes, generation.errand, patient=True)
        except RequestError as error:
            return error

    def _serve(self, key: ModelKey) -> None:
        """Claims for whose turn it is, as long as there are places."""
        target = self._routes.targets.get(key)
        if target is None:
            return
        while self._pool.room(key, _places(target)):
            generation = self._waiting.next(key)
            if generation is None:
                return
            self._claim(generation, target)

    def _claim(self, generation: Generation, target: Target) -> None:
        asked = self._dispatch.sent(self._routes, generation.errand, target)
        request = complete(asked, target.serving, self._routes.flow.request_s)
        try:
            generation.claim = self._pool.claim(target.key, request, generation)
        except RequestError as error:
            generation.refuse(error)
            return
        decision = generation.errand.decision
        why = decision.why if decision else ""
        generation.served = Served(target.key, generation.claim.revision, why)

    def _start_timer(self, generation: Generation) -> None:
        wait_s = self._routes.flow.wait_s
        if generation.timer is not None:
            generation.timer.cancel()
        if wait_s < float("inf"):
            loop = asyncio.get_running_loop()
            generation.timer = loop.call_later(wait_s, self._expire, generation, wait_s)

    def _expire(self, generation: Generation, waited_s: float) -> None:
        """Nobody took it in time: neither a place was free, nor did the worker accept it."""
        key = self._waiting.place(generation)
        why = "its worker did not take the request"
        if key is not None:
            target = self._routes.targets.get(key)
            why = (target.message if target else "") or f"all places of {key} are taken"
        message = f"{generation.name} did not answer within {waited_s:g} s: {why}"
        generation.fail(Code.DEADLINE_EXCEEDED, message)
        self.leave(generation)

    def _demand(self, key: ModelKey, asked: float, now: float) -> Demand:
        waiting = self._waiting.at(key)
        used = waiting or self._pool.in_flight(key)
        return Demand(waiting=waiting, quiet_s=0.0 if used else now - asked)

    def _queue_full(self, key: ModelKey) -> RequestError:
        """Retry-After is when those who wait now will have their places; before that is known, how
        long the first in line has waited.
        """
        limit = self._routes.flow.queue
        oldest = next(iter(self._waiting), None)
        waited = self._pace.until(key, self._waiting.at(key))
        if waited is None:
            waited = self._clock() - oldest.since if oldest else 0.0
        return RequestError(
            Code.QUEUE_FULL,
            f"{len(self._waiting)} requests wait already, the limit is {limit}",
            hint="try again later, or raise limits.queue",
            retry_after_s=min(_LONGEST_RETRY_S, max(1.0, waited)),
        )


def _places(target: Target) -> int:
    return _AHEAD * target.parallel


def _shutting_down() -> RequestError:
    return RequestError(Code.SHUTTING_DOWN, "the daemon is shutting down", retry_after_s=5.0)
