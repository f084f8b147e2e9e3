"""Responses that clients may refer to later: on disk, bounded, over restarts.

`lmxd.http.responses` keeps what it answered; each is a JSON file below `responses/` of the state
folder, named by its id. The oldest go first when there are too many, too much, or when they are
too old. What is in them is the dialect's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from msgspec import Struct

from lmxd.statefolder import StateFolder, write_durably

__all__ = ["Bounds", "Kept", "Responses"]

log = logging.getLogger(__name__)

_FORMAT = "lmxd/response"
_ID = re.compile(r"resp_[0-9a-f]{32}")


class Kept(Struct, frozen=True):
    """A response as it was answered, and all items that it answers, those of earlier turns too."""

    response: dict[str, object]
    context: list[dict[str, object]]


class _File(Struct, frozen=True):
    format: str
    version: int
    kept: Kept


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many are kept, how many bytes they take in all, and for how long."""

    count: int = 10_000
    bytes: int = 512 * 1024 * 1024
    age: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class _Place:
    size: int
    since: float


class Responses:
    """All that are kept; one daemon, one object. The folder is looked through at the first use.

    Args:
        now: the wall clock, aware, in UTC.
    """

    def __init__(
        self, folder: StateFolder, now: Callable[[], datetime], bounds: Bounds | None = None
    ) -> None:
        self._folder = folder.path / "responses"
        self._now = now
        self._bounds = bounds or Bounds()
        self._changing = asyncio.Lock()
        self._places: dict[str, _Place] | None = None  # the oldest first

    async def find(self, identifier: str) -> Kept | None:
        """The response of that id, if it is still kept."""
        async with self._changing:
            return await asyncio.to_thread(self._read, identifier)

    async def keep(self, identifier: str, kept: Kept) -> None:
        """Remember a response; it is on disk when this returns. A disk that refuses it costs only
        this one, and is logged.
        """
        async with self._changing:
            try:
                await asyncio.to_thread(self._write, identifier, kept)
            except OSError as error:
                log.warning("response not kept", extra={"id": identifier, "error": str(error)})

    async def forget(self, identifier: str) -> bool:
        """Remove a response; False when there was none."""
        async with self._changing:
            return await asyncio.to_thread(self._remove, identifier)

    # --- in a thread --------------------------------------------------------------------------

    def _read(self, identifier: str) -> Kept | None:
        if identifier not in self._index():
            return None
        try:
            found = msgspec.json.decode(self._path(identifier).read_bytes(), type=_File)
        except (OSError, msgspec.MsgspecError) as error:
            log.warning("kept response unreadable", extra={"id": identifier, "error": str(error)})
            self._remove(identifier)
            return None
        return found.kept if found.format == _FORMAT and found.version == 1 else None

    def _write(self, identifier: str, kept: Kept) -> None:
        if not _ID.fullmatch(identifier):
            raise ValueError(identifier)
        data = msgspec.json.encode(_File(_FORMAT, 1, kept))
        places = self._index()
        if len(data) > self._bounds.bytes:
            log.warning("response too large to keep", extra={"id": identifier, "bytes": len(data)})
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(self._path(identifier), data)
        places.pop(identifier, None)
        places[identifier] = _Place(len(data), self._now().timestamp())
        self._trim(places)

    def _remove(self, identifier: str) -> bool:
        if self._index().pop(identifier, None) is None:
            return False
        self._unlink(self._path(identifier))
        return True

    @staticmethod
    def _unlink(path: Path) -> None:
        with contextlib.suppress(OSError):  # unlisted from now on, whatever the disk says
            path.unlink()

    def _trim(self, places: dict[str, _Place]) -> None:
        oldest_s = self._now().timestamp() - self._bounds.age.total_seconds()
        total = sum(place.size for place in places.values())
        for identifier, place in list(places.items()):
            over = len(places) > self._bounds.count or total > self._bounds.bytes
            if not over and place.since > oldest_s:
                return
            total -= place.size
            del places[identifier]
            self._unlink(self._path(identifier))

    def _index(self) -> dict[str, _Place]:
        if self._places is None:
            self._places = self._scan()
        self._trim(self._places)
        return self._places

    def _scan(self) -> dict[str, _Place]:
        found: list[tuple[float, str, int]] = []
        for path in self._folder.glob(".resp_*"):  # a crash came between writing and renaming
            self._unlink(path)
        for path in self._folder.glob("*.json"):
            if _ID.fullmatch(path.stem):
                with contextlib.suppress(OSError):
                    stat = path.stat()
                    found.append((stat.st_mtime, path.stem, stat.st_size))
        return {name: _Place(size, since) for since, name, size in sorted(found)}

    def _path(self, identifier: str) -> Path:
        return self._folder / f"{identifier}.json"
