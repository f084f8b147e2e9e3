"""How far downloads and loads are: bars on a terminal, plain lines anywhere else.

`movement` reads one model's status and is pure; a `Display` shows what it found. Both kinds write
to stderr, so that data in a pipe stays data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from lmxd.cli.messages import note
from schemas.quantities import format_bytes
from schemas.status import ModelStatus

__all__ = ["Bars", "Display", "Lines", "Movement", "display", "movement"]

STEP = 10
"""A plain line is written each time so many per cent have been done."""


@dataclass(frozen=True, slots=True)
class Movement:
    """What happens to a model: a verb, and bytes done of a total where they are known."""

    model: str
    verb: str
    done: int | None = None
    total: int | None = None

    @property
    def percent(self) -> int | None:
        """0 to 100, or None where no total is known."""
        if self.done is None or not self.total:
            return None
        return min(100, self.done * 100 // self.total)

    def __str__(self) -> str:
        if self.done is None:
            return f"{self.model}: {self.verb}"
        if self.percent is None:
            return f"{self.model}: {self.verb}, {format_bytes(self.done)}"
        of = f"{format_bytes(self.done)} of {format_bytes(self.total or 0)}"
        return f"{self.model}: {self.verb}, {of} ({self.percent}%)"


def movement(model: ModelStatus) -> Movement | None:
    """What moves of a model; None when it is at rest, ready or in trouble."""
    match model.summary:
        case "Downloading":
            return Movement(model.key, "downloading", model.disk.bytes_have, model.disk.bytes_total)
        case "Verifying":
            return Movement(model.key, "verifying")
        case "Loading":
            serving = model.serving
            return Movement(model.key, "loading", serving.loading_done, serving.loading_total)
        case "Draining":
            return Movement(model.key, "draining")
        case "Waiting":
            return Movement(model.key, "waiting")
        case _:
            return None


class Display(Protocol):
    """Shows movements for as long as it is entered."""

    def __enter__(self) -> Display:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""

    def show(self, models: Iterable[ModelStatus]) -> None:
        """What these models do now. Call it as often as there is something new."""


def display() -> Display:
    """The display that fits stderr."""
    console = Console(stderr=True, highlight=False, markup=False)
    return Bars(console) if console.is_terminal else Lines()


class Lines:
    """A line for each change: for logs and pipes."""

    def __init__(self) -> None:
        self._said: dict[str, tuple[str, int]] = {}

    def __enter__(self) -> Lines:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        pass

    def show(self, models: Iterable[ModelStatus]) -> None:
        """Write what is new: another verb, or another tenth of the bytes."""
        for model in models:
            moving = movement(model)
            if moving is None:
                self._said.pop(model.key, None)
                continue
            step = (moving.verb, (moving.percent or 0) // STEP)
            if self._said.get(model.key) != step:
                self._said[model.key] = step
                note(str(moving))


class Bars:
    """A bar for each model that moves; it goes when the model is at rest."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def show(self, models: Iterable[ModelStatus]) -> None:
        """Move the bars."""
        for model in models:
            moving = movement(model)
            if moving is not None:
                task = self._task(model.key)
                self._progress.update(
                    task,
                    description=f"{moving.model}: {moving.verb}",
                    completed=moving.done or 0,
                    total=moving.total,
                )
            elif model.key in self._tasks:
                self._progress.remove_task(self._tasks.pop(model.key))

    def refresh(self) -> None:
        """Draw now; otherwise a thread of its own draws several times a second."""
        self._progress.refresh()

    def _task(self, key: str) -> TaskID:
        if key not in self._tasks:
            self._tasks[key] = self._progress.add_task(key, total=None)
        return self._tasks[key]
