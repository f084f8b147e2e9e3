"""The openings and closings of all windows after an instant, found as far as somebody reads. Pure.

`resolve` asks for one at each instant it looks at, and shares it with whoever there asks when
something comes back; the agenda reads its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from reconciler.timetable import Turn, standing, zone_of
from schemas.desired import DesiredState


class Turns:
    """Iterates over the turns after `at`, in order, without end unless windows end; what was found
    once is not looked for again. `open` are the windows that are open at `at`.
    """

    def __init__(self, document: DesiredState, at: datetime) -> None:
        self.at = at
        self._document = document
        self._zones = {
            name: zone_of(schedule, document.timezone)
            for name, schedule in document.schedules.items()
        }
        found = {name: self._standing(name, at) for name in document.schedules}
        self.open = frozenset(name for name, (open_, _) in found.items() if open_)
        self._coming = {name: turn for name, (_, turn) in found.items() if turn is not None}
        self._found: list[Turn] = []

    def __iter__(self) -> Iterator[Turn]:
        number = 0
        while number < len(self._found) or self._coming:
            if number == len(self._found):
                self._found.append(self._next())
            yield self._found[number]
            number += 1

    def _next(self) -> Turn:
        now = min(self._coming.values())
        opens: list[str] = []
        closes: list[str] = []
        for name in sorted(name for name, turn in self._coming.items() if turn == now):
            open_, boundary = self._standing(name, now)
            (opens if open_ else closes).append(name)
            if boundary is None:
                del self._coming[name]
            else:
                self._coming[name] = boundary
        return Turn(now, self._document.timezone or "UTC", tuple(opens), tuple(closes))

    def _standing(self, name: str, at: datetime) -> tuple[bool, datetime | None]:
        return standing(self._document.schedules[name], self._zones[name], at)
