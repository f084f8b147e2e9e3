"""A hand between the steps of what works on files: something happens just before the n-th one.

For saves that land in the middle of a commit, and for what a crash there would leave. Counts
what threads other than the main one ask of the operating system about files of a folder.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

__all__ = ["between"]

CALLS = ("open", "fsync", "replace", "rename", "unlink", "link", "mkdir", "rmdir")


@contextmanager
def between(
    folder: Path, acts: Mapping[int, Callable[[], None]], *, but: Path | None = None
) -> Iterator[None]:
    """Within this, `acts[n]` is done just before the n-th step, from 0; only if it is reached.

    `but`: what is in there is no step, and neither is anything asked of an open file.
    """
    count = 0

    def counts(what: object) -> bool:
        if isinstance(what, int):
            return but is None
        path = os.fspath(what) if isinstance(what, str | bytes | os.PathLike) else ""
        place = Path(os.fsdecode(path))
        return place.is_relative_to(folder) and not (but and place.is_relative_to(but))

    def hooked(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(first: Any, *args: Any, **named: Any) -> Any:
            nonlocal count
            if threading.current_thread() is not threading.main_thread() and counts(first):
                act, here = acts.get(count), count + 1
                if act is not None:
                    count = -(1 << 30)  # what it does itself is no step
                    act()
                count = here
            return real(first, *args, **named)

        return call

    with mock.patch.multiple(os, **{name: hooked(getattr(os, name)) for name in CALLS}):
        yield
