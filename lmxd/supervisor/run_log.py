"""What workers write to stderr: to the log, to a bounded file, and the last lines of each kept.

`Tail` reads one worker's pipe; `RunLog` is the one file of all workers, written by a thread of
its own so that a slow disk never holds up the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import queue
from collections import deque
from collections.abc import Callable
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path

__all__ = ["RunLog", "Tail"]

log = logging.getLogger(__name__)

_KEPT_LINES = 40
_LONGEST_LINE = 500
_FILE_BYTES = 4 * 1024 * 1024
_OLD_FILES = 2


class Tail(asyncio.Protocol):
    """Cuts a worker's output into lines; `last` are the newest of them, the oldest first."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self._on_line = on_line
        self._partial = b""
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._transport: asyncio.BaseTransport | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def last(self) -> tuple[str, ...]:
        """At most 40 lines, each cut to 500 characters."""
        return tuple(self._lines)

    def close(self) -> None:
        """Stop reading, also when some grandchild still holds the pipe."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the pipe is ready."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        *lines, rest = (self._partial + data).split(b"\n")
        # A line without an end must not grow for ever; what is over the limit is not shown anyway.
        self._partial = rest[: 4 * _LONGEST_LINE]
        for line in lines:
            self._add(line)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the pipe is closed."""
        if self._partial:
            self._add(self._partial)
        if not self.closed.done():
            self.closed.set_result(None)

    def _add(self, raw: bytes) -> None:
        line = raw.decode("utf-8", "replace").rstrip()[:_LONGEST_LINE]
        if line:
            self._lines.append(line)
            self._on_line(line)


class RunLog:
    """The lines of all workers: at debug in the daemon's log and, given a folder, in a file there.

    folder: `workers.log` is written in it, 4 MiB at most, two older ones are kept.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file: QueueHandler | None = None
        self._writer: QueueListener | None = None
        if folder is not None:
            self._open(folder)

    def write(self, who: str, pid: int, line: str) -> None:
        """Keep one line; never blocks."""
        log.debug("worker said", extra={"worker": who, "pid": pid, "line": line})
        if self._file is not None:
            self._file.handle(logging.makeLogRecord({"msg": f"{who}: {line}"}))

    def close(self) -> None:
        """Write what is left and close the file."""
        if self._writer is not None:
            self._writer.stop()
            for handler in self._writer.handlers:
                handler.close()
            self._writer = None
            self._file = None

    def _open(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        target = RotatingFileHandler(
            folder / "workers.log",
            maxBytes=_FILE_BYTES,
            backupCount=_OLD_FILES,
            encoding="utf-8",
        )
        target.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        lines: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()
        self._writer = QueueListener(lines, target)
        self._writer.start()
        self._file = QueueHandler(lines)
