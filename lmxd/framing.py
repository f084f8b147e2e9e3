"""Frames to bytes and bytes to frames: the codec of `schemas.frames`, used by both sides.

The daemon's frame client and the worker's I/O thread feed a `Decoder` whatever the socket gave
them and get whole frames back. Nothing here reads, writes or waits.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Generic, TypeVar

import msgspec

from schemas.frames import DOWN, MAX_FRAME, UP, Down, Up

__all__ = ["Decoder", "FrameError", "encode"]

FrameT = TypeVar("FrameT", bound=msgspec.Struct)

_HEADER = struct.Struct(">I")
_NAMES: dict[type[Down | Up], str] = {
    kind: name for table in (DOWN, UP) for name, kind in table.items()
}
_ENCODER = msgspec.msgpack.Encoder()
_ENVELOPE = msgspec.msgpack.Decoder(tuple[str, msgspec.Raw])


class FrameError(Exception):
    """What came over the wire is no frame of this protocol; the connection is of no more use."""


def encode(frame: Down | Up) -> bytes:
    """The bytes of one frame, header included; raises FrameError when it is over MAX_FRAME."""
    body = _ENCODER.encode((_NAMES[type(frame)], frame))
    if len(body) > MAX_FRAME:
        raise FrameError(
            f"a {_NAMES[type(frame)]} frame has {len(body)} bytes, at most {MAX_FRAME} can be sent"
        )
    return _HEADER.pack(len(body)) + body


class Decoder(Generic[FrameT]):
    """Collects bytes and gives frames; one decoder reads one direction of one connection.

    table: `DOWN` in a worker, `UP` in the daemon. After a FrameError every further call raises:
    a stream that lost its framing cannot find it again.
    """

    def __init__(self, table: Mapping[str, type[FrameT]]) -> None:
        self._decoders = {name: msgspec.msgpack.Decoder(kind) for name, kind in table.items()}
        self._buffer = bytearray()
        self._broken: str | None = None

    def feed(self, data: bytes) -> list[FrameT]:
        """The frames that are complete now, in order; raises FrameError."""
        if self._broken is not None:
            raise FrameError(self._broken)
        self._buffer += data
        try:
            return self._drain()
        except FrameError as error:
            self._broken = str(error)
            raise

    def _drain(self) -> list[FrameT]:
        frames: list[FrameT] = []
        start = 0
        while len(self._buffer) - start >= _HEADER.size:
            (size,) = _HEADER.unpack_from(self._buffer, start)
            if size > MAX_FRAME:
                raise FrameError(f"a frame announces {size} bytes, at most {MAX_FRAME} are allowed")
            end = start + _HEADER.size + size
            if len(self._buffer) < end:
                break
            frames.append(self._decode(bytes(self._buffer[start + _HEADER.size : end])))
            start = end
        del self._buffer[:start]
        return frames

    def _decode(self, body: bytes) -> FrameT:
        try:
            name, raw = _ENVELOPE.decode(body)
            decoder = self._decoders.get(name)
            if decoder is None:
                raise FrameError(f"unknown frame type {name[:40]!r}")
            return decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise FrameError(f"a frame of {len(body)} bytes cannot be decoded: {error}") from error
