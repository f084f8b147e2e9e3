"""The worker's end of the socket: one I/O thread that reads, beats, and ends the process on EOF.

It turns incoming frames into calls of a handler and sends what other threads give it. It never
runs engine code, so it goes on while a step is long or stuck (`mx.eval` releases the GIL): a
parent that is gone ends this process at once, whatever the engine is doing.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from lmxd.framing import Decoder, FrameError, encode
from lmxd.worker import log
from lmxd.worker.pulse import Pulse
from schemas.frames import DOWN, EXIT_FATAL, EXIT_PARENT_GONE, EXIT_PROTOCOL, Bye, Down, Up

__all__ = ["Channel"]

BEAT_S = 1.0
_CHUNK = 1 << 18
# A daemon that stopped reading holds the engine here, before the worker's memory fills with text.
_BACKLOG = 16 * 1024 * 1024


class Channel:
    """Sends and receives frames on `sock`, which it owns.

    handle: called on the I/O thread for each frame; must not block. Beats begin with the first
    frame sent (the hello).
    """

    def __init__(self, sock: socket.socket, pulse: Pulse, handle: Callable[[Down], None]) -> None:
        self._sock = sock
        self._pulse = pulse
        self._handle = handle
        self._decoder: Decoder[Down] = Decoder(DOWN)
        self._room = threading.Condition()
        self._backlog = bytearray()
        self._greeted = False
        self._wake_out, self._wake_in = socket.socketpair()
        for end in (sock, self._wake_out, self._wake_in):
            end.setblocking(False)

    def start(self) -> None:
        """Starts the I/O thread; it lives as long as the process."""
        threading.Thread(target=self._run, name="worker-io", daemon=True).start()

    def send(self, frame: Up) -> None:
        """Sends a frame from any thread but the I/O thread; blocks while the backlog is full."""
        data = encode(frame)
        with self._room:
            self._greeted = True
            while len(self._backlog) > _BACKLOG:
                self._room.wait()
            self._put(data)

    def leave(self, code: int, *, bye: str | None = None, within_s: float = 2.0) -> NoReturn:
        """Waits until everything is sent (or the time is over) and exits with `code`; any thread.

        bye: the reason to give, when the worker ends on purpose. It exits without Python's
        teardown: the device's memory comes back sooner, and no thread has to stop mid-step.
        """
        end = time.monotonic() + within_s
        with self._room:
            if bye is not None:
                self._put(encode(Bye(bye)))
            while self._backlog and time.monotonic() < end:
                self._room.wait(0.01)
                self._flush()
        end_process(code)

    def _put(self, data: bytes) -> None:
        self._backlog += data
        if len(self._backlog) == len(data):  # nothing before it: the usual case needs no wake-up
            self._flush()
        if self._backlog:
            self._wake()

    def _wake(self) -> None:
        try:
            self._wake_in.send(b"x")
        except BlockingIOError:
            return  # it is woken already

    def _flush(self) -> None:
        """Sends what the socket takes now; the caller holds the lock."""
        try:
            while self._backlog:
                sent = self._sock.send(self._backlog)
                del self._backlog[:sent]
        except BlockingIOError:
            return
        except OSError:
            end_process(EXIT_PARENT_GONE)
        finally:
            self._room.notify_all()

    def _run(self) -> None:
        try:
            self._loop()
        except FrameError as error:
            log.write("frame-refused", reason=str(error))
            end_process(EXIT_PROTOCOL)
        except Exception as error:  # noqa: BLE001 - a worker nobody can reach must not go on
            log.write("io-failed", error=repr(error))
            end_process(EXIT_FATAL)

    def _loop(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._sock, selectors.EVENT_READ)
        selector.register(self._wake_out, selectors.EVENT_READ)
        next_beat = time.monotonic() + BEAT_S
        while True:
            writing = selectors.EVENT_WRITE if self._backlog else 0
            selector.modify(self._sock, selectors.EVENT_READ | writing)
            for key, mask in selector.select(max(0.0, next_beat - time.monotonic())):
                if key.fileobj is self._wake_out:
                    self._wake_out.recv(4096)
                elif mask & selectors.EVENT_READ:
                    self._read()
            with self._room:
                self._flush()
            if time.monotonic() >= next_beat:
                next_beat = time.monotonic() + BEAT_S
                self._beat()

    def _read(self) -> None:
        try:
            data = self._sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            end_process(EXIT_PARENT_GONE)
        for frame in self._decoder.feed(data):
            self._handle(frame)

    def _beat(self) -> None:
        with self._room:
            # A beat behind a full backlog would tell nothing: the daemon does not read.
            if self._greeted and len(self._backlog) <= _BACKLOG:
                self._put(encode(self._pulse.beat()))


def end_process(code: int) -> NoReturn:
    """Ends the process now, without teardown; stderr is flushed."""
    log.flush()
    os._exit(code)
