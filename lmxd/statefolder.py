"""The state folder: what lmxd remembers over a restart, private to its user and to one daemon.

Small JSON files, each `{"format": "lmxd/<name>", "version": N, ...}`, written so that a crash
leaves either the old one or the new one. Opened by the daemon before anything else; the journal,
the inventory and `lmxd.desired` write through it. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from schemas.errors import StartupError

__all__ = ["StateFolder", "sync_descriptor", "sync_folder", "write_durably"]

_FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)


def write_durably(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace a file in one step that survives a power cut; raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            sync_descriptor(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make creations and renames in this folder durable; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync_descriptor(descriptor)
    finally:
        os.close(descriptor)


def sync_descriptor(descriptor: int) -> None:
    """Down to the platter: on macOS fsync stops at the drive's cache, F_FULLFSYNC does not."""
    if _FULL_SYNC is not None:
        try:
            fcntl.fcntl(descriptor, _FULL_SYNC)
        except OSError:  # not every file system there has it
            os.fsync(descriptor)
    else:
        os.fsync(descriptor)


class StateFolder:
    """The folder, locked by this process from `open` to `close`.

    Args:
        path: created with mode 0700 when it does not exist.
        now: the wall clock, for the names of files that are set aside.
    """

    def __init__(self, path: Path, *, now: Callable[[], datetime]) -> None:
        self.path = path
        self._now = now
        self._lock: int | None = None
        self._notices: list[str] = []

    def __enter__(self) -> StateFolder:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def notices(self) -> tuple[str, ...]:
        """What was found unreadable and set aside since the start; for a condition."""
        return tuple(self._notices)

    def open(self) -> None:
        """Create the folder, make it private and lock it; raises StartupError."""
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            who = f"the daemon with pid {holder}" if holder.isdigit() else "another daemon"
            raise StartupError(
                f"the state folder {self.path} is in use by {who}",
                hint="stop that daemon, or choose another folder with --state-dir",
            ) from None
        except OSError as error:
            os.close(descriptor)
            raise self._unusable(error) from error
        self._lock = descriptor

    def close(self) -> None:
        """Give the lock back. The file stays: removing it would let two daemons lock two files."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def read(self, name: str, version: int = 1) -> dict[str, Any] | None:
        """The body of `<name>.json` without format and version; None when there is none.

        A file that cannot be understood is moved aside and noticed, and None is returned. A file
        of a version above `version` raises StartupError: guessing would lose what it holds.
        """
        path = self.path / f"{name}.json"
        try:
            content = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error
        except (ValueError, RecursionError) as error:
            self._set_aside(path, f"it is not JSON: {error}")
            return None
        fault = _fault(content, name)
        if fault is not None:
            self._set_aside(path, fault)
            return None
        return self._body(path, version, content)

    def reject(self, name: str, reason: str) -> None:
        """What `read` returned for this name makes no sense: moved aside and noticed, or the next
        write would replace what may be mended by hand. Raises StartupError.
        """
        self._set_aside(self.path / f"{name}.json", reason)

    def write(self, name: str, body: Mapping[str, Any], version: int = 1) -> None:
        """Replace `<name>.json` durably; raises OSError, then the old file is still there."""
        path = self.path / f"{name}.json"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = {"format": f"lmxd/{name}", "version": version, **body}
        write_durably(path, json.dumps(content, indent=1, allow_nan=False).encode() + b"\n")

    def _body(self, path: Path, version: int, content: dict[str, Any]) -> dict[str, Any]:
        if content["version"] > version:
            raise StartupError(
                f"{path} has version {content['version']}, "
                f"and this lmxd knows versions up to {version}",
                hint="start the newer lmxd that wrote it, or choose another --state-dir",
            )
        return {key: value for key, value in content.items() if key not in {"format", "version"}}

    def _set_aside(self, path: Path, reason: str) -> None:
        bad = path.with_name(f"{path.name}.bad-{self._now():%Y%m%dT%H%M%S}")
        try:
            path.replace(bad)
        except OSError as error:
            raise self._unusable(error) from error
        self._notices.append(f"{path} was moved to {bad.name}: {reason[:200]}")

    def _unusable(self, error: OSError) -> StartupError:
        return StartupError(
            f"the state folder {self.path} cannot be used: {error.strerror}: {error.filename}",
            hint="check its owner and mode, or choose another folder with --state-dir",
        )


def _fault(content: object, name: str) -> str | None:
    """Why this is no state file of that name; None when it is one."""
    if not isinstance(content, dict) or content.get("format") != f"lmxd/{name}":
        return f"it is not of format lmxd/{name}"
    version = content.get("version")
    known = isinstance(version, int) and not isinstance(version, bool) and version >= 1
    return None if known else f"its version is {version!r}"
