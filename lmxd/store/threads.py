"""Blocking file work in threads, such that cancelling never leaves a thread behind.

Used by everything in this package that touches large files. Work given here must be short
(a chunk, an fsync): a cancelled caller waits for its end before it goes on to clean up, so that no
thread writes to a file that is already closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run `work` in a thread and return its result. Cancellation waits for its end."""
    loop = asyncio.get_running_loop()
    future = loop.run_in_executor(None, partial(work, *args, **kwargs))
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        if not future.cancelled():
            future.exception()  # looked at, so that nobody warns about it
        raise
