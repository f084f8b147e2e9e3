"""What can go wrong with the stand-in hub, as data: faults, and gates that hold a transfer.

Made by the methods of `tests.kit.hub.Hub`, consumed by `tests.kit.hub_server`. Nothing here
opens a socket.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase


class Place(StrEnum):
    """The kinds of request a fault can hit. FILE is the GET that delivers bytes, on any origin."""

    INFO = "info"
    TREE = "tree"
    HEAD = "head"
    RESOLVE = "resolve"  # the hub's own answer to a GET of a file, before any redirect
    FILE = "file"


class Gate:
    """Holds a transfer at a byte until it is opened; tells when the transfer has arrived there.

    `reached` is set when every byte before the gate was handed to the socket.
    """

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()

    def open(self) -> None:
        """Let the transfer go on; idempotent."""
        self.opened.set()

    def wait(self, timeout: float = 30.0) -> None:
        """Block until a transfer stands at the gate; fails the test after `timeout` seconds."""
        assert self.reached.wait(timeout), "no transfer reached the gate"

    async def arrival(self, deadline_s: float = 30.0) -> None:
        """`wait` for tests on an event loop."""
        await asyncio.to_thread(self.wait, deadline_s)


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong at matching requests, `times` times (None: for ever).

    status: answer this instead. after: what follows happens when that many bytes of the answer's
    body were sent. close: end the connection there ("fin" or "rst"). gate: wait there.
    drip_s: from there on one byte each so many seconds. flip: the byte at this offset of the
    file is wrong. length: pretend that the file ends there.
    """

    place: Place
    path: str = "*"
    times: int | None = None
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    after: int = 0
    close: str | None = None
    gate: Gate | None = None
    drip_s: float | None = None
    flip: int | None = None
    length: int | None = None

    def hits(self, place: Place, path: str) -> bool:
        """Whether this fault is for such a request and not used up."""
        return self.place is place and fnmatchcase(path, self.path) and self.times != 0


class Faults:
    """The faults in force, in the order they were added; the first that hits is used alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Put a fault in force."""
        with self._lock:
            self._faults.append(fault)

    def take(self, place: Place, path: str) -> Fault | None:
        """The fault for this request, counted as used once."""
        with self._lock:
            for fault in self._faults:
                if fault.hits(place, path):
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def clear(self) -> None:
        """Everything works again; transfers held at a gate go on."""
        with self._lock:
            faults, self._faults = self._faults, []
        for fault in faults:
            if fault.gate:
                fault.gate.open()
