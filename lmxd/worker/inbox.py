"""What waits for the engine thread, in order: put by the I/O and preparation threads."""

from __future__ import annotations

import threading
from collections import deque

from lmxd.worker.engine import Answered, Prepared
from schemas.frames import Cancel, Load, Memory, Stop

__all__ = ["Inbox", "Item"]


Item = Load | Prepared | Answered | Cancel | Memory | Stop


class Inbox:
    """A queue that the engine thread empties before each step."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._arrived = threading.Condition()

    def put(self, item: Item) -> None:
        """Adds an item; never blocks for long."""
        with self._arrived:
            self._items.append(item)
            self._arrived.notify()

    def take(self, *, wait: bool, timeout_s: float | None = None) -> list[Item]:
        """Everything that is there; with `wait`, not before there is something or time is over."""
        if not wait and not self._items:  # a deque's truth needs no lock: the hot path
            return []
        with self._arrived:
            if wait and not self._items:
                self._arrived.wait(timeout_s)
            items = list(self._items)
            self._items.clear()
            return items

    @property
    def empty(self) -> bool:
        """Whether nothing waits now."""
        return not self._items
