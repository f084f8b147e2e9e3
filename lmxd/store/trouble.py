"""Errors of the file system -> ActionErrors: a full disk is told from everything else."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import ActionError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Translate OSErrors of the work inside; `what` names the thing that is being written."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, what) from error


def disk_error(error: OSError, what: str) -> ActionError:
    """DiskFull when there was no room, else CacheUnusable."""
    place = f" ({error.filename})" if error.filename else ""
    if error.errno in _FULL:
        return ActionError(
            "DiskFull",
            f"no room left while writing {what}{place}: {error.strerror}",
            hint="free some space; what has arrived is kept and the download goes on from there",
        )
    return ActionError(
        "CacheUnusable",
        f"cannot use the files of {what}{place}: {error.strerror or error}",
        hint="check that the folder can be read and written by the user lmxd runs as",
    )
