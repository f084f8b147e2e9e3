"""Windows that contradict each other: the same path, equal priority, another value. Pure.

Called where a document is accepted, with the instant at which that is; a rule of the calendar,
so that no model of `schemas` can check it. Windows of other priorities never clash.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reconciler.novelty import novel
from reconciler.timetable import Span, around, zone_of
from schemas.base import Strict
from schemas.desired import DesiredState
from schemas.errors import Problem
from schemas.parse import pointer
from schemas.schedule import Overlay

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a window wants of a path while it is open."""

    window: str
    value: object


def clashes(document: DesiredState, at: datetime) -> list[Problem]:
    """A problem for each path that two open windows would set differently in the 400 days after
    `at`, with the first instant at which they would.
    """
    claims: dict[tuple[int, Path], list[_Claim]] = {}
    for name, schedule in document.schedules.items():
        for path, value in settings(schedule.set):
            claims.setdefault((schedule.priority, path), []).append(_Claim(name, value))
    contested = {
        place: rivals
        for place, rivals in claims.items()
        if any(rival.value != rivals[0].value for rival in rivals)
    }
    open_ = _open(document, {rival.window for each in contested.values() for rival in each}, at)
    problems = []
    for (priority, path), rivals in contested.items():
        found = _first(rivals, open_)
        if found is not None:
            problems.append(_problem(document, priority, path, *found))
    return problems


def settings(overlay: Overlay) -> Iterator[tuple[Path, object]]:
    """Every path that an overlay sets, with its value; sampling field by field."""
    for key, changes in overlay.models.items():
        for field, value in _fields(changes):
            if isinstance(value, Strict):
                for inner, part in _fields(value):
                    yield ("models", key, field, inner), part
            else:
                yield ("models", key, field), value
    for name, alias in overlay.aliases.items():
        yield ("aliases", name), alias


def _fields(record: Strict) -> Iterator[tuple[str, object]]:
    return ((name, getattr(record, name)) for name in sorted(record.model_fields_set))


def _open(document: DesiredState, windows: Iterable[str], at: datetime) -> dict[str, list[Span]]:
    """When each window is open, as far as it may meet another of them as it never did before."""
    rules = {
        name: (schedule, zone_of(schedule, document.timezone))
        for name in windows
        for schedule in (document.schedules[name],)
    }
    stretches = novel(rules.values(), at) if rules else ()
    return {
        name: [
            span
            for each in stretches
            for span in around(schedule, zone, each.start, each.end - each.start)
        ]
        for name, (schedule, zone) in rules.items()
    }


def _first(
    rivals: Sequence[_Claim], open_: Mapping[str, Sequence[Span]]
) -> tuple[datetime, _Claim, _Claim] | None:
    """The first instant at which two of them are open and differ, by one walk over all spans."""
    coming = sorted(
        ((span, number) for number, claim in enumerate(rivals) for span in open_[claim.window]),
    )
    latest: tuple[datetime, _Claim] | None = None  # all that are open agree; this one lasts longest
    for span, number in coming:
        claim = rivals[number]
        if latest is not None and span.start < latest[0]:
            if claim.value != latest[1].value:
                return span.start, latest[1], claim
            if span.end <= latest[0]:
                continue
        latest = (span.end, claim)
    return None


def _problem(
    document: DesiredState, priority: int, path: Path, at: datetime, one: _Claim, two: _Claim
) -> Problem:
    zone = zone_of(document.schedules[two.window], document.timezone)
    when = f"{at.astimezone(zone):%a %Y-%m-%d %H:%M} {zone.key}"
    return Problem(
        pointer(("schedules", two.window, "set", *path)),
        f'"{one.window}" and "{two.window}" set {".".join(path)} to different values and are both '
        f"open, first at {when}, with equal priority {priority}",
        "give one of them a higher priority, or other hours",
    )
