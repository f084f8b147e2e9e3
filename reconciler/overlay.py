"""What is laid over the document: the entries of its hosts, then its open windows. Pure.

Later layers win path by path: hosts by the length of their pattern, windows by priority, equals
by name. The result is a document again, so that what holds is read off in one way only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from itertools import islice

from reconciler.timetable import HORIZON, active, zone_of
from reconciler.turns import Turns
from reconciler.window_states import WindowStates, in_order
from schemas.base import Strict
from schemas.desired import DesiredState, HostOverlay
from schemas.model import Model, laid_over
from schemas.schedule import Overlay

TURNS = 64
"""So many openings and closings are looked at for the one that serves a model again."""
SERVED = ("loaded", "on-demand")
"""States in which a model answers requests."""


@dataclass(frozen=True, slots=True)
class Return:
    """When a model comes back by the clock, and with which context.

    `window` asks for it; None: the document does. `turned`: the window whose opening brings it,
    or whose end does: its word on `prefetch` and `prewarm` counts.
    """

    at: datetime
    window: str | None
    turned: str
    context: int


@dataclass(frozen=True, slots=True)
class Coming:
    """When a model is next served in any way, and when it is next loaded whoever asks; None: not
    as far as anybody looks.
    """

    served: Return | None = None
    loaded: Return | None = None


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
    return in_order(
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


def coming(
    document: DesiredState, windows: Iterable[str], keys: Collection[str], turns: Turns
) -> dict[str, Coming]:
    """What the clock alone brings, for those of these models of which it brings anything. `keys`
    are models that are not loaded at the instant that `turns` follow, when `windows` are open.
    """
    states = WindowStates(document)
    may_be = states.ever()
    waiting = {key for key in keys if not may_be.get(key, set()).isdisjoint(SERVED)}
    found: dict[str, Coming] = {}
    open_ = set(windows)
    before = states.setters(open_)
    for turn in islice(turns, TURNS) if waiting else ():
        if turn.at - turns.at > HORIZON or not waiting:
            break
        open_ = (open_ | set(turn.opens)) - set(turn.closes)
        setting = states.setters(open_)
        for key in sorted(waiting):
            name = setting.get(key)
            turned = name if name in turn.opens else before.get(key, name)
            if turned is None:  # the document's own word, which no window had changed
                continue
            state = states.said(name, key)
            if state not in SERVED:
                continue
            back = Return(turn.at, name, turned, _context(document, open_, key))
            served = found.get(key, Coming()).served or back
            found[key] = Coming(served, back if state == "loaded" else None)
            if state == "loaded" or "loaded" not in may_be[key]:
                waiting.remove(key)
        before = setting
    return found


def _context(document: DesiredState, open_: Collection[str], key: str) -> int:
    """The context of a model while these windows are open."""
    setting = (name for name in open_ if key in document.schedules[name].set.models)
    context = document.resolved(key).context
    for name in in_order(document, setting):
        changes = document.schedules[name].set.models[key]
        if changes.context is not None:
            context = changes.context
    return context


def _changed(model: Model, changes: Strict) -> Model:
    """The model with what the overlay says; maps of fields merge field by field."""
    update: dict[str, object] = {}
    for name in changes.model_fields_set:
        below, above = getattr(model, name), getattr(changes, name)
        both = isinstance(below, Strict) and isinstance(above, Strict)
        update[name] = laid_over(below, above) if both else above
    return model.model_copy(update=update)
