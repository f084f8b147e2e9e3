"""A real daemon in a process of its own: `python -m lmxd serve FILE` on a free loopback port.

    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        answer = await daemon.get("/lmxd/v1/status")
        document.write_text(...)
        await daemon.until(lambda status: summary(status, "tiny") == "Ready", "tiny is Ready")

State and model folders lie below the folder that is given, and outlive the daemon: entering
`running` again with the same folder is a restart. The process is ended by its own id however the
test ends; when the test fails, the daemon's log is a note of the exception. Nothing here sleeps:
waits look again at each line the daemon logs, and at the latest after `GLANCE_S`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

__all__ = ["Daemon", "condition", "running", "summary"]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
GLANCE_S = 0.1

Status = Mapping[str, Any]


def summary(status: Status, key: str) -> str | None:
    """The one-word summary of a model; None when the daemon does not know the model."""
    return next((m["summary"] for m in status["models"] if m["key"] == key), None)


def condition(status: Status, kind: str, key: str | None = None) -> Mapping[str, Any]:
    """A condition of a model, or of the daemon without `key`; Unknown when it is not there."""
    owners = [status] if key is None else [m for m in status["models"] if m["key"] == key]
    found = [c for owner in owners for c in owner["conditions"] if c["type"] == kind]
    return found[0] if found else {"status": "Unknown", "reason": "", "message": ""}


class Daemon:
    """One running daemon. Made by `running`; `process` is for faults (SIGSTOP, SIGKILL)."""

    def __init__(self, process: asyncio.subprocess.Process, document: Path, folder: Path) -> None:
        self.process = process
        self.document = document
        self.state_dir = folder / "state"
        self.models_dir = folder / "models"
        self.url = ""
        self._lines: list[str] = []
        self._news = asyncio.Condition()
        self._reader = asyncio.create_task(self._read(), name=f"log of daemon {process.pid}")

    @property
    def log(self) -> str:
        """Everything the daemon has written on stderr so far."""
        return "".join(self._lines)

    def events(self, name: str) -> list[dict[str, Any]]:
        """The log records of one event name, oldest first."""
        records = [_record(line) for line in self._lines]
        return [record for record in records if record and record.get("event") == name]

    async def get(self, path: str) -> Any:
        """The JSON of a GET; raises for any status but 200."""
        async with self._client() as client:
            answer = await client.get(path, timeout=PATIENCE_S)
            answer.raise_for_status()
            return answer.json()

    def _client(self) -> httpx2.AsyncClient:
        """Without certificates, which take a tenth of a second to read."""
        return httpx2.AsyncClient(base_url=self.url, trust_env=False, verify=False)

    async def status(self) -> Status:
        """`GET /lmxd/v1/status`."""
        found: Status = await self.get("/lmxd/v1/status")
        return found

    async def ready(self, patience_s: float = PATIENCE_S) -> None:
        """Wait until `/ready` answers 200: everything wanted is served."""
        async with self._client() as client:

            async def is_ready() -> bool:
                return (await client.get("/ready", timeout=PATIENCE_S)).status_code == 200

            await self._watch(is_ready, "/ready answers 200", patience_s)

    async def until(
        self, holds: Callable[[Status], bool], what: str, patience_s: float = PATIENCE_S
    ) -> Status:
        """Wait for a status of which `holds` is true, and return it; `what` names it."""
        last: Status = {}

        async def look() -> bool:
            nonlocal last
            last = await self.status()
            return holds(last)

        await self._watch(look, what, patience_s)
        return last

    async def until_logged(self, event: str, patience_s: float = PATIENCE_S) -> dict[str, Any]:
        """Wait for a log record of that event name; the newest one is returned."""

        async def look() -> bool:
            return bool(self.events(event))

        await self._watch(look, f"the event {event} is logged", patience_s)
        return self.events(event)[-1]

    async def stop(self) -> int:
        """SIGTERM and wait; SIGKILL after a deadline. Repeatable. Returns the exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.process.wait(), PATIENCE_S)
        return await self.kill()

    async def kill(self) -> int:
        """SIGKILL, as a power cut would end it, and wait. Repeatable. Returns the exit status."""
        with contextlib.suppress(ProcessLookupError):
            if self.process.returncode is None:
                self.process.kill()
        status = await self.process.wait()
        await self._reader
        return status

    async def _read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            async with self._news:
                self._lines.append(line.decode(errors="replace"))
                self._news.notify_all()
        async with self._news:
            self._news.notify_all()

    async def _watch(
        self, look: Callable[[], Any], what: str, patience_s: float = PATIENCE_S
    ) -> None:
        """Look until it holds; a daemon that ended meanwhile, or the deadline, is a failure."""
        try:
            async with asyncio.timeout(patience_s):
                while not await look():
                    if self.process.returncode is not None:
                        raise AssertionError(f"the daemon ended before this held: {what}")
                    await self._glance()
        except TimeoutError:
            raise AssertionError(f"not within {patience_s:g} s: {what}") from None

    async def _glance(self) -> None:
        """Until the next line of the log, or for a moment."""
        with contextlib.suppress(TimeoutError):
            async with self._news:
                await asyncio.wait_for(self._news.wait(), GLANCE_S)


@asynccontextmanager
async def running(
    document: Path | None,
    folder: Path,
    *options: str,
    env: Mapping[str, str] | None = None,
    patience_s: float = PATIENCE_S,
) -> AsyncIterator[Daemon]:
    """Start a daemon, wait until it listens, and stop it at the end.

    Args:
        document: the desired-state file; None: none is named, and none is found in `folder`.
        folder: holds the state and model folders and is the working directory.
        options: more arguments of `serve`.
        env: variables laid over the environment, such as HF_ENDPOINT.
    """
    command = [
        *(sys.executable, "-m", "lmxd", "serve"),
        *([str(document)] if document else []),
        *("--listen", "127.0.0.1:0", "--log-format", "json"),
        *("--state-dir", str(folder / "state"), "--models-dir", str(folder / "models")),
        *options,
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=_environment(folder, env or {}),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        limit=16 * 1024 * 1024,
    )
    daemon = Daemon(process, document or folder / "desired-state.yaml", folder)
    try:
        listening = await daemon.until_logged("http listening", patience_s)
        daemon.url = str(listening["urls"]).split()[0]
        yield daemon
    except BaseException as error:
        error.add_note(f"log of the daemon:\n{daemon.log}")
        raise
    finally:
        # Shielded: a test that ran out of time must not leave a daemon behind.
        await asyncio.shield(asyncio.ensure_future(daemon.stop()))


def _environment(folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """Ours without settings of this shell, importing this checkout, with a home of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LMXD_", "HF_", "XDG_"))}
    home = folder / "home"
    home.mkdir(parents=True, exist_ok=True)
    return {**kept, "PYTHONPATH": str(ROOT), "HOME": str(home), **extra}


def _record(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
