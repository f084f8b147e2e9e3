"""Starts a worker process: exec with an inherited socket, in a session of its own.

Never fork: a child forked after threads or a device were used hangs. The session keeps a
terminal's Ctrl-C from the workers; the daemon ends them in its own order.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Mapping, Sequence

from lmxd.supervisor.limits import WatchLimits
from lmxd.supervisor.run_log import RunLog, Tail
from lmxd.supervisor.worker import Worker
from schemas.errors import ActionError
from schemas.frames import PROTOCOL

__all__ = ["spawn"]


async def spawn(
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    limits: WatchLimits,
    clock: Callable[[], float],
    run_log: RunLog,
) -> Worker:
    """A started worker; its hello comes later. `command` gets `--fd N --protocol P` appended.

    Raises ActionError when the process cannot be started. Cancelling leaves no process.
    """
    ours, theirs = socket.socketpair()
    read_end, write_end = os.pipe()
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            *("--fd", str(theirs.fileno()), "--protocol", str(PROTOCOL)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            pass_fds=(theirs.fileno(),),
            env=dict(environ),
            start_new_session=True,
        )
    except OSError as error:
        ours.close()
        os.close(read_end)
        raise ActionError("LoadFailed", f"a worker process cannot be started: {error}") from error
    except BaseException:
        ours.close()
        os.close(read_end)
        raise
    finally:
        theirs.close()
        os.close(write_end)
    return await _adopt(process, ours, read_end, limits, clock, run_log)


async def _adopt(
    process: asyncio.subprocess.Process,
    sock: socket.socket,
    output: int,
    limits: WatchLimits,
    clock: Callable[[], float],
    run_log: RunLog,
) -> Worker:
    """Connects to a process that runs. It takes a few loop iterations, and no cancellation may
    come between, or a process would run that nobody knows.
    """
    tail = Tail(lambda line: run_log.write(worker.name, process.pid, line))
    worker = Worker(process, tail, limits, clock)
    connecting = asyncio.gather(
        asyncio.get_running_loop().connect_read_pipe(lambda: tail, os.fdopen(output, "rb", 0)),
        worker.link.connect(sock),
    )
    try:
        await asyncio.shield(connecting)
    except asyncio.CancelledError:
        await connecting
        worker.watch()
        await worker.stop()
        raise
    worker.watch()
    return worker
