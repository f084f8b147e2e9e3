"""Who may write the document: one daemon at a time, and only where the file system lets it.

`<document>.lmxd.lock` lies beside the real file and is locked by the daemon that writes; it holds
its process id. Two daemons with different state folders may serve one document, but only one of
them changes it. People and their editors take no lock. Called by `document` in a thread.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Writability", "WritingLock"]


@dataclass(frozen=True, slots=True)
class Writability:
    """May this process write the document, and if not, why."""

    writable: bool
    reason: str
    message: str


_WRITABLE = Writability(True, "Writable", "changes over HTTP are written into the file")


class WritingLock:
    """The lock of one document; follows it when a symlink is turned elsewhere.

    Args:
        path: the document; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: tuple[Path, int] | None = None

    def acquire(self) -> Writability:
        """Take the lock, or see that it is still ours. May be repeated; never waits. Blocks only
        as long as a few file operations take.
        """
        real = Path(os.path.realpath(self._path))
        lock = real.with_name(f"{real.name}.lmxd.lock")
        try:
            if self._held is None or self._held[0] != lock or not _stands(lock, self._held[1]):
                self.release()
                self._held = (lock, _locked(lock))
        except BlockingIOError:
            return Writability(False, "DocumentLocked", f"{real} is written by {_holder(lock)}")
        except OSError as error:
            message = f"{lock} cannot be made: {error.strerror}"
            return Writability(False, "FileNotWritable", message)
        return _judged(real)

    def release(self) -> None:
        """Let others write. The lock file goes too: whoever opened it meanwhile looks again."""
        if self._held is not None:
            lock, descriptor = self._held
            self._held = None
            if _stands(lock, descriptor):
                with contextlib.suppress(OSError):  # left behind it locks nobody out
                    lock.unlink()
            os.close(descriptor)


def _locked(lock: Path) -> int:
    """A locked descriptor of the file that has this name; raises BlockingIOError or OSError."""
    while True:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _stands(lock, descriptor):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its holder removed it between our open and our lock


def _stands(lock: Path, descriptor: int) -> bool:
    """Is the file that is locked still the one that others would open."""
    try:
        return os.path.samestat(os.stat(lock), os.fstat(descriptor))
    except OSError:
        return False


def _holder(lock: Path) -> str:
    try:
        pid = lock.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        pid = ""
    return f"the daemon with pid {pid}" if pid.isdecimal() else "another daemon"


def _judged(real: Path) -> Writability:
    """Do owner and mode let this process replace the file."""
    try:
        mode = real.stat().st_mode
    except OSError:
        return _WRITABLE  # nothing is there that could be in the way
    # Root may write everything, but a file without a write bit says that nobody should.
    if not stat.S_IMODE(mode) & 0o222 or not os.access(real, os.W_OK):
        return Writability(False, "FileNotWritable", f"{real} is read-only")
    if not os.access(real.parent, os.W_OK | os.X_OK):
        return Writability(False, "FileNotWritable", f"the folder {real.parent} is read-only")
    return _WRITABLE
