"""Data to stdout: tables for people, JSON and YAML for programs.

On a terminal tables are coloured and fitted to its width; in a pipe every row is one line, as
wide as it needs, so that `grep` and `awk` see whole cells. NO_COLOR is honoured.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lmxd.cli.options import Form
from lmxd.desired.dump import dump

__all__ = ["columns", "rows", "structured", "tint"]

_PIPE_WIDTH = 4000
_COLOURS = {
    "green": ("Ready", "True", "Healthy"),
    "red": ("Failed", "Stalled", "Degraded"),
    "yellow": ("Loading", "Downloading", "Verifying", "Draining", "Waiting", "NotAdmitted"),
    "dim": ("Idle", "Downloaded", "Absent", "Unknown", "Suspended"),
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


def columns(names: Sequence[str], lines: Iterable[Sequence[str]]) -> Table:
    """A table without frames: words stay whole, the last column takes what is left."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for name in names:
        last = name == names[-1]
        table.add_column(name, no_wrap=not last, overflow="fold")
    for line in lines:
        table.add_row(*(Text(cell, style=tint(cell)) for cell in line))
    return table


def rows(*parts: Table | str) -> None:
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
