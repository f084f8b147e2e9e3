"""A failing script made shorter: events are left out for as long as it still fails.

A failure is the same whatever it says, so that a shorter script may break another rule; the point
is a history that a person can read.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.simulation.history import Event


def shrunk(events: Sequence[Event], fails: Callable[[Sequence[Event]], bool]) -> list[Event]:
    """The shortest script found that fails: halves are tried first, then ever smaller pieces."""
    left = [*events]
    size = max(1, len(left) // 2)
    while size:
        at = 0
        while at < len(left):
            shorter = left[:at] + left[at + size :]
            if fails(shorter):
                left = shorter
            else:
                at += size
        size //= 2
    return left
