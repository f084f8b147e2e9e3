"""Data to stdout: tables for people, JSON and YAML for programs.

On a terminal tables are coloured and fitted to its width, and where it is too narrow for a table
each row becomes a list of its cells: the reason why something is not ready is never cut off.
In a pipe every row is one line, as wide as it needs, so that `grep` and `awk` see whole cells.
NO_COLOR is honoured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from lmxd.cli.options import Form
from lmxd.desired.dump import dump

__all__ = ["Listing", "columns", "drawn", "rows", "structured", "tint"]

_PIPE_WIDTH = 4000
_FOLDED, _LAST_FOLDED = 20, 16
"""The narrowest that a column of longer cells may become; the last one holds sentences."""
_GAP = 2
_COLOURS = {
    "green": ("Ready", "True", "Healthy"),
    "red": ("Failed", "Stalled", "Degraded"),
    "yellow": ("Loading", "Downloading", "Verifying", "Draining", "Waiting", "NotAdmitted"),
    "dim": ("Idle", "Standby", "Downloaded", "Absent", "Unknown", "Suspended"),
}
_STYLES = {word: colour for colour, words in _COLOURS.items() for word in words}


def structured(data: object, form: Form) -> str:
    """JSON values as text that ends with a newline; `form` is json or yaml."""
    if form is Form.YAML:
        return dump(data)
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def tint(word: str) -> str:
    """The style of a word that says how something is; "" for none."""
    return _STYLES.get(word, "")


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows of cells under names: a table where there is room, else one cell a line."""

    names: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        least = [self._least(index) for index in range(len(self.names))]
        if sum(least) + _GAP * len(least) <= options.max_width:
            yield self._table(least)
            return
        for number, line in enumerate(self.lines):
            if number:
                yield ""
            yield self._record(line)

    def _least(self, index: int) -> int:
        """The narrowest a column may become: short cells stay whole, long ones are folded."""
        longest = max(cell_len(line[index]) for line in (self.names, *self.lines))
        last = index == len(self.names) - 1
        return min(longest, max(_LAST_FOLDED if last else _FOLDED, cell_len(self.names[index])))

    def _table(self, least: Sequence[int]) -> Table:
        # Without its edge's padding rich folds the last column two cells too late, and cuts.
        table = Table(box=None, header_style="bold", padding=(0, _GAP, 0, 0))
        for name, width in zip(self.names, least, strict=True):
            table.add_column(name, min_width=width, overflow="fold")
        for line in self.lines:
            table.add_row(*map(_cell, line))
        return table

    def _record(self, line: Sequence[str]) -> Table:
        record = Table.grid(padding=(0, _GAP, 0, 0), pad_edge=True)
        record.add_column(style="bold", no_wrap=True)
        record.add_column(overflow="fold")
        for name, cell in zip(self.names, line, strict=True):
            record.add_row(name, _cell(cell))
        return record


def columns(names: Sequence[str], lines: Iterable[Sequence[str]]) -> Listing:
    """A table without frames; see `Listing`. Cells of several lines, as logs are, become one."""
    return Listing(tuple(names), tuple(tuple(map(_one_line, line)) for line in lines))


def drawn(draw: Callable[[int, bool], Iterable[Text]]) -> None:
    """Print what `draw` makes of a width in cells, and of whether there are blocks to draw with.

    A pipe is as wide as COLUMNS says, else 80 cells; lines that are longer are folded.
    """
    console = Console(highlight=False, markup=False, emoji=False)
    blocks = console.encoding.lower().replace("-", "") in ("utf8", "utf16", "utf32")
    for line in draw(console.width, blocks):
        console.print(line)


def _one_line(cell: str) -> str:
    return " | ".join(map(str.strip, cell.splitlines())) if "\n" in cell else cell


def _cell(text: str) -> Text:
    return Text(text, style=tint(text))


def rows(*parts: Listing | str) -> None:
    """Print tables and lines."""
    console = Console(highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        for part in parts:
            console.print(part)
        return
    console = Console(width=_PIPE_WIDTH, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        for part in parts:
            console.print(part, soft_wrap=isinstance(part, str))
    sys.stdout.write("".join(f"{line.rstrip()}\n" for line in capture.get().splitlines()))
