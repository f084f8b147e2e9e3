"""What moves on the machine while an answer is waited for.

A change is sent with `Prefer: wait`, and its answer comes when all is done: an hour later, when
something large is downloaded.

Looks at the status from a thread of its own and shows what moves and what fails, on stderr. It
decides nothing, and what it cannot see it leaves to whoever reads the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from lmxd.cli.client import Client
from lmxd.cli.messages import note
from lmxd.cli.progress import display
from schemas.errors import LmxdError
from schemas.status import DaemonStatus, FailureStatus

__all__ = ["meanwhile"]

LOOK_S = 0.5
"""Pause between two looks."""


@contextmanager
def meanwhile(url: str, wait_s: float | None) -> Iterator[None]:
    """Show what moves for as long as it is entered; nothing at all when nothing is waited for."""
    if not wait_s:
        yield
        return
    over = Event()
    watcher = Thread(target=_watch, args=(url, over), name="meanwhile", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _watch(url: str, over: Event) -> None:
    told: set[tuple[str, str]] | None = None
    try:
        with Client(url) as daemon, display() as shown:
            while not over.is_set():
                found = daemon.status()
                shown.show(found.models)
                told = _failures(found, told)
                over.wait(LOOK_S)
    except LmxdError:
        pass  # the answer itself says it


def _failures(found: DaemonStatus, told: set[tuple[str, str]] | None) -> set[tuple[str, str]]:
    """Tell what has failed since the first look; returns all that is told or was known then."""
    failed = {
        (m.key, m.failure.message) for m in found.models if isinstance(m.failure, FailureStatus)
    }
    for key, message in sorted(failed - told) if told is not None else ():
        note(f"{key}: {message}")
    return failed | (told or set())
