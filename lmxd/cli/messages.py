"""Messages for the person at the terminal. All go to stderr: stdout is for data."""

from __future__ import annotations

import sys

from schemas.errors import LmxdError

__all__ = ["complain", "explain", "note", "warn"]


def note(message: str) -> None:
    """Something worth knowing."""
    print(message, file=sys.stderr, flush=True)


def warn(message: str) -> None:
    """Something that will surprise, though nothing has failed."""
    note(f"warning: {message}")


def complain(message: str, *, hint: str | None = None) -> None:
    """Something failed: what, and what to do next."""
    note(f"error: {message}")
    if hint:
        note(f"hint: {hint}")


def explain(error: LmxdError) -> None:
    """An error of ours, in its own words."""
    complain(error.message, hint=error.hint)
