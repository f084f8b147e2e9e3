"""A real worker process at the other end of a socket, driven synchronously by a test.

Every wait has a deadline and ends in an error that shows the worker's stderr.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

from lmxd.framing import Decoder, encode
from schemas.frames import (
    PROTOCOL,
    UP,
    Cancel,
    Down,
    Hello,
    Limits,
    Load,
    Loaded,
    LoadFailed,
    Step,
    Submit,
    Up,
)
from schemas.inference import (
    Event,
    Failed,
    Finish,
    Message,
    Request,
    Sampling,
    Text,
    TextPart,
    Usage,
)

ROOT = Path(__file__).resolve().parents[2]
GREEDY = Sampling(temperature=0.0)


def chat(request_id: str, text: str = "hello world", **fields: Any) -> Request:
    """A request with one user message; greedy unless told otherwise."""
    fields.setdefault("messages", (Message("user", (TextPart(text),)),))
    fields.setdefault("sampling", GREEDY)
    return Request(request_id, "m", **fields)


class Answer:
    """The events of one request so far, and what they say together."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, Text))

    @property
    def finish(self) -> str | None:
        return next((event.reason for event in self.events if isinstance(event, Finish)), None)

    @property
    def failed(self) -> Failed | None:
        return next((event for event in self.events if isinstance(event, Failed)), None)

    @property
    def usage(self) -> Usage | None:
        last = self.events[-1] if self.events else None
        return last if isinstance(last, Usage) else None


class WorkerClient:
    """Starts `python -m lmxd.worker` and speaks its protocol; a context manager that ends it."""

    def __init__(
        self,
        *,
        protocol: int = PROTOCOL,
        engine: str = "mlx",
        env: dict[str, str] | None = None,
    ) -> None:
        self._sock, theirs = socket.socketpair()
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in __exit__
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "lmxd.worker",
                "--fd",
                str(theirs.fileno()),
                "--protocol",
                str(protocol),
                "--engine",
                engine,
            ],
            pass_fds=[theirs.fileno()],
            stderr=self._stderr,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
        )
        theirs.close()
        self._decoder: Decoder[Up] = Decoder(UP)
        self._unread: list[Up] = []
        self.answers: dict[str, Answer] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.hang_up()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._stderr.close()

    def send(self, *frames: Down) -> None:
        self._sock.sendall(b"".join(encode(frame) for frame in frames))

    def hang_up(self) -> None:
        """Closes the socket, as a daemon that died."""
        self._sock.close()

    def wait_exit(self, within_s: float = 30) -> int:
        return self.process.wait(within_s)

    def stderr(self) -> str:
        # pread: the child writes at the same file offset.
        return os.pread(self._stderr.fileno(), 1 << 20, 0).decode(errors="replace")

    def next(self, within_s: float = 60) -> Up:
        """The next frame; step events are also sorted into `answers`."""
        end = time.monotonic() + within_s
        while not self._unread:
            ready, _, _ = select.select([self._sock], [], [], max(0, end - time.monotonic()))
            if not ready:
                raise AssertionError(f"no frame within {within_s} s; stderr:\n{self.stderr()}")
            data = self._sock.recv(1 << 20)
            if not data:
                raise EOFError(f"the worker hung up; stderr:\n{self.stderr()}")
            self._unread += self._decoder.feed(data)
        frame = self._unread.pop(0)
        if isinstance(frame, Step):
            for event in frame.events:
                self.answers.setdefault(event.id, Answer()).events.append(event)
        return frame

    def until(self, wanted: Callable[[Up], bool], within_s: float = 60) -> Up:
        """The first frame for which `wanted` holds; those before it are passed over."""
        end = time.monotonic() + within_s
        while not wanted(frame := self.next(max(0.01, end - time.monotonic()))):
            pass
        return frame

    def load(
        self,
        path: Path,
        *,
        context: int = 2048,
        parallel: int = 8,
        kv_bytes: int = 0,
        task: str = "chat",
        options: dict[str, object] | None = None,
    ) -> Loaded | LoadFailed:
        """Waits for hello, loads `path`, and gives how that ended."""
        self.until(lambda frame: isinstance(frame, Hello))
        limits = Limits(context, parallel, kv_bytes)
        self.send(Load("uid-1", str(path), "mlx", task, limits, options or {}))
        frame = self.until(lambda frame: isinstance(frame, Loaded | LoadFailed))
        assert isinstance(frame, Loaded | LoadFailed)
        return frame

    def wait_answers(self, ids: Iterable[str], within_s: float = 60) -> list[Answer]:
        """Waits until the requests have ended, each with its usage."""
        wanted = list(ids)
        end = time.monotonic() + within_s
        while not all(i in self.answers and self.answers[i].usage for i in wanted):
            self.next(max(0.01, end - time.monotonic()))
        return [self.answers[i] for i in wanted]

    def ask(self, *requests: Request, within_s: float = 60) -> list[Answer]:
        """Submits all together and waits for all."""
        self.send(*(Submit(request) for request in requests))
        return self.wait_answers([request.id for request in requests], within_s)

    def cancel(self, request_id: str) -> None:
        self.send(Cancel(request_id))
