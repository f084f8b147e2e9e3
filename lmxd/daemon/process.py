"""The daemon's process: everything is built here, started in order and stopped in reverse.

Start: state folder and its lock, memories, addresses, document, loop, then HTTP answers. Stop:
HTTP takes nothing new, waiting requests are refused, running ones get a grace, then the loop and
the workers end. A second signal skips the grace.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from lmxd.daemon.control_edits import ControlEdits
from lmxd.daemon.documents import Documents
from lmxd.daemon.surface import surface
from lmxd.host.clock import SystemClock
from lmxd.host.machine import Machine
from lmxd.host.probe import Probe
from lmxd.host.zones import zone_database
from lmxd.http.ports import Deps
from lmxd.journal import Journal
from lmxd.serving.gate import Gate
from lmxd.serving.pool import Pool
from lmxd.settings import DOCUMENT_NAME, Settings
from lmxd.statefolder import StateFolder
from lmxd.store.access import default_cache
from lmxd.store.files import ModelFiles
from lmxd.supervisor.run_log import RunLog
from lmxd.supervisor.supervisor import Supervisor
from lmxd.telemetry.events import EventLog
from reconciler.loop.core import Core
from reconciler.loop.driver import Loop, Ports
from reconciler.loop.memory import Remembered
from schemas.errors import StartupError
from schemas.events import Event

if TYPE_CHECKING:
    from lmxd.http.app import Server

log = logging.getLogger(__name__)

GRACE_S = 10.0
"""What running requests get when the daemon is told to stop."""
LAST_WORDS_S = 1.0
"""How long telling the rest that they are ended may take, and then cutting who does not read."""
SETTLE_S = 2.0
"""How long the start waits for a document that is being written."""


async def run(settings: Settings) -> None:
    """Serve until a signal comes. Raises StartupError when the daemon must not start."""
    clock = SystemClock()
    with StateFolder(settings.state_dir, now=clock.now) as folder:
        parts = _build(settings, folder, clock)
        where = {"document": parts.documents.view().path, "state": folder.path}
        log.info("starting", extra={"version": version("lmxd"), **where})
        await _serve(parts, settings)


@dataclass(frozen=True, slots=True)
class _Parts:
    """The long-lived objects of one daemon."""

    loop: Loop
    documents: Documents
    probe: Probe
    files: ModelFiles
    pool: Pool
    gate: Gate
    events: EventLog
    deps: Deps
    edits: ControlEdits
    run_log: RunLog


def _build(settings: Settings, folder: StateFolder, clock: SystemClock) -> _Parts:
    """Everything, and who pokes whom: whatever changes makes the loop look again."""
    journal = Journal(folder)
    cache = _cache(settings)
    files = ModelFiles(cache, folder, now=clock.now, environ=os.environ)
    poke = Poke()
    probe = Probe(folder, poke)
    run_log = RunLog(folder.path / "logs")
    supervisor = Supervisor(os.environ, clock.monotonic, run_log=run_log)
    pool = Pool(supervisor, poke, clock.monotonic)
    gate = Gate(pool, poke, clock.monotonic, clock.now)
    remembered = Remembered(
        *journal.epoch(),
        ledger=journal.ledger(),
        failures=dict(journal.failures()),
        drifts=journal.drifts(),
        proven=dict(journal.proven()),
        tombstones=journal.tombstones(),
    )
    events = _events(journal, clock, poke)
    path = settings.document or Path.cwd() / DOCUMENT_NAME
    documents = Documents(path, folder, clock, changed=poke, emit=events.emit)
    ports = Ports(
        clock=clock,
        documents=documents,
        files=files,
        instances=pool,
        traffic=gate,
        host=Machine(cache, probe, files.own_bytes, folder),
        journal=journal,
        events=events,
    )
    core = Core(
        remembered,
        version("lmxd"),
        journal.state_id,
        f"start {clock.now().isoformat()}",
        settings.host_name,
        zone_database(),
    )
    loop = poke.target = Loop(ports, core, remembered)
    shown = surface(
        settings,
        folder,
        clock,
        documents=documents,
        loop=loop,
        files=files,
        gate=gate,
        events=events,
    )
    return _Parts(
        loop, documents, probe, files, pool, gate, events, shown.deps, shown.edits, run_log
    )


def _events(journal: Journal, clock: SystemClock, poke: Poke) -> EventLog:
    """The log of events, its numbers written down by the journal."""
    return EventLog(
        journal.state_id,
        reserved=journal.event_numbers(),
        reserve=journal.reserve_events,
        now=clock.now,
        where=poke.where,
    )


class Poke:
    """The loop for those who were built before it: they make it look again, and ask where it is."""

    target: Loop | None = None

    def __call__(self) -> None:
        """Look again soon."""
        if self.target is not None:
            self.target.poke()

    def where(self) -> tuple[int, int]:
        """Generation and epoch of the last pass."""
        latest = self.target.latest if self.target is not None else None
        return (latest.status.generation, latest.status.epoch) if latest else (0, 0)


def _cache(settings: Settings) -> Path:
    """The hub cache: below --models-dir, else where every program of this user keeps it."""
    return settings.models_dir / "hub" if settings.models_dir else default_cache(os.environ)


async def _serve(parts: _Parts, settings: Settings) -> None:
    """Start in order; on a signal stop in reverse. A failing part stops the whole daemon."""
    signals = _Signals()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(parts.run_log.close)
        stack.push_async_callback(parts.files.aclose)
        stack.push_async_callback(parts.pool.close)
        refused: Exception | None = None
        try:
            async with asyncio.TaskGroup() as group:
                server, tasks = await _start(parts, settings, group)
                await server.start()
                await signals.first.wait()
                log.info("stopping", extra={"grace_s": GRACE_S})
                parts.gate.close()
                parts.edits.close()
                parts.events.emit(Event("Normal", "Stopping", "daemon", "lmxd stops"))
                await parts.events.close()
                await _stop_requests(parts, server, signals)
                for task in tasks:
                    task.cancel()
        except* StartupError as found:
            refused = found.exceptions[0]
        await parts.documents.close()  # not in the stack: whatever else ends us is a death
        if refused is not None:  # a raise inside `except*` would be wrapped in a group
            raise refused
    log.info("stopped")


async def _start(
    parts: _Parts, settings: Settings, group: asyncio.TaskGroup
) -> tuple[Server, list[asyncio.Task[None]]]:
    """Everything; HTTP answers only once names are known: no request meets an empty table.

    A file that does not hold still delays the start by `SETTLE_S` at most.
    """
    await parts.events.start()
    document = group.create_task(parts.documents.start(), name="document start")
    server = (await asyncio.to_thread(_import_server))(parts.deps)
    await server.prepare(settings.listen)
    tasks = [group.create_task(parts.probe.run(), name="probe")]
    await asyncio.wait({document}, timeout=SETTLE_S)
    tasks.append(group.create_task(parts.loop.run(), name="loop"))
    await parts.loop.fresh()
    tasks.append(group.create_task(_follow(parts, document), name="document"))
    return server, tasks


def _import_server() -> type[Server]:
    """HTTP takes a fifth of a second to import: done while the document must hold still."""
    from lmxd.http.app import Server  # noqa: PLC0415

    return Server


async def _follow(parts: _Parts, started: asyncio.Task[None]) -> None:
    """Whatever happens to the file from now on."""
    await started
    async with asyncio.TaskGroup() as group:
        group.create_task(parts.documents.run(), name="documents")
        group.create_task(_sweep(parts), name="sweep")
        group.create_task(_remember_outcomes(parts), name="outcomes")


async def _remember_outcomes(parts: _Parts) -> None:
    """The history says of each generation whether there came to be nothing left to do for it."""
    reached = 0
    while True:
        picture = (await parts.loop.following()).picture
        accepted = picture.config.accepted
        done = picture.plan.empty and picture.plan.budget is not None
        if done and accepted is not None and accepted.generation > reached:
            reached = accepted.generation
            await parts.documents.document.converged(reached)


async def _sweep(parts: _Parts) -> None:
    """Remove orphaned partial files, if it is known what is wanted; else a later start does. Those
    of removed models stay, as all files of these do.
    """
    picture = (await parts.loop.fresh()).picture
    if picture.effective.models:
        wanted = frozenset(model.artifact for model in picture.effective.models)
        await parts.files.sweep(wanted | picture.known.tombstones.artifacts)


async def _stop_requests(parts: _Parts, server: Server, signals: _Signals) -> None:
    """Running requests may end for `GRACE_S`, or until a second signal says that there is no time.

    Those that are left are told why they end, before their connections are cut.
    """
    stopping = asyncio.create_task(server.stop(GRACE_S + LAST_WORDS_S), name="http stop")
    second = asyncio.create_task(signals.second.wait(), name="second signal")
    await asyncio.wait({stopping, second}, timeout=GRACE_S, return_when=asyncio.FIRST_COMPLETED)
    second.cancel()
    parts.pool.end_requests()
    await asyncio.wait({stopping}, timeout=2 * LAST_WORDS_S)
    stopping.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await stopping


class _Signals:
    """SIGTERM and SIGINT: the first asks to stop, the second asks to stop at once."""

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._caught)

    def _caught(self) -> None:
        (self.second if self.first.is_set() else self.first).set()
