"""Pinned models that are never in memory together: an edit that nobody can satisfy. Pure.

Looked at is every set of windows that are open together within 400 days, and what is pinned and to
be loaded then. How large models are only a running daemon knows; one whose size is not known yet
counts nothing. Called with the picture of a change before it is made, and by the loop for what
people saved.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from reconciler.budget import need_of
from reconciler.knowledge import Knowledge, spec_of
from reconciler.novelty import novel
from reconciler.overlay import for_host
from reconciler.picture import Picture
from reconciler.state import NO_FILES, Effective, ModelKey, Observed
from reconciler.timetable import Span, around, zone_of
from reconciler.window_states import in_order
from schemas.desired import DesiredState
from schemas.errors import Problem
from schemas.parse import pointer
from schemas.quantities import format_bytes
from schemas.schedule import ModelOverlay, Schedule

__all__ = ["Sizes", "contexts", "of_picture", "overfull", "sizes"]


class _Word(NamedTuple):
    """What is said of a model as far as it matters here."""

    pinned: bool
    loaded: bool
    context: int

    @staticmethod
    def of(document: DesiredState, key: str) -> _Word:
        """The document's own word."""
        model = document.resolved(key)
        return _Word(model.pinned, model.state == "loaded", model.context)

    def under(self, changes: ModelOverlay) -> _Word:
        """The same with a window laid over it."""
        return _Word(
            self.pinned if changes.pinned is None else changes.pinned,
            self.loaded if changes.state is None else changes.state == "loaded",
            self.context if changes.context is None else changes.context,
        )


Sizes = Mapping[tuple[str, int], int]
"""Bytes by model and context; what is not known is not there, or 0."""


def contexts(document: DesiredState, host: str) -> frozenset[tuple[str, int]]:
    """The models that may be pinned, with every context that they may then have."""
    document = for_host(document, host)
    found: set[tuple[str, int]] = set()
    for key in sorted(_pinnable(document)):
        found.add((key, document.resolved(key).context))
        for schedule in document.schedules.values():
            changes = schedule.set.models.get(key)
            if changes is not None and changes.context is not None:
                found.add((key, changes.context))
    return frozenset(found)


def of_picture(picture: Picture, host: str) -> Problem | None:
    """The problem of a document that is not in force yet: for whoever is asked to accept it."""
    accepted, total = picture.config.accepted, picture.plan.budget
    if accepted is None or total is None:
        return None
    wanted = contexts(accepted.document, host)
    known = sizes(wanted, picture.effective, picture.observed, picture.known)
    return overfull(accepted.document, host, known, total, picture.observed.at)


def sizes(
    wanted: frozenset[tuple[str, int]], effective: Effective, observed: Observed, known: Knowledge
) -> Sizes:
    """What is known of these: by measured loads, else by the files."""
    found: dict[tuple[str, int], int] = {}
    models = {model.key: model for model in effective.models} if wanted else {}
    for key, context in sorted(wanted):
        model = models.get(ModelKey(key))
        if model is not None:
            model = replace(model, context=context)
            disk = observed.disk.get(model.artifact, NO_FILES)
            spec = spec_of(model, disk)
            measured = known.ledger.memory(spec.spec_hash) if spec is not None else None
            found[key, context] = need_of(model, disk, measured).total
    return found


def overfull(
    document: DesiredState, host: str, known: Sizes, total: int, at: datetime
) -> Problem | None:
    """The problem with the first set of windows, from `at` on, that wants pinned models loaded
    which take more than `total` bytes together; None when there is none.
    """
    document = for_host(document, host)
    pinnable = _pinnable(document)
    if _largest(known, pinnable) <= total:
        return None  # they fit whatever is open
    plain = {key: _Word.of(document, key) for key in document.models if key in pinnable}
    layers = _layers(document, pinnable)
    for moment, windows in _sets(document, layers, at):
        words = dict(plain)
        for name, changes in layers.items():
            if name in windows:
                words |= {key: words[key].under(change) for key, change in changes.items()}
        needs = {
            key: size
            for key, word in words.items()
            if word.pinned and word.loaded and (size := known.get((key, word.context), 0))
        }
        if sum(needs.values()) > total:
            return _problem(document, windows, needs, total, moment)
    return None


def _largest(known: Sizes, keys: Container[str]) -> int:
    """Bytes that these models take together, each in its largest form."""
    sizes: dict[str, int] = {}
    for (key, _), size in known.items():
        if key in keys:
            sizes[key] = max(size, sizes.get(key, 0))
    return sum(sizes.values())


def _pinnable(document: DesiredState) -> frozenset[str]:
    """Models that the document or a window pins; that one of the two has them loaded is seen
    later.
    """
    found = {key for key in document.models if document.resolved(key).pinned}
    for schedule in document.schedules.values():
        found |= {key for key, changes in schedule.set.models.items() if changes.pinned}
    return frozenset(found)


def _layers(document: DesiredState, keys: Collection[str]) -> dict[str, dict[str, ModelOverlay]]:
    """What each window says of these models, the window that wins last; without those that say
    nothing.
    """
    found = {}
    for name in in_order(document, document.schedules):
        models = document.schedules[name].set.models.items()
        changes = {key: each for key, each in models if key in keys}
        if changes:
            found[name] = changes
    return found


def _sets(
    document: DesiredState, windows: Iterable[str], at: datetime
) -> Iterator[tuple[datetime, frozenset[str]]]:
    """Every set of these windows that is open at once, with the first instant at which it is."""
    rules = {
        name: (schedule, zone_of(schedule, document.timezone))
        for name in windows
        for schedule in (document.schedules[name],)
    }
    seen: set[frozenset[str]] = set()
    for stretch in novel(rules.values(), at):
        for moment, found in _walk(rules, stretch):
            if found not in seen:
                seen.add(found)
                yield moment, found


def _walk(
    rules: Mapping[str, tuple[Schedule, ZoneInfo]], stretch: Span
) -> Iterator[tuple[datetime, frozenset[str]]]:
    """From turn to turn of a stretch, the windows that are open then."""
    turns = [(stretch.end, 0, "")]
    for name, (schedule, zone) in rules.items():
        for span in around(schedule, zone, stretch.start, stretch.end - stretch.start):
            turns += [(max(span.start, stretch.start), 1, name), (span.end, -1, name)]
    turns.sort()
    open_: Counter[str] = Counter()
    moment = stretch.start
    for when, step, name in turns:
        if when > moment:
            yield moment, frozenset(open_)
            moment = when
        if moment >= stretch.end:
            return
        open_[name] += step
        if not open_[name]:
            del open_[name]


def _problem(
    document: DesiredState,
    windows: Collection[str],
    needs: Mapping[str, int],
    total: int,
    at: datetime,
) -> Problem:
    """Pointed at the largest of them: without it most is won."""
    key = max(needs, key=lambda each: needs[each])
    zone = ZoneInfo(document.timezone or "UTC")
    when = f"first at {at.astimezone(zone):%a %Y-%m-%d %H:%M} {zone.key}"
    names = ", ".join(f"{each} {format_bytes(size)}" for each, size in needs.items())
    among = f" while {', '.join(sorted(windows))} is open" if windows else ""
    return Problem(
        pointer(("models", key)),
        f"pinned models take {format_bytes(sum(needs.values()))} of {format_bytes(total)} "
        f"together{among}, {when}: {names}",
        f"raise limits.memory to {format_bytes(sum(needs.values()))}, or do not pin all of them",
    )
