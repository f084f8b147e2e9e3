"""The hub's own per-blob lock, taken without blocking the event loop.

Every Hugging Face program of this machine takes it before it writes a blob, so holding it means
that nobody else does. A process that dies loses its locks at once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager
from functools import cache
from pathlib import Path

from lmxd.store.threads import in_thread

POLL_S = 0.2


def is_free(lock: Path) -> bool:
    """Whether nobody holds this lock now. Does not block."""
    with ExitStack() as held:
        return _take(lock, held) if lock.exists() else True


@asynccontextmanager
async def blob_lock(lock: Path) -> AsyncIterator[None]:
    """Hold a blob's lock; waits as long as another process, or another download, holds it.

    Taken and given back on the event loop's thread (a lock belongs to the thread that took it) and
    by asking again: a blocking wait in a thread could not be cancelled. Raises OSError when the
    lock file cannot be made.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    await in_thread(_lock_class)
    with ExitStack() as held:
        while not _take(lock, held):  # noqa: ASYNC110 - the holder is another process
            await asyncio.sleep(POLL_S)
        yield


def _take(lock: Path, held: ExitStack) -> bool:
    try:
        held.enter_context(_lock_class()(lock, timeout=0.001))
    except TimeoutError:  # filelock's Timeout
        return False
    return True


@cache
def _lock_class() -> Callable[..., AbstractContextManager[object]]:
    # Imported late: it is slow to import, and reads its environment then. Without these settings
    # it tells a server about this machine, and takes transports that cannot resume.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")
    from huggingface_hub import utils  # noqa: PLC0415

    lock: Callable[..., AbstractContextManager[object]] = utils.WeakFileLock  # type: ignore[attr-defined] # lazily exported, unseen by type checkers
    return lock
