"""What the reconciler remembers over a restart, in the state folder: the port `Journal`.

state.json holds the identity of this state folder and the epoch, ledger.json measured sizes and
load times, failures.json what failed and when it may be tried again, drift.json what changed
outside lmxd, proven.json what models ran when they last answered, tombstones.json which models the
document had and which were removed from it, events.json up to which number events may have been
told. A file that cannot be understood is set aside by the state folder and
its memory starts anew.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from lmxd.statefolder import StateFolder
from reconciler.backoff import Record
from reconciler.budget import Ledger, Measurement
from reconciler.drift import Drifts
from reconciler.previous import Proven
from reconciler.state import ModelKey
from reconciler.tombstones import Tombstones

T = TypeVar("T")


class Journal:
    """Reads everything at the start; each save replaces one file before any effect follows."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self.state_id: str = self._part("state", "stateId", str, uuid.uuid4().hex)
        self._epoch = self._part("state", "epoch", int, 0)
        self._fingerprint = self._part("state", "fingerprint", str, "")
        measured = dict[str, tuple[Measurement, ...]]
        self._ledger = Ledger(self._part("ledger", "entries", measured, {}))
        self._failures = self._part("failures", "records", dict[str, Record], {})
        self._drifts = self._part("drift", "drifts", Drifts, Drifts())
        self._proven = self._part("proven", "models", dict[ModelKey, Proven], {})
        self._tombstones = self._part("tombstones", "tombstones", Tombstones, Tombstones())
        self._events = self._part("events", "reserved", int, 0)

    def epoch(self) -> tuple[int, str]:
        """The last epoch and the fingerprint of the effective state it stood for."""
        return self._epoch, self._fingerprint

    def ledger(self) -> Ledger:
        """Measured sizes and load times."""
        return self._ledger

    def failures(self) -> Mapping[str, Record]:
        """Failure records by subject."""
        return self._failures

    def event_numbers(self) -> int:
        """The number up to which events may have been told."""
        return self._events

    async def reserve_events(self, upto: int) -> None:
        """Persist that numbers up to this one may be given out; raises OSError."""
        await self._write("events", {"reserved": upto})

    def drifts(self) -> Drifts:
        """What changed outside lmxd, and which files were right."""
        return self._drifts

    def proven(self) -> Mapping[ModelKey, Proven]:
        """What models ran when they last answered."""
        return self._proven

    def tombstones(self) -> Tombstones:
        """Which models the document had, and which were removed from it."""
        return self._tombstones

    async def save_epoch(self, epoch: int, fingerprint: str) -> None:
        """Persist a new epoch."""
        body = {"stateId": self.state_id, "epoch": epoch, "fingerprint": fingerprint}
        await self._write("state", body)

    async def save_ledger(self, ledger: Ledger) -> None:
        """Persist the ledger."""
        await self._write("ledger", {"entries": msgspec.to_builtins(ledger.entries)})

    async def save_failures(self, failures: Mapping[str, Record]) -> None:
        """Persist the failure records."""
        await self._write("failures", {"records": msgspec.to_builtins(dict(failures))})

    async def save_drifts(self, drifts: Drifts) -> None:
        """Persist what changed outside."""
        await self._write("drift", {"drifts": msgspec.to_builtins(drifts)})

    async def save_proven(self, proven: Mapping[ModelKey, Proven]) -> None:
        """Persist what models ran when they last answered."""
        await self._write("proven", {"models": msgspec.to_builtins(dict(proven))})

    async def save_tombstones(self, tombstones: Tombstones) -> None:
        """Persist which models the document has, and which were removed from it."""
        await self._write("tombstones", {"tombstones": msgspec.to_builtins(tombstones)})

    async def _write(self, name: str, body: dict[str, Any]) -> None:
        await asyncio.to_thread(self._folder.write, name, body)

    def _part(self, name: str, key: str, kind: type[T], otherwise: T) -> T:
        """One member of a file, or `otherwise` where it is missing; a file whose member has
        another shape is set aside.
        """
        value = (self._folder.read(name) or {}).get(key)
        if value is None:
            return otherwise
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as error:
            self._folder.reject(name, f"{key}: {error}")
            return otherwise
