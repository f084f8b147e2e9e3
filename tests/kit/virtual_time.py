"""An event loop whose time does not pass: when nothing is ready, it is at once the next moment.

What runs on it sees one order of things in every run. A loop in which everything waits for ever
raises RuntimeError. `passed` is told of every bit of time before anything else is.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any


class _Moments(selectors.BaseSelector):
    """Looks at files without waiting, and lets time pass instead."""

    def __init__(self, passes: Callable[[float], None]) -> None:
        self._files = selectors.DefaultSelector()
        self._passes = passes

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._files.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._files.unregister(fileobj)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = self._files.select(0)
        if timeout is None and not found:
            raise RuntimeError("everything waits for ever")
        if timeout and not found:
            self._passes(timeout)
        return found

    def close(self) -> None:
        self._files.close()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._files.get_map()


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop. `passed` is called with the seconds that pass."""

    def __init__(self, passed: Callable[[float], None]) -> None:
        self._now = 0.0
        self._passed = passed
        super().__init__(_Moments(self._pass))

    def time(self) -> float:
        return self._now

    def _pass(self, seconds: float) -> None:
        self._now += seconds
        self._passed(seconds)
