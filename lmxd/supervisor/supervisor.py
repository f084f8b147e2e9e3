"""Gives out workers, and keeps one spare that has done its imports while one is wanted.

The pool takes a worker for each load. The spare's successor starts only when no load is running:
its imports would take the cores from the load somebody waits for.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Mapping, Sequence

from lmxd.supervisor.environment import worker_environment
from lmxd.supervisor.limits import WatchLimits
from lmxd.supervisor.run_log import RunLog
from lmxd.supervisor.spawn import spawn
from lmxd.supervisor.worker import Worker
from schemas.errors import ActionError

__all__ = ["WORKER_COMMAND", "Supervisor"]

log = logging.getLogger(__name__)

# -P: a file of the user's folder must not take the place of a library's module.
WORKER_COMMAND = (sys.executable, "-P", "-m", "lmxd.worker")
_SPARE_RETRY_S = 30.0


class Supervisor:
    """The owner of worker processes; the pool owns what runs in them.

    command: how a worker is started. environ: the daemon's environment; secrets are taken out.
    clock: monotonic seconds.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        clock: Callable[[], float],
        *,
        command: Sequence[str] = WORKER_COMMAND,
        limits: WatchLimits | None = None,
        run_log: RunLog | None = None,
    ) -> None:
        self._command = tuple(command)
        self._environ = worker_environment(environ)
        self._clock = clock
        self._limits = limits or WatchLimits()
        self._run_log = run_log or RunLog()
        self._workers: set[Worker] = set()
        self._loading: set[Worker] = set()
        self._wanted = False
        self._closed = False
        self._spare: Worker | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stopping: set[asyncio.Task[None]] = set()
        self._spare_failed_at: float | None = None

    @property
    def spare(self) -> Worker | None:
        """The spare, when there is one that could be taken."""
        return self._spare if self._spare is not None and self._spare.alive else None

    async def take(self) -> Worker:
        """A worker without a model: the spare, else a new one. The caller must load or stop it.

        Raises ActionError when no process can be started. Cancelling leaves none behind.
        """
        if self._starting is not None:
            await asyncio.shield(self._starting)
        worker = self.spare
        self._spare = None
        if worker is None:
            worker = await self._spawn()
        self._loading.add(worker)
        worker.settled.add_done_callback(lambda _: self._settled(worker))
        return worker

    def want_spare(self, wanted: bool) -> None:
        """Keep, or give up, one spare. Repeatable; a spare that died is tried again after 30 s."""
        self._wanted = wanted
        if wanted:
            self._replenish()
        elif self._spare is not None:
            self._dismiss(self._spare)
            self._spare = None

    async def close(self) -> None:
        """End all workers. Nothing can be taken afterwards."""
        self._closed = True
        self._wanted = False
        if self._starting is not None:
            await asyncio.wait({self._starting})
        await asyncio.gather(*(worker.stop() for worker in tuple(self._workers)))
        if self._stopping:
            await asyncio.wait(self._stopping)
        self._run_log.close()

    async def _spawn(self) -> Worker:
        if self._closed:
            raise ActionError("ShuttingDown", "the daemon is shutting down; no worker is started")
        worker = await spawn(
            self._command,
            self._environ,
            limits=self._limits,
            clock=self._clock,
            run_log=self._run_log,
        )
        if self._closed:  # while the process started
            await worker.stop()
            raise ActionError("ShuttingDown", "the daemon is shutting down; the worker was ended")
        self._workers.add(worker)
        worker.ended.add_done_callback(lambda _: self._ended(worker))
        log.debug("worker started", extra={"pid": worker.pid})
        return worker

    def _settled(self, worker: Worker) -> None:
        self._loading.discard(worker)
        self._replenish()

    def _ended(self, worker: Worker) -> None:
        self._workers.discard(worker)
        if worker is not self._spare:
            return
        self._spare = None
        self._spare_failed_at = self._clock()
        exit_report = worker.ended.result()
        if exit_report is not None:
            log.warning(
                "spare ended",
                extra={"reason": exit_report.reason, "detail": exit_report.message},
            )

    def _replenish(self) -> None:
        due = (
            self._spare_failed_at is None or self._clock() - self._spare_failed_at >= _SPARE_RETRY_S
        )
        missing = self._spare is None and self._starting is None
        if self._wanted and missing and due and not self._loading:
            self._starting = asyncio.create_task(self._start_spare(), name="spare-start")

    async def _start_spare(self) -> None:
        try:
            worker = await self._spawn()
        except ActionError as error:
            self._spare_failed_at = self._clock()
            log.warning("spare not started", extra={"reason": error.reason, "detail": str(error)})
            return
        finally:
            self._starting = None
        if self._wanted:
            self._spare = worker
        else:
            self._dismiss(worker)

    def _dismiss(self, worker: Worker) -> None:
        task = asyncio.create_task(worker.stop(), name=f"dismiss-{worker.pid}")
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
