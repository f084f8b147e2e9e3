"""A document checked offline: every problem with its place, or what the document wants."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lmxd.cli.messages import note, warn
from lmxd.cli.options import Form
from lmxd.cli.output import structured
from lmxd.desired.read import excerpt, load_file
from schemas.desired import DesiredState
from schemas.errors import DocumentError, Problem
from schemas.parse import pointer
from schemas.support import unsupported

__all__ = ["check", "report", "wishes", "without_effect"]


def check(path: Path, form: Form) -> int:
    """Say how the document is; returns the exit code."""
    try:
        reading = load_file(path, datetime.now(UTC))
    except DocumentError as error:
        if form is Form.TABLE:
            report(path, error)
        else:
            _emit(form, path, error.problems, ())
        return 1
    missing = tuple(without_effect(reading.document))
    if form is not Form.TABLE:
        _emit(form, path, (), missing)
        return 0
    for place in missing:
        warn(f"{place} is accepted and has no effect in this version")
    print(f"{path} is valid: {wishes(reading.document)}")
    return 0


def report(path: Path, error: DocumentError) -> None:
    """Every problem of a document, with its line and a hint, on stderr."""
    text = _text(path)
    for problem in error.problems:
        place = f":{problem.line}:{problem.column}" if problem.line else ""
        where = f"{problem.pointer}: " if problem.pointer else ""
        note(f"{path}{place}: error: {where}{problem.message}")
        if shown := excerpt(text, problem):
            note(shown)
        if problem.hint:
            note(f"  hint: {problem.hint}")
    count = len(error.problems)
    note(f"{path} is not valid: {count} problem{'s' if count != 1 else ''}")


def wishes(document: DesiredState) -> str:
    """What a document wants, in one line."""
    states = Counter[str](document.resolved(key).state for key in document.models)
    order = ("loaded", "on-demand", "downloaded", "absent")
    split = ", ".join(f"{states[state]} {state}" for state in order if states[state])
    parts = [_count(len(document.models), "model") + (f" ({split})" if split else "")]
    if document.aliases:
        parts.append(_count(len(document.aliases), "alias", "aliases"))
    if document.schedules:
        parts.append(_count(len(document.schedules), "schedule"))
    return ", ".join(parts)


def without_effect(document: DesiredState) -> Iterator[str]:
    """JSON pointers of what is set and does nothing in this version."""
    top, models = unsupported(document)
    yield from top
    for key, fields in models.items():
        yield from (pointer(("models", key)) + field for field in fields)


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _emit(form: Form, path: Path, problems: tuple[Problem, ...], warnings: tuple[str, ...]) -> None:
    body = {
        "file": str(path),
        "valid": not problems,
        "problems": [
            {
                "pointer": problem.pointer,
                "line": problem.line,
                "column": problem.column,
                "message": problem.message,
                "hint": problem.hint,
            }
            for problem in problems
        ],
        "withoutEffect": list(warnings),
    }
    sys.stdout.write(structured(body, form))
