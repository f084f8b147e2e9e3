"""What the loop needs of the world. Adapters in `lmxd` implement these; the simulator does too.

Every method says whether it blocks, may be repeated, may be cancelled, and what it raises.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

from reconciler.actions import Delete, Download, Drain, Load, Promote, Unload, Verify
from reconciler.backoff import Record
from reconciler.budget import Ledger
from reconciler.drift import Drifts
from reconciler.previous import Proven
from reconciler.state import (
    ArtifactRef,
    ConfigView,
    Demand,
    DiskState,
    HostView,
    InstanceUid,
    InstanceView,
    ModelKey,
    Routes,
)
from reconciler.tombstones import Tombstones
from schemas.events import Event


class Clock(Protocol):
    """Time. Wall time for what people see and for schedules, monotonic for durations."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""

    def monotonic(self) -> float:
        """Seconds from some start; never goes back."""


class Documents(Protocol):
    """The owner of the desired-state document."""

    def view(self) -> ConfigView:
        """The last good generation and how the file stands. Never blocks, never raises."""


class Files(Protocol):
    """The owner of model files."""

    async def observe(self, wanted: frozenset[ArtifactRef]) -> Mapping[ArtifactRef, DiskState]:
        """How these artifacts stand on disk now. Reads files in a thread; never raises for one
        artifact's trouble: that artifact is then ABSENT.
        """

    async def download(self, action: Download) -> None:
        """Bring the files here. Repeatable, resumes. Cancellable at once. Raises ActionError."""

    async def verify(self, action: Verify) -> None:
        """Hash what is there. Repeatable, cancellable. Raises ActionError; bad files are removed
        when they are ours, so that a download follows.
        """

    async def delete(self, action: Delete) -> None:
        """Remove what lmxd owns of it. Repeatable. Raises ActionError."""

    def credentials(self) -> str:
        """A fingerprint of the token and endpoint in use: when it changes, 401s are retried."""


class Instances(Protocol):
    """The owner of workers, claims and drains. Stale uids are no error and have no effect."""

    def snapshot(self) -> tuple[InstanceView, ...]:
        """All instances, dead ones included until forgotten. Never blocks."""

    async def load(self, action: Load) -> None:
        """Start a worker and load. Cancelling ends the worker. Raises ActionError."""

    def promote(self, action: Promote) -> None:
        """The only writer of `key -> current uid`. The previous one keeps its claims."""

    async def drain(self, action: Drain) -> None:
        """Returns when no claim is left or the deadline ended the rest with `model_draining`.
        Cancelling makes a draining instance current again when its model has no other.
        """

    async def unload(self, action: Unload) -> None:
        """Returns when the process is gone and its memory back. Repeatable."""

    def forget(self, uid: InstanceUid) -> None:
        """The loop has taken note of a dead instance."""

    def want_spare(self, wanted: bool) -> None:
        """Keep, or give up, one pre-imported spare worker."""


class Traffic(Protocol):
    """The gate: where requests come in."""

    def publish(self, routes: Routes) -> None:
        """Swap the table of names in one step and let waiters look again. Never blocks."""

    def demands(self) -> Mapping[ModelKey, Demand]:
        """Models that requests asked for since they were last in use."""


class Host(Protocol):
    """The machine."""

    async def observe(self) -> HostView:
        """Memory, disk and what the probe found. Never waits for the probe."""


class Journal(Protocol):
    """What the reconciler remembers over a restart. Writes are atomic and happen before effects."""

    def epoch(self) -> tuple[int, str]:
        """The last epoch and the fingerprint of the effective state it stood for."""

    def ledger(self) -> Ledger:
        """Measured sizes and load times."""

    def failures(self) -> Mapping[str, Record]:
        """Failure records by subject."""

    def drifts(self) -> Drifts:
        """What changed outside lmxd, and which files were right."""

    def proven(self) -> Mapping[ModelKey, Proven]:
        """What models ran when they last answered."""

    def tombstones(self) -> Tombstones:
        """Which models the document had, and which were removed from it."""

    async def save_epoch(self, epoch: int, fingerprint: str) -> None:
        """Persist a new epoch."""

    async def save_ledger(self, ledger: Ledger) -> None:
        """Persist the ledger."""

    async def save_failures(self, failures: Mapping[str, Record]) -> None:
        """Persist the failure records."""

    async def save_drifts(self, drifts: Drifts) -> None:
        """Persist what changed outside."""

    async def save_proven(self, proven: Mapping[ModelKey, Proven]) -> None:
        """Persist what models ran when they last answered."""

    async def save_tombstones(self, tombstones: Tombstones) -> None:
        """Persist which models the document has, and which were removed from it."""


class Events(Protocol):
    """Where it is told what happened."""

    def emit(self, event: Event) -> None:
        """Keep it and tell who follows. Never blocks, never raises."""
