"""The daemon's end of a worker's socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from lmxd.framing import FrameError, encode
from lmxd.supervisor.link import Link
from schemas.frames import Bye, Cancel, Submit, Up
from schemas.inference import Message, Request, TextPart


class Wire:
    """A link, its peer, and what the link said."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[Up] = asyncio.Queue()
        self.closed: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.writable = asyncio.Event()
        self.link = Link(self.frames.put_nowait, self.closed.set_result, self.writable.set)
        self.peer, ours = socket.socketpair()
        self.peer.setblocking(False)
        self._ours = ours

    async def connect(self) -> None:
        await self.link.connect(self._ours)

    async def receive(self, size: int) -> int:
        """Read that many bytes on the peer's side."""
        got = 0
        while got < size:
            got += len(await asyncio.get_running_loop().sock_recv(self.peer, 1 << 20))
        return got


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    wire = Wire()
    await wire.connect()
    yield wire
    wire.link.close()
    wire.peer.close()
    await wire.closed


async def test_frames_come_in_order(wire: Wire) -> None:
    wire.peer.send(encode(Bye("one")) + encode(Bye("two")))
    assert [await wire.frames.get(), await wire.frames.get()] == [Bye("one"), Bye("two")]


async def test_bytes_that_are_no_frame_end_the_connection(wire: Wire) -> None:
    wire.peer.send(b"\xff\xff\xff\xff")
    fault = await asyncio.wait_for(wire.closed, 10)
    assert fault is not None
    assert "announces" in fault
    assert not wire.link.open


async def test_the_peers_end_is_no_fault(wire: Wire) -> None:
    wire.peer.close()
    assert await asyncio.wait_for(wire.closed, 10) is None


async def test_a_peer_that_does_not_read_is_noticed_and_small_frames_still_go(wire: Wire) -> None:
    message = Message("user", (TextPart("x" * 1_000_000),))
    large = Submit(Request("r", "m", (message,)))
    sent = 0
    while wire.link.writable:
        wire.link.send(large)
        sent += len(encode(large))
        assert sent < 20_000_000, "the buffer must have a bound"
    wire.link.send(Cancel("r"))
    sent += len(encode(Cancel("r")))
    assert await wire.receive(sent) == sent
    await asyncio.wait_for(wire.writable.wait(), 10)
    assert wire.link.writable


async def test_a_frame_over_the_limit_is_refused_and_the_link_lives(wire: Wire) -> None:
    message = Message("user", (TextPart("x" * (65 * 1024 * 1024)),))
    with pytest.raises(FrameError):
        wire.link.send(Submit(Request("r", "m", (message,))))
    assert wire.link.open


async def test_sending_after_the_end_is_nothing(wire: Wire) -> None:
    wire.link.close()
    await wire.closed
    wire.link.send(Cancel("r"))
    assert not wire.link.open
