"""Who waits for which model, and whose turn it is: the greatest priority first; of equal ones
turn by turn between identities, and first come first served for one identity.

It holds no request longer than it waits: an identity, and a model, without a waiter leave no trace.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from operator import attrgetter
from typing import Generic, Protocol, TypeVar

from reconciler.state import ModelKey

__all__ = ["Waiter", "Waiting"]


class Waiter(Protocol):
    """Something that waits: its arrival number, its priority, and who asks."""

    number: int
    priority: int
    identity: str


W = TypeVar("W", bound=Waiter)
_BY_NUMBER = attrgetter("number")


def _by_turn(waiter: Waiter) -> tuple[int, int]:
    return -waiter.priority, waiter.number


class Waiting(Generic[W]):
    """The waiters of the whole daemon, by model.

    In each model's line the order of the identities (a dict's) is the order of their turns.
    """

    def __init__(self) -> None:
        self._lines: dict[ModelKey, dict[str, list[W]]] = {}
        self._places: dict[int, ModelKey] = {}

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[W]:
        """All waiters in order of arrival; the line may be changed meanwhile."""
        waiters = [w for line in self._lines.values() for same in line.values() for w in same]
        return iter(sorted(waiters, key=_BY_NUMBER))

    def at(self, key: ModelKey) -> int:
        """How many wait for a model."""
        return sum(len(same) for same in self._lines.get(key, {}).values())

    def models(self) -> tuple[ModelKey, ...]:
        """Models that somebody waits for."""
        return tuple(self._lines)

    def place(self, waiter: W) -> ModelKey | None:
        """The model it waits for, or None when it does not wait."""
        return self._places.get(waiter.number)

    def join(self, key: ModelKey, waiter: W) -> None:
        """Wait for `key`: behind those of its identity and priority that came before it."""
        line = self._lines.setdefault(key, {})
        insort(line.setdefault(waiter.identity, []), waiter, key=_by_turn)
        self._places[waiter.number] = key

    def rejoin(self, key: ModelKey, waiter: W) -> None:
        """Wait again, at the old place: its identity had this turn already and keeps it."""
        self.join(key, waiter)
        line = self._lines[key]
        self._lines[key] = {waiter.identity: line.pop(waiter.identity), **line}

    def move(self, key: ModelKey, waiter: W) -> bool:
        """Wait for `key`, with the same arrival number; whether it waited for another model."""
        if self._places.get(waiter.number) == key:
            return False
        self.leave(waiter)
        self.join(key, waiter)
        return True

    def leave(self, waiter: W) -> None:
        """Wait no more. Nothing happens when it does not wait."""
        key = self._places.pop(waiter.number, None)
        if key is None:
            return
        line = self._lines[key]
        line[waiter.identity].remove(waiter)
        self._tidy(key, waiter.identity)

    def next(self, key: ModelKey) -> W | None:
        """Take out whose turn it is; its identity's next turn comes after all others'."""
        line = self._lines.get(key)
        if not line:
            return None
        greatest = max(same[0].priority for same in line.values())
        identity = next(each for each, same in line.items() if same[0].priority == greatest)
        same = line.pop(identity)
        waiter = same.pop(0)
        line[identity] = same
        del self._places[waiter.number]
        self._tidy(key, identity)
        return waiter

    def _tidy(self, key: ModelKey, identity: str) -> None:
        line = self._lines[key]
        if not line[identity]:
            del line[identity]
        if not line:
            del self._lines[key]
