"""The one system call that puts two files in each other's place in a single step.

Called by `exchange`, which also knows what to do where there is no such call.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
from collections.abc import Callable

__all__ = ["swap_names"]

_RENAME_EXCHANGE = 2  # Linux: linux/fs.h
_RENAME_SWAP = 2  # macOS: sys/stdio.h
_AT_FDCWD = -100
# What kernels and file systems answer that do not have it: network and FUSE mounts, old kernels.
_CANNOT = frozenset({errno.EINVAL, errno.ENOSYS, errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP})


def swap_names(one: str, other: str) -> bool:
    """Exchange what two names of one folder stand for; False where that is not possible.

    Either both have moved or neither has. Raises OSError for everything that says more than
    "not here": no permission, a mount point, a name that is gone.
    """
    call = _system_call()
    if call is None:
        return False
    if call(os.fsencode(one), os.fsencode(other)) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code), other)


def _system_call() -> Callable[[bytes, bytes], int] | None:
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin":
        swap = getattr(library, "renamex_np", None)
        if swap is None:
            return None
        swap.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint]
        return lambda one, other: int(swap(one, other, _RENAME_SWAP))
    exchange = getattr(library, "renameat2", None)
    if exchange is None:
        return None
    exchange.argtypes = [
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_uint,
    ]
    return lambda one, other: int(exchange(_AT_FDCWD, one, _AT_FDCWD, other, _RENAME_EXCHANGE))
