"""Generations of the document as a table, and one of them with what it changed."""

from __future__ import annotations

import sys

from msgspec import UNSET

from lmxd.cli.change_view import diff
from lmxd.cli.client import decoded
from lmxd.cli.output import columns, rows
from schemas.wire.control import ChangeLine, GenerationInfo, Generations

__all__ = ["print_all", "print_one"]

_SHOWN = 3
_NAMES = ("GENERATION", "TIME", "AUTHOR", "OUTCOME", "CHANGED", "NOTE")


def print_all(content: bytes) -> None:
    """One line a generation."""
    found = decoded(content, Generations).generations
    rows(columns(_NAMES, [_line(each) for each in found]))


def print_one(content: bytes, *, text: bool) -> None:
    """The document as it was, or what the generation changed."""
    found = decoded(content, GenerationInfo)
    if text:
        sys.stdout.write(found.text if found.text is not UNSET else "")
        return
    rows(columns(_NAMES, [_line(found)]))
    if found.diff is not UNSET:
        diff(found.diff)


def _line(found: GenerationInfo) -> tuple[str, ...]:
    outcome = found.outcome if found.confirmed else f"{found.outcome}, on probation"
    return (
        str(found.generation), found.at, found.author, outcome, _changed(found.changes), found.note,
    )  # fmt: skip


def _changed(changes: tuple[ChangeLine, ...]) -> str:
    """The first few paths; the first generation changed everything."""
    marks = {"add": "+", "remove": "-", "replace": ""}
    shown = [f"{marks[each.op]}{each.path}" for each in changes[:_SHOWN]]
    more = len(changes) - len(shown)
    return ", ".join([*shown, f"and {more} more"] if more > 0 else shown) or "-"
