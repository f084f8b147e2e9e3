"""One worker process as the daemon sees it: spare, then loading, then serving, then ended.

It turns frames into calls of its tenant and the end of the process into an exit report. It
decides nothing about requests or models: that is the pool's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from asyncio.subprocess import Process
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from lmxd.supervisor.exits import Ending, report
from lmxd.supervisor.limits import WatchLimits
from lmxd.supervisor.link import Link
from lmxd.supervisor.run_log import Tail
from lmxd.supervisor.watch import Hang, Watch
from reconciler.state import ExitReport
from schemas.errors import ActionError
from schemas.frames import (
    PROTOCOL,
    Beat,
    Bye,
    Cancel,
    Hello,
    Load,
    Loaded,
    LoadFailed,
    Progress,
    Step,
    Stop,
    Submit,
    Up,
)
from schemas.inference import Event, Request

__all__ = ["Tenant", "Worker"]

log = logging.getLogger(__name__)

T = TypeVar("T")


class Tenant(Protocol):
    """Who uses a worker. Called on the event loop; nothing here may block or raise."""

    def on_events(self, events: tuple[Event, ...]) -> None:
        """One step's events, of all requests."""

    def on_writable(self) -> None:
        """The worker takes requests again after `writable` was False."""


class Worker:
    """One child process and its connection. Made by `spawn`.

    ended: resolved once the process is gone and all it sent was handed on: with a report, or
    with None when the daemon wanted the end. settled: resolved when the load ended, in whatever
    way, or the process did.
    """

    def __init__(
        self, process: Process, tail: Tail, limits: WatchLimits, clock: Callable[[], float]
    ) -> None:
        loop = asyncio.get_running_loop()
        self._process = process
        self._tail = tail
        self._limits = limits
        self._clock = clock
        self._watch = Watch(limits, clock())
        self._tenant: Tenant | None = None
        self._told = False
        self._hang: Hang | None = None
        self._broken: str | None = None
        self._load_failed: LoadFailed | None = None
        self._protocol = PROTOCOL
        self._look: asyncio.TimerHandle | None = None
        self._overstay: asyncio.TimerHandle | None = None
        self._gone: asyncio.Future[None] = loop.create_future()  # the connection is closed
        self._hello: asyncio.Future[Hello] = loop.create_future()
        self._loaded: asyncio.Future[Loaded] = loop.create_future()
        self._reaper: asyncio.Task[None] | None = None
        self.ended: asyncio.Future[ExitReport | None] = loop.create_future()
        self.settled: asyncio.Future[None] = loop.create_future()
        self.name = f"worker {process.pid}"
        self.beat: Beat | None = None
        self.progress: tuple[int, int] | None = None
        self.link = Link(self._on_frame, self._on_closed, self._on_writable)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def serving(self) -> bool:
        """True while requests can be given to it."""
        return self._loaded.done() and self.alive

    @property
    def alive(self) -> bool:
        """True until it is told to end, hangs, or loses its connection."""
        return self.link.open and not self._told and self._hang is None

    def watch(self) -> None:
        """Start looking after the process; called once, when the link is connected."""
        self._reaper = asyncio.create_task(self._reap(), name=f"reap-{self.pid}")
        self._schedule_look()

    async def load(self, load: Load, timeout_s: float, tenant: Tenant) -> Loaded:
        """Load a model; from now on `tenant` gets the events. Once in a worker's life.

        Raises ActionError with the exit report's reason. When cancelled, the worker must be
        stopped by the caller.
        """
        self._tenant = tenant
        self.name = f"worker {self.pid} of {load.uid}"
        await self._until(self._hello)
        self._watch.load_s = timeout_s
        self.link.send(load)
        # The watch judges phases; this is for a worker that beats and never begins to load.
        longest_s = timeout_s + self._limits.warm_up_s
        loop = asyncio.get_running_loop()
        overdue = loop.call_later(
            longest_s, self._hung, Hang("load", longest_s, longest_s, silent=False)
        )
        try:
            return await self._until(self._loaded)
        finally:
            overdue.cancel()

    def submit(self, request: Request) -> None:
        """Hand over a request. Raises FrameError when it is too large to send."""
        self.link.send(Submit(request))

    def cancel(self, request_id: str) -> None:
        """Stop a request at its next token; its closing events still come."""
        self.link.send(Cancel(request_id))

    async def stop(self, grace_s: float = 0.0) -> None:
        """End the process: stop frame, SIGTERM, SIGKILL. Returns when it is gone. Repeatable.

        grace_s: seconds in which running requests may finish. When cancelled, it kills at once.
        """
        self._told = True
        self.link.send(Stop(int(grace_s * 1000)))
        try:
            if await self._gone_within(grace_s + self._limits.stop_s):
                return
            log.warning("worker does not stop", extra={"worker": self.name, "pid": self.pid})
            self._signal(self._process.terminate)
            if await self._gone_within(self._limits.terminate_s):
                return
        except asyncio.CancelledError:
            self.kill()
            raise
        self.kill()
        await asyncio.shield(self.ended)

    def kill(self) -> None:
        """SIGKILL, wanted by the daemon: never a crash. `ended` tells when it is gone."""
        self._told = True
        self._signal(self._process.kill)

    # --- frames -------------------------------------------------------------------------------

    def _on_frame(self, frame: Up) -> None:
        match frame:
            case Step():
                if self._tenant is not None:
                    self._tenant.on_events(frame.events)
            case Beat():
                self.beat = frame
                self._watch.beat(frame, self._clock())
            case Progress():
                self.progress = (frame.done, frame.total)
            case Hello():
                self._on_hello(frame)
            case Loaded():
                _resolve(self._loaded, frame)
                _resolve(self.settled, None)
            case LoadFailed():
                self._load_failed = frame
                self._expect_end()
            case Bye():
                log.debug("worker leaves", extra={"worker": self.name, "reason": frame.reason})

    def _on_hello(self, hello: Hello) -> None:
        self._protocol = hello.protocol
        if hello.protocol != PROTOCOL:
            self._signal(self._process.kill)
            return
        self._watch.hello(self._clock())
        _resolve(self._hello, hello)

    def _on_closed(self, fault: str | None) -> None:
        self._broken = fault
        _resolve(self._gone, None)
        self._expect_end()

    def _on_writable(self) -> None:
        if self._tenant is not None:
            self._tenant.on_writable()

    # --- the end ------------------------------------------------------------------------------

    def _expect_end(self) -> None:
        """A worker that has nothing more to say must be gone soon; without a link it is useless."""
        if self._overstay is None and not self.ended.done():
            loop = asyncio.get_running_loop()
            self._overstay = loop.call_later(self._limits.stop_s, self._evict)

    def _evict(self) -> None:
        if self._broken is None and self._load_failed is None:
            self._broken = "it closed the connection and did not exit"
        self._signal(self._process.kill)

    def _schedule_look(self) -> None:
        loop = asyncio.get_running_loop()
        self._look = loop.call_later(self._limits.look_s, self._look_now)

    def _look_now(self) -> None:
        if self._told or self.ended.done():
            return
        hang = self._watch.look(self._clock())
        if hang is None:
            self._schedule_look()
        else:
            self._hung(hang)

    def _hung(self, hang: Hang) -> None:
        self._hang = hang
        log.warning("worker hung", extra={"worker": self.name, "hang": str(hang)})
        self._signal(self._process.kill)

    async def _reap(self) -> None:
        """Waits for the process, then for what it sent and wrote before, then reports."""
        code = await self._process.wait()
        # A grandchild may hold the other ends; it must not hold up the report.
        await asyncio.wait({self._gone, self._tail.closed}, timeout=1.0)
        for timer in (self._look, self._overstay):
            if timer is not None:
                timer.cancel()
        self.link.close()
        self._tail.close()
        ending = Ending(
            code=code,
            told=self._told,
            hang=self._hang,
            load_failed=self._load_failed,
            protocol=self._protocol,
            broken=self._broken,
            lines=self._tail.last,
        )
        _resolve(self.settled, None)
        _resolve(self.ended, report(self.name, ending))

    async def _until(self, future: asyncio.Future[T]) -> T:
        """The future's value; raises ActionError when the process ends before."""
        either: set[asyncio.Future[Any]] = {future, self.ended}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not self.ended.done():
            return future.result()
        ended = self.ended.result() or ExitReport("Cancelled", f"{self.name} was told to end")
        raise ActionError(ended.reason, ended.message, terminal=ended.terminal)

    async def _gone_within(self, seconds: float) -> bool:
        done, _ = await asyncio.wait({self.ended}, timeout=seconds)
        return bool(done)

    def _signal(self, send: Callable[[], None]) -> None:
        with contextlib.suppress(ProcessLookupError):
            send()


def _resolve(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)
