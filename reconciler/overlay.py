"""What is laid over the document: the entries of its hosts, then its open windows. Pure.

Later layers win path by path: hosts by the length of their pattern, windows by priority, equals
by name. The result is a document again, so that what holds is read off in one way only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import islice

from reconciler.state import Turn
from reconciler.timetable import HORIZON, active, next_boundary, zone_of
from schemas.base import Strict
from schemas.desired import DesiredState, HostOverlay
from schemas.model import Model, laid_over
from schemas.schedule import Overlay

TURNS = 64
"""So many openings and closings are looked at for the one that serves a model again."""


@dataclass(frozen=True, slots=True)
class Return:
    """When a model is served again, and the window that asks for it; None: the document does."""

    at: datetime
    window: str | None


def for_host(document: DesiredState, host: str) -> DesiredState:
    """The document as the machine of that name reads it."""
    for pattern in hosts_of(document, host):
        document = over(document, document.hosts[pattern].set)
    return document


def hosts_of(document: DesiredState, host: str) -> tuple[str, ...]:
    """The patterns of `hosts` that match a machine's name, the one that wins last."""
    matching = (pattern for pattern in document.hosts if fnmatchcase(host, pattern))
    return tuple(sorted(matching, key=lambda each: (len(each), each)))


def open_windows(document: DesiredState, at: datetime) -> tuple[str, ...]:
    """Names of the windows that are open, the one that wins last."""
    return _in_order(
        document,
        (
            name
            for name, schedule in document.schedules.items()
            if active(schedule, zone_of(schedule, document.timezone), at)
        ),
    )


def in_windows(document: DesiredState, windows: Iterable[str]) -> DesiredState:
    """The document with these windows open, in this order."""
    for name in windows:
        document = over(document, document.schedules[name].set)
    return document


def over(document: DesiredState, overlay: Overlay) -> DesiredState:
    """The document with an overlay laid over it; a valid one of a valid one."""
    models = dict(document.models)
    for key, changes in overlay.models.items():
        models[key] = _changed(models[key], changes)
    update: dict[str, object] = {
        "models": models,
        "aliases": {**document.aliases, **overlay.aliases},
    }
    if isinstance(overlay, HostOverlay):
        update["limits"] = laid_over(document.limits, overlay.limits)
    return document.model_copy(update=update)


def setter(document: DesiredState, windows: Iterable[str], key: str) -> str | None:
    """The window that says what the state of a model is; None: no open one does."""
    setting = [name for name in windows if _state(document, name, key) is not None]
    return setting[-1] if setting else None


def timeline(document: DesiredState, at: datetime) -> Iterator[Turn]:
    """All openings and closings after `at`, in order, without end unless windows end."""
    zones = {
        name: zone_of(schedule, document.timezone) for name, schedule in document.schedules.items()
    }
    coming = {
        name: boundary
        for name, schedule in document.schedules.items()
        if (boundary := next_boundary(schedule, zones[name], at)) is not None
    }
    while coming:
        now = min(coming.values())
        turning = sorted(name for name, boundary in coming.items() if boundary == now)
        opens = tuple(n for n in turning if active(document.schedules[n], zones[n], now))
        closes = tuple(name for name in turning if name not in opens)
        yield Turn(now, document.timezone or "UTC", opens, closes)
        for name in turning:
            boundary = next_boundary(document.schedules[name], zones[name], now)
            if boundary is None:
                del coming[name]
            else:
                coming[name] = boundary


def served_again(
    document: DesiredState, windows: Iterable[str], keys: Collection[str], at: datetime
) -> dict[str, Return]:
    """When each of these models is next to be loaded, or loaded on demand, by the clock alone."""
    waiting = {
        key
        for key in keys
        if any(_state(document, name, key) is not None for name in document.schedules)
    }
    found: dict[str, Return] = {}
    open_ = set(windows)
    for turn in islice(timeline(document, at), TURNS) if waiting else ():
        if turn.at - at > HORIZON or not waiting:
            break
        open_ = (open_ | set(turn.opens)) - set(turn.closes)
        for key in sorted(waiting):
            name = setter(document, _in_order(document, open_), key)
            state = _state(document, name, key) if name else document.resolved(key).state
            if state in ("loaded", "on-demand"):
                found[key] = Return(turn.at, name)
                waiting.remove(key)
    return found


def _in_order(document: DesiredState, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(names, key=lambda name: (document.schedules[name].priority, name)))


def _state(document: DesiredState, window: str, key: str) -> str | None:
    changes = document.schedules[window].set.models.get(key)
    return changes.state if changes is not None else None


def _changed(model: Model, changes: Strict) -> Model:
    """The model with what the overlay says; maps of fields merge field by field."""
    update: dict[str, object] = {}
    for name in changes.model_fields_set:
        below, above = getattr(model, name), getattr(changes, name)
        both = isinstance(below, Strict) and isinstance(above, Strict)
        update[name] = laid_over(below, above) if both else above
    return model.model_copy(update=update)
