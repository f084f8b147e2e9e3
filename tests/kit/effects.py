"""A hand between the steps of what works on files: something happens just before the n-th one.

For saves that land in the middle of a commit, and for what a crash there would leave. Counts
what threads other than the main one ask of the operating system below a folder.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

__all__ = ["between"]

CALLS = ("open", "fsync", "replace", "rename", "unlink", "link", "mkdir", "rmdir", "stat")


@contextmanager
def between(folder: Path, acts: dict[int, Callable[[], None]]) -> Iterator[None]:
    """Within this, `acts[n]` is done just before the n-th step, from 0; only if it is reached."""
    count = 0
    inside = f"{folder}{os.sep}"

    def hooked(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(first: Any, *args: Any, **named: Any) -> Any:
            nonlocal count
            if threading.current_thread() is not threading.main_thread() and _below(first, inside):
                act, here = acts.get(count), count + 1
                if act is not None:
                    count = -(1 << 30)  # what it does itself is no step
                    act()
                count = here
            return real(first, *args, **named)

        return call

    with mock.patch.multiple(os, **{name: hooked(getattr(os, name)) for name in CALLS}):
        yield


def _below(what: object, folder: str) -> bool:
    if isinstance(what, int):  # a descriptor: only files are synchronised here
        return True
    with suppress(TypeError):
        return os.fsdecode(what).startswith(folder)  # type: ignore[arg-type]
    return False
