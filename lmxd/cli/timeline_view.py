"""The coming hours as a picture of text: a row for each window and each model, over a time axis.

`picture` turns the answer of the control API into lines; it knows nothing of terminals but their
width, and whether they have blocks to draw with. Times are those of the document's zone, so that
a night in which clocks change is as long as it is. One column is one part of the time in between;
a mark says that something was so for any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from schemas.quantities import format_bytes
from schemas.wire.control import Timeline, TimelineSpan

__all__ = ["ASCII", "BLOCKS", "Marks", "picture"]

LABEL = 22
"""Cells that names of windows and models get at most."""
STEPS = (1, 2, 3, 4, 6, 12, 24)
"""Hours between two ticks; the first of these whose labels do not touch."""
TICK = 4
DAYS = ("%a %d %b", "%a %d", "%a")
"""How a day is written: the longest for which there is room."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is drawn with. `levels` is memory from nearly none to all of the budget."""

    open: str
    loaded: str
    standby: str
    on_demand: str
    lost: str
    now: str
    rule: str
    levels: str


BLOCKS = Marks("━", "▇", "░", "·", "✗", "▼", "│", "▁▂▃▄▅▆▇█")
ASCII = Marks("=", "#", "-", ".", "x", "v", "|", "12345678")

_STYLES = {
    "open": "cyan",
    "loaded": "green",
    "standby": "yellow",
    "on_demand": "dim",
    "lost": "red",
}


class _Axis:
    """Columns of time: which instants each stands for, and what is written above them."""

    def __init__(self, found: Timeline, columns: int) -> None:
        self.zone = ZoneInfo(found.zone)
        self.start, self.end = _instant(found.start), _instant(found.end)
        self.columns = columns
        self.part = (self.end - self.start) / columns

    def column(self, at: datetime) -> int:
        """The column that an instant lies in."""
        return int((at - self.start) / self.part)

    def spans(self, found: Timeline) -> list[list[TimelineSpan]]:
        """For each column, the spans of which some part lies in it."""
        result: list[list[TimelineSpan]] = [[] for _ in range(self.columns)]
        for span in found.spans:
            first = self.column(_instant(span.start))
            last = self.column(_instant(span.end) - timedelta(microseconds=1))
            for column in range(first, min(last, self.columns - 1) + 1):
                result[column].append(span)
        return result

    def hours(self) -> Iterator[tuple[int, datetime]]:
        """Columns of the local hours that have a tick."""
        moments = list(self._whole_hours())
        hour = timedelta(hours=1) / self.part
        step = next((each for each in STEPS if each * hour >= TICK), STEPS[-1])
        return ((self.column(at), at) for at in moments if at.hour % step == 0)

    def days(self) -> Iterator[tuple[int, datetime]]:
        """Columns at which local days begin; the first column begins one as well."""
        yield 0, self.start.astimezone(self.zone)
        yield from ((self.column(at), at) for at in self._whole_hours() if at.hour == 0)

    def _whole_hours(self) -> Iterator[datetime]:
        """Local times with no minutes, in order; what clocks jump over is not among them."""
        at = self.start.replace(minute=0, second=0, microsecond=0)
        seen: set[datetime] = set()
        while at < self.end:
            local = at.astimezone(self.zone)
            wall = local.replace(tzinfo=None)
            if at >= self.start and local.minute == 0 and wall not in seen:
                seen.add(wall)
                yield local
            at += timedelta(minutes=15)


def picture(found: Timeline, width: int, marks: Marks, now: datetime | None) -> list[Text]:
    """The lines, each at most `width` cells wide; sentences below the picture are left to be
    folded. `now` is marked where it lies within.
    """
    names = (*_windows(found), *_models(found), "memory")
    label = min(LABEL, max(cell_len(name) for name in names)) + 3
    axis = _Axis(found, max(12, width - label - 1))
    columns = axis.spans(found)
    lines = [_heading(found, axis), Text(), *_ruler(axis, label, marks, now)]
    for title, rows in (("windows", _windows(found)), ("models", _models(found))):
        if rows:
            lines.append(Text(title, "bold"))
        of = _of_window if title == "windows" else _of_model
        for name in rows:
            lines.append(_row(name, label, (of(spans, name) for spans in columns), marks))
    if found.budget:
        lines += _memory(found, columns, label, marks)
    lines += [Text(), _legend(marks)]
    return [*lines, *_sentences(found, axis, marks)]


def _windows(found: Timeline) -> list[str]:
    return sorted({name for span in found.spans for name in span.windows})


def _models(found: Timeline) -> list[str]:
    """Models that are in memory at some time, or would like to be; the first ones first."""
    names: dict[str, None] = {}
    for span in found.spans:
        lost = (loser.model for loser in span.losers)
        names.update(dict.fromkeys((*span.loaded, *span.standby, *lost, *span.on_demand)))
    return list(names)


def _heading(found: Timeline, axis: _Axis) -> Text:
    first, last = (at.astimezone(axis.zone) for at in (axis.start, axis.end))
    return Text(f"{first:%a %Y-%m-%d %H:%M} to {last:%a %Y-%m-%d %H:%M}, {found.zone}", "bold")


def _ruler(axis: _Axis, label: int, marks: Marks, now: datetime | None) -> Iterator[Text]:
    """Days, hours, and where it is now."""
    yield Text(" " * label + _placed(axis, axis.days(), DAYS, marks.rule), "bold")
    yield Text(" " * label + _placed(axis, axis.hours(), ("%H",), ""))
    if now is not None and axis.start <= now < axis.end:
        yield Text(" " * (label + axis.column(now)) + f"{marks.now} now", "magenta")


def _placed(
    axis: _Axis, ticks: Iterator[tuple[int, datetime]], forms: Sequence[str], before: str
) -> str:
    """Labels at their columns, each in the first form for which the next one leaves room."""
    found = list(ticks)
    line = ""
    for number, (column, at) in enumerate(found):
        after = found[number + 1][0] - 1 if number + 1 < len(found) else axis.columns
        texts = (before + at.strftime(form) for form in forms)
        text = next((text for text in texts if column + cell_len(text) <= after), None)
        if text is not None:
            line = line.ljust(column) + text
    return line


def _row(name: str, label: int, kinds: Iterator[str | None], marks: Marks) -> Text:
    line = Text(set_cell_size(f"  {name}", label - 1) + " ")
    for kind in kinds:
        if kind is None:
            line.append(" ")
        else:
            line.append(getattr(marks, kind), _STYLES[kind])
    return line


def _of_window(spans: Sequence[TimelineSpan], name: str) -> str | None:
    return "open" if any(name in span.windows for span in spans) else None


def _of_model(spans: Sequence[TimelineSpan], name: str) -> str | None:
    """What matters most of what is so in one column: that there was no room for it."""
    tests: tuple[tuple[str, Callable[[TimelineSpan], bool]], ...] = (
        ("lost", lambda span: any(loser.model == name for loser in span.losers)),
        ("loaded", lambda span: name in span.loaded),
        ("standby", lambda span: name in span.standby),
        ("on_demand", lambda span: name in span.on_demand),
    )
    return next((kind for kind, holds in tests if any(map(holds, spans))), None)


def _memory(
    found: Timeline, columns: Sequence[Sequence[TimelineSpan]], label: int, marks: Marks
) -> Iterator[Text]:
    """What is taken of the budget, and how much at most."""
    budget, levels = found.budget or 1, marks.levels
    most = max((span.reserved for span in found.spans), default=0)
    if not most:  # nothing is known of any size
        return
    line = Text(set_cell_size("memory", label - 1) + " ", "bold")
    for spans in columns:
        share = max((span.reserved for span in spans), default=0) / budget
        level = min(len(levels), max(1, round(share * len(levels))))
        line.append(levels[level - 1] if share > 0 else " ", "red" if share > 1 else "blue")
    yield line
    yield Text(" " * label + f"at most {format_bytes(most)} of {format_bytes(budget)}")


def _legend(marks: Marks) -> Text:
    words = {
        "loaded": "loaded",
        "standby": "in memory, answers nobody",
        "on_demand": "on demand",
        "lost": "no room",
    }
    line = Text()
    for kind, word in words.items():
        line.append(getattr(marks, kind), _STYLES[kind]).append(f" {word}   ", "dim")
    return line


def _sentences(found: Timeline, axis: _Axis, marks: Marks) -> Iterator[Text]:
    """Who loses and why, names that answer nobody, and what else a person should know."""
    told: set[tuple[str, str]] = set()
    for span in found.spans:
        for loser in span.losers:
            if (loser.model, loser.message) not in told:
                told.add((loser.model, loser.message))
                when = _local(span.start, axis)
                yield Text(f"{marks.lost} {loser.model}, from {when} on: {loser.message}", "red")
    times: dict[tuple[str, str], list[str]] = {}
    for gap in found.gaps:
        known = gap.seconds is not None
        length = (
            f"for about {max(1, round(gap.seconds or 0))} s" if known else "while a model loads"
        )
        times.setdefault((gap.name, length), []).append(_local(gap.start, axis))
    for (name, length), starts in times.items():
        yield Text(f"{name} answers nobody {length}, from {', '.join(starts)} on")
    yield from map(Text, found.notes)


def _local(text: str, axis: _Axis) -> str:
    return f"{_instant(text).astimezone(axis.zone):%a %H:%M}"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
