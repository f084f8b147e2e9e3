"""New bytes into somebody's document without losing what is saved at the same moment.

The only code that writes the file; called by the commit of an edit, in a thread, as all of this
blocks. Editors take no locks, so a save may land between any two steps: the new file is put in
place by exchanging two names, and what came out is looked at. It does not know YAML, and it
does not decide what happens to a change that lost the race.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lmxd.desired.names import swap_names
from lmxd.statefolder import sync_descriptor, sync_folder
from schemas.errors import Code, RequestError

__all__ = ["Displaced", "Stray", "create", "strays", "swap"]

_TRIES = 16
_SUFFIX = ".swap"
_MODE = 0o644
"""Of a document that was not there before."""
_LEASE = "make it a lease instead (header Lmxd-Lease, or `--for`): that is not written to the file"


class Displaced:
    """The file that stood there before, out of its place but still held open.

    Somebody who opened it before the exchange may still write into it, and that save would be
    lost: look `again` after a while, then `forget` it.
    """

    def __init__(self, file: BinaryIO | None, sha256: str) -> None:
        self._file = file
        self._sha256 = sha256

    def again(self) -> bytes | None:
        """What has been written into it since the exchange; None when nothing was. Blocks."""
        if self._file is None:
            return None
        raw = _content(self._file)
        return None if _sha256(raw) == self._sha256 else raw

    def forget(self) -> None:
        """Let it go; safe to call twice."""
        if self._file is not None:
            self._file.close()
            self._file = None


def swap(
    path: Path,
    base_sha256: str,
    new: bytes,
    *,
    exchange: Callable[[str, str], bool] = swap_names,
) -> Displaced | None:
    """Put `new` in the place of the content whose SHA-256 is `base_sha256`; None when the file
    holds something else, and then it is left, or put back, as whoever changed it wants it.

    Mode, group, extended attributes and (where permitted) the owner stay; a symlink stays one,
    its target is replaced. Other hard links keep the old content, as with every editor that
    saves by renaming. A file that is itself a mount point is written in place. Durable on return.

    Without an exchange of names (network file systems), a save within the last microseconds
    before the replacement is lost to the file; nobody can prevent it there.

    Raises RequestError (FILE_NOT_WRITABLE). Blocks.
    """
    real = os.path.realpath(path)
    try:
        return _swap(real, base_sha256, new, exchange)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link now, and nothing of ours is opened through one
            return None
        hint = "free some space" if error.errno in {errno.ENOSPC, errno.EDQUOT} else _LEASE
        message = f"{path} cannot be written: {os.strerror(error.errno or errno.EIO)}"
        raise RequestError(Code.FILE_NOT_WRITABLE, message, hint=hint) from error


def create(path: Path, raw: bytes) -> Displaced | None:
    """The first document: a finished file gets its name; None when somebody else has taken it.

    Durable on return. Raises RequestError (FILE_NOT_WRITABLE). Blocks.
    """
    real = os.path.realpath(path)
    try:
        draft = _draft(real, None, raw)
        try:
            os.link(draft, real)
        finally:
            with contextlib.suppress(OSError):  # the next daemon finds it
                os.unlink(draft)
    except FileExistsError:
        return None
    except OSError as error:
        message = f"{real} cannot be written: {os.strerror(error.errno or errno.EIO)}"
        raise RequestError(Code.FILE_NOT_WRITABLE, message) from error
    _sync_folder_of(real)
    return Displaced(None, "")


@dataclass(frozen=True, slots=True)
class Stray:
    """What a crash in the middle of `swap` or `create` left beside the file."""

    path: Path
    raw: bytes

    def remove(self) -> None:
        """When what it says is kept somewhere, and not before. Blocks."""
        with contextlib.suppress(OSError):
            self.path.unlink()


def strays(path: Path) -> tuple[Stray, ...]:
    """Everything of that kind beside the document, or what it is a link to.

    One of them may be a person's save that had just come out when the daemon died: keep those
    that are in no generation. Only for the one daemon that writes this file. Blocks.
    """
    real = Path(os.path.realpath(path))
    found = []
    with contextlib.suppress(OSError):
        for each in sorted(real.parent.iterdir()):
            if each.name.startswith(_prefix(real.name)) and each.name.endswith(_SUFFIX):
                with contextlib.suppress(OSError):
                    found.append(Stray(each, each.read_bytes()))
    return tuple(found)


def _swap(
    real: str, base: str, new: bytes, exchange: Callable[[str, str], bool]
) -> Displaced | None:
    with _opened(real) as old:
        if _sha256(_content(old)) != base:
            return None
        if not os.access(real, os.W_OK):
            # Renaming would get round the mode, but somebody has set it for a reason.
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), real)
        if _is_mount_point(real):
            return _write_in_place(real, base, new)
        draft = _draft(real, old, new)
    try:
        exchanged = exchange(draft, real)
    except BaseException:
        os.unlink(draft)
        raise
    return _settle(draft, real, base, new, exchange) if exchanged else _replace(draft, real, base)


def _settle(
    draft: str, real: str, base: str, new: bytes, exchange: Callable[[str, str], bool]
) -> Displaced | None:
    """After the exchange: look at what came out, and put it back if it is a save.

    While it is put back yet another save may land; the later one always wins. On an error the
    draft stays: it may hold the only copy of what a person wrote (`strays`).
    """
    inside, out = _sha256(new), _digest(draft)
    if out == base:
        displaced = Displaced(_opened(draft), base)
        os.unlink(draft)
        _sync_folder_of(real)
        return displaced
    for _ in range(_TRIES):
        if not exchange(draft, real):
            raise OSError(errno.EIO, os.strerror(errno.EIO), real)
        expected, inside, out = inside, out, _digest(draft)
        if out == expected:
            break
    os.unlink(draft)
    _sync_folder_of(real)
    return None


def _replace(draft: str, real: str, base: str) -> Displaced | None:
    """Where names cannot be exchanged: look once more, as late as possible, and rename."""
    try:
        old = _opened(real)
        if _sha256(_content(old)) == base:
            os.replace(draft, real)
            _sync_folder_of(real)
            return Displaced(old, base)
        old.close()
        return None
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(draft)


def _write_in_place(real: str, base: str, new: bytes) -> Displaced | None:
    """Only for mount points: a reader may see the middle of it, and a crash may leave it."""
    with open(real, "r+b") as file:
        if _sha256(file.read()) != base:
            return None
        file.seek(0)
        file.write(new)
        file.truncate()
        file.flush()
        sync_descriptor(file.fileno())
    return Displaced(None, base)


def _draft(real: str, old: BinaryIO | None, new: bytes) -> str:
    """A finished, durable file beside the real one with everything of it but the content."""
    folder, name = os.path.split(real)
    descriptor, draft = tempfile.mkstemp(prefix=_prefix(name), suffix=_SUFFIX, dir=folder)
    try:
        with open(descriptor, "wb") as file:
            if old is None:
                os.fchmod(file.fileno(), _MODE)
            else:
                _dress(file.fileno(), old.fileno())
            file.write(new)
            file.flush()
            sync_descriptor(file.fileno())
    except BaseException:
        os.unlink(draft)
        raise
    return draft


def _dress(descriptor: int, like: int) -> None:
    """Owner, mode and extended attributes (access lists are such), as far as is permitted."""
    status = os.fstat(like)
    try:
        os.fchown(descriptor, status.st_uid, status.st_gid)
    except PermissionError:
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, -1, status.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
    if hasattr(os, "listxattr"):
        with contextlib.suppress(OSError):
            for name in os.listxattr(like):
                with contextlib.suppress(OSError):  # some belong to the system
                    os.setxattr(descriptor, name, os.getxattr(like, name))


def _is_mount_point(real: str) -> bool:
    """Is this very file mounted, as containers do it with single files. Linux only.

    Renaming onto it fails, but only after a draft was made, for which the folder may be closed.
    """
    try:
        mounts = Path("/proc/self/mountinfo").read_bytes()
    except OSError:
        return False
    escaped = os.fsencode(real)
    for char in b"\\ \t\n":
        escaped = escaped.replace(bytes([char]), b"\\%03o" % char)
    return any(line.split(b" ")[4] == escaped for line in mounts.splitlines())


def _digest(path: str) -> str:
    """The content's digest; "" for what is no regular file, such as a link put in its place."""
    try:
        with _opened(path) as file:
            return _sha256(_content(file))
    except OSError:
        return ""


def _opened(path: str) -> BinaryIO:
    """For reading; a pipe in its place is no file and does not make us wait."""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "not a regular file", path)
    return open(descriptor, "rb")


def _content(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read()


def _sha256(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def _sync_folder_of(real: str) -> None:
    # The exchange has happened: a file system that cannot sync folders must not undo the answer.
    with contextlib.suppress(OSError):
        sync_folder(Path(real).parent)


def _prefix(name: str) -> str:
    return f".{name[:50]}.lmxd-"
