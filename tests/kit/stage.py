"""Supervisor, pool and gate over scripted workers, with the loop's part played by the test.

Everything is real but the engine: processes, sockets, frames.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from lmxd.serving.gate import Gate
from lmxd.serving.generation import Generation
from lmxd.serving.pool import Pool
from lmxd.supervisor.limits import WatchLimits
from lmxd.supervisor.supervisor import Supervisor
from reconciler.actions import Drain, InstanceSpec, Load, Promote, Unload
from reconciler.limits import FlowLimits
from reconciler.state import (
    ArtifactRef,
    InstanceUid,
    InstanceView,
    Live,
    ModelKey,
    Routes,
    ServingDefaults,
    Target,
)
from schemas.errors import Code
from schemas.inference import Event, Message, Request, Text, TextPart

PATIENCE_S = 30.0
SCRIPTED = (sys.executable, str(Path(__file__).with_name("scripted_worker.py")))
# Far above what a busy machine delays a beat by, far below the patience of a test.
QUICK = WatchLimits(beat_s=2.0, prefill_s=2.0, decode_s=2.0, look_s=0.1)

_ids = itertools.count()


def request(name: str, says: str, *, identity: str = "someone", **more: object) -> Request:
    """A chat request whose only message is `says`."""
    messages = (Message("user", (TextPart(says),)),)
    return Request(f"r{next(_ids)}", name, messages, identity=identity, **more)  # type: ignore[arg-type]


def load_action(
    key: str, uid: str, script: str = "ok", *, path: str = "/model", timeout_s: float = 60.0
) -> Load:
    """A load of model `key` under `uid`, going as `script` says."""
    spec = InstanceSpec(
        spec_hash="spec",
        artifact=ArtifactRef(f"file:{path}"),
        revision="abc",
        path=path,
        engine="mlx",
        task="chat",
        context=256,
        parallel=4,
        kv_bytes=1 << 20,
        engine_options={"script": script} if script else {},
    )
    return Load(ModelKey(key), InstanceUid(uid), spec, 1000, timeout_s, 300.0)


def target(
    key: str,
    live: Live = Live.READY,
    *,
    parallel: int = 4,
    code: Code = Code.MODEL_LOADING,
    retry: bool = True,
    serving: ServingDefaults | None = None,
) -> Target:
    """A published model."""
    message = "" if live is Live.READY else f"{key} is {live.value}"
    return Target(
        ModelKey(key), live, serving or ServingDefaults(), parallel, "abc", code, message, retry
    )


def routes(
    *targets: Target, flow: FlowLimits | None = None, **aliases: tuple[str, ...] | str
) -> Routes:
    """A table of these models and aliases."""
    names = {
        name: (ModelKey(keys),) if isinstance(keys, str) else tuple(map(ModelKey, keys))
        for name, keys in aliases.items()
    }
    return Routes(1, names, {}, {t.key: t for t in targets}, flow or FlowLimits())


class Stage:
    """What a test of serving stands on. `pokes` counts how often the loop was poked."""

    def __init__(self, supervisor: Supervisor) -> None:
        clock = asyncio.get_running_loop().time
        self.pokes = 0
        self._stirred = asyncio.Event()
        self.supervisor = supervisor
        self.pool = Pool(supervisor, self._changed, clock)
        self.gate = Gate(self.pool, self._changed, clock, lambda: datetime.now(UTC))
        self.pool.attend(self)

    def _changed(self) -> None:
        self.pokes += 1
        self._stirred.set()

    def moved(self) -> None:
        self.gate.moved()
        self._stirred.set()

    def room(self, key: ModelKey) -> None:
        self.gate.room(key)
        self._stirred.set()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Waits until it holds: looks when the pool said something, and often besides."""
        async with asyncio.timeout(PATIENCE_S):
            while not holds():
                self._stirred.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stirred.wait(), 0.02)

    async def load(self, key: str, uid: str | None = None, *, promote: bool = True) -> None:
        """Load a scripted model and make it answer."""
        action = load_action(key, uid or key)
        await self.pool.load(action)
        if promote:
            self.promote(key, uid)

    def promote(self, key: str, uid: str | None = None) -> None:
        self.pool.promote(Promote(ModelKey(key), InstanceUid(uid or key)))

    def drain(self, key: str, deadline_s: float, uid: str | None = None) -> asyncio.Task[None]:
        action = Drain(ModelKey(key), InstanceUid(uid or key), deadline_s, "the test wants it")
        return asyncio.create_task(self.pool.drain(action))

    async def unload(self, key: str, uid: str | None = None) -> None:
        await self.pool.unload(Unload(ModelKey(key), InstanceUid(uid or key), 1000))

    def view(self, uid: str) -> InstanceView | None:
        return next((view for view in self.pool.snapshot() if view.uid == uid), None)

    def pid(self, uid: str) -> int:
        worker = self.pool._instances[InstanceUid(uid)].worker
        assert worker is not None
        return worker.pid

    async def ask(self, name: str, says: str, **more: object) -> str:
        """The whole text of a request's answer."""
        generation = self.gate.submit(request(name, says, **more))  # type: ignore[arg-type]
        try:
            return text(await events(generation))
        finally:
            await generation.aclose()


@asynccontextmanager
async def stage(
    *,
    command: tuple[str, ...] = SCRIPTED,
    limits: WatchLimits = QUICK,
    environ: dict[str, str] | None = None,
) -> AsyncIterator[Stage]:
    """A stage whose processes are gone afterwards."""
    clock = asyncio.get_running_loop().time
    supervisor = Supervisor(environ or {}, clock, command=command, limits=limits)
    standing = Stage(supervisor)
    try:
        yield standing
    finally:
        standing.gate.close()
        await standing.pool.close()


async def events(generation: Generation) -> list[Event]:
    """All events of a generation."""
    async with asyncio.timeout(PATIENCE_S):
        await generation.accepted()
        return [event async for event in generation]


def text(some: list[Event]) -> str:
    return "".join(event.text for event in some if isinstance(event, Text))
