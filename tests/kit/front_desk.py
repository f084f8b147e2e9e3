"""A whole daemon in this process, HTTP and all, over a document in which nothing is ever loaded.

Everything is built and wired as `lmxd serve` does it, but for the watcher, the probe and signals:
the file is looked at when a call or a test does, and the wall clock is moved by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import datetime, timedelta
from pathlib import Path
from unittest import mock

import httpx2

from lmxd.daemon import process
from lmxd.desired.desk import Pace
from lmxd.host.clock import SystemClock
from lmxd.http.app import Server
from lmxd.http.listen import show
from lmxd.settings import Settings
from lmxd.statefolder import StateFolder
from tests.kit.desk import NOW
from tests.kit.fake_gate import DEADLINE_S
from tests.kit.http_stage import NO_TLS

__all__ = ["FrontDesk"]


class Clock(SystemClock):
    """A wall clock that only moves by hand."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        """What it shows."""
        return self.at


class FrontDesk:
    """One document and its daemon, which may be stopped and started. Suspend the document, or the
    loop begins to load models.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "desired-state.yaml"
        self.clock = Clock()
        self._settings = Settings(
            document=self.path,
            listen=(("127.0.0.1", 0),),
            state_dir=folder / "state",
            models_dir=folder / "models",
            host_name="desk",
            log_format="text",
            log_level="error",
            allow_host=(),
            cors=(),
        )

    async def start(self) -> None:
        """Build everything and answer."""
        self._stack = contextlib.AsyncExitStack()
        folder = self._stack.enter_context(
            StateFolder(self._settings.state_dir, now=self.clock.now)
        )
        hasty = Pace(settle_s=0, linger_s=3600)
        with mock.patch("lmxd.desired.document.Pace", return_value=hasty):
            self._parts = parts = process._build(self._settings, folder, self.clock)
        self._stack.callback(parts.run_log.close)
        self._stack.push_async_callback(parts.files.aclose)
        self._stack.push_async_callback(parts.pool.close)
        await parts.events.start()
        await parts.documents.start()
        server = Server(parts.deps)
        await server.prepare(self._settings.listen)
        loop = asyncio.create_task(parts.loop.run(), name="loop")
        self._stack.push_async_callback(_ended, loop)
        await parts.loop.fresh()
        await server.start()
        self._stack.push_async_callback(parts.documents.close)
        self._stack.push_async_callback(server.stop, 0)
        self._stack.push_async_callback(parts.events.close)
        self._stack.callback(parts.edits.close)
        self._stack.callback(parts.gate.close)
        url = f"http://{show(*server.addresses[0])}/lmxd/v1/"
        client = httpx2.AsyncClient(
            base_url=url, timeout=DEADLINE_S, trust_env=False, verify=NO_TLS
        )
        self._client = await self._stack.enter_async_context(client)

    async def stop(self) -> None:
        """Stop in good order; nothing of it stays but what is on disk."""
        await self._stack.aclose()

    async def look(self) -> None:
        """The daemon notices that the file was saved."""
        await self._parts.documents.document.look()

    async def send(
        self, method: str, path: str, content: bytes, headers: dict[str, str]
    ) -> httpx2.Response:
        """One call below `/lmxd/v1/`."""
        return await self._client.request(method, path, content=content, headers=headers)

    def pass_time(self, seconds: float) -> None:
        """The wall clock moves."""
        self.clock.at += timedelta(seconds=seconds)


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
