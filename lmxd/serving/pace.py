"""How quickly the places of each model come free, as seen lately: for telling people when to come
back. Owned by the gate.
"""

from __future__ import annotations

from collections.abc import Callable

from reconciler.state import ModelKey

__all__ = ["Pace"]

_WEIGHT = 0.2
"""Of the newest gap in the average; the last ten or so count."""


class Pace:
    """clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._last: dict[ModelKey, float] = {}
        self._gap: dict[ModelKey, float] = {}

    def freed(self, key: ModelKey, *, waited_for: bool) -> None:
        """A place came free. Only gaps between places that somebody waited for say anything: an
        idle model frees none.
        """
        now = self._clock()
        last = self._last.pop(key, None)
        if not waited_for:
            return
        self._last[key] = now
        if last is not None:
            gap = self._gap.get(key)
            new = now - last
            self._gap[key] = new if gap is None else gap + _WEIGHT * (new - gap)

    def forget(self, key: ModelKey) -> None:
        """The model is gone."""
        self._last.pop(key, None)
        self._gap.pop(key, None)

    def until(self, key: ModelKey, ahead: int) -> float | None:
        """Seconds until that many places will have come free; None before it is known."""
        gap = self._gap.get(key)
        return None if gap is None else gap * ahead
