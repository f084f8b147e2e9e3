"""What is left of a window after its end: which one served a model last, and how it closed.

Read off the calendar at every instant anew, so that a restart, or an end that was slept through,
changes nothing. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from reconciler.overlay import SERVED
from reconciler.timetable import ended, zone_of
from schemas.desired import DesiredState

LINGERS = timedelta(days=8)
"""So long after its end a window still has a say: every weekly window has come again by then."""
BRIDGED = timedelta(minutes=10)
"""A model that is loaded again this soon, or within three loads, is not unloaded in between."""


@dataclass(frozen=True, slots=True)
class Close:
    """The end of the window that served a model last."""

    at: datetime
    window: str
    how: Literal["drain", "hard", "lazy"]


def closes(document: DesiredState, keys: Collection[str], at: datetime) -> dict[str, Close]:
    """For each of these models, the last end of a window that served it; those that none did, or
    none of the last eight days, are not there.
    """
    found: dict[str, Close] = {}
    if all(schedule.close == "drain" for schedule in document.schedules.values()):
        return found  # nobody asks for anything else
    for name, schedule in sorted(document.schedules.items()):
        served = [key for key in _served(document, name) if key in keys]
        if not served:
            continue
        zone = zone_of(schedule, document.timezone)
        end = ended(schedule, zone, at, LINGERS)
        if end is None:
            continue
        for key in served:
            if key not in found or _rank(document, end, name) > _rank(
                document, found[key].at, found[key].window
            ):
                found[key] = Close(end, name, schedule.close)
    return found


def bridge(load_s: float) -> timedelta:
    """How long before it is loaded again a model stays where it is, unless its memory is needed."""
    return max(BRIDGED, timedelta(seconds=min(3 * load_s, 1e6)))


def _rank(document: DesiredState, end: datetime, window: str) -> tuple[datetime, int, str]:
    return end, document.schedules[window].priority, window


def _served(document: DesiredState, window: str) -> Iterator[str]:
    models = document.schedules[window].set.models.items()
    return (key for key, changes in models if changes.state in SERVED)
