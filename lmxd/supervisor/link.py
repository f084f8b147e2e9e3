"""The frame client: the daemon's end of one worker's socket.

Frames that arrive are handed on at once, on the event loop, in order. Frames that leave are
buffered by the transport; above its high-water mark `writable` turns False, and whoever has large
frames to send must wait for `on_writable`, so a worker that stops reading costs bounded memory.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from lmxd.framing import Decoder, FrameError, encode
from schemas.frames import UP, Down, Up

__all__ = ["Link"]

_HIGH_WATER = 4 * 1024 * 1024


class Link(asyncio.Protocol):
    """One connection.

    on_frame: called with each frame. on_closed: called once, with the fault that ended the
    connection or None for the worker's own end of it. on_writable: called when `writable` is
    True again.
    """

    def __init__(
        self,
        on_frame: Callable[[Up], None],
        on_closed: Callable[[str | None], None],
        on_writable: Callable[[], None],
    ) -> None:
        self._on_frame = on_frame
        self._on_closed = on_closed
        self._on_writable = on_writable
        self._decoder: Decoder[Up] = Decoder(UP)
        self._transport: asyncio.Transport | None = None
        self._fault: str | None = None
        self.writable = True

    @property
    def open(self) -> bool:
        """True while frames can pass."""
        return self._transport is not None and not self._transport.is_closing()

    async def connect(self, sock: socket.socket) -> None:
        """Take over `sock`; it is closed with this link."""
        await asyncio.get_running_loop().create_connection(lambda: self, sock=sock)

    def send(self, frame: Down) -> None:
        """Send, without waiting; nothing happens when closed. Raises FrameError when too large."""
        data = encode(frame)
        if self._transport is not None and self.open:
            self._transport.write(data)

    def close(self) -> None:
        """Close at once; what is unsent is lost. The worker takes this as its parent's end."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is ready."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - narrows asyncio's type
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        try:
            frames = self._decoder.feed(data)
        except FrameError as error:
            self._fault = str(error)
            self.close()
            return
        for frame in frames:
            self._on_frame(frame)

    def eof_received(self) -> bool:
        """asyncio: the worker closed its end; ours is closed too."""
        return False

    def pause_writing(self) -> None:
        """asyncio: the worker reads slower than we write."""
        self.writable = False

    def resume_writing(self) -> None:
        """asyncio: the backlog is gone."""
        self.writable = True
        self._on_writable()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: closed, by either side."""
        # A reset is how a kill looks from here: the exit code tells more than the errno.
        fault = self._fault or (None if exc is None or isinstance(exc, OSError) else repr(exc))
        self._on_closed(fault)
