"""What the daemon says about itself: conditions, and the status of models, as JSON shows them.

`reconciler.conditions` computes these from the world; nobody edits them. JSON names are
camelCase (`observedGeneration`), sizes are bytes, durations seconds, instants ISO 8601 in UTC.
`summary` is derived for tables; the conditions are the truth.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import UNSET, Struct, UnsetType, field

__all__ = [
    "DAEMON_CONDITIONS",
    "MODEL_CONDITIONS",
    "Condition",
    "DaemonStatus",
    "DiskStatus",
    "DriftStatus",
    "FailureStatus",
    "Health",
    "MachineStatus",
    "ManagerStatus",
    "MemoryStatus",
    "ModelStatus",
    "NextStatus",
    "RemovedStatus",
    "ScheduleStatus",
    "ServingStatus",
    "Summary",
    "TargetStatus",
    "TurnStatus",
]

Truth = Literal["True", "False", "Unknown"]

MODEL_CONDITIONS = (
    "Wanted",
    "Admitted",
    "Downloaded",
    "Loaded",
    "Ready",
    "Reconciling",
    "Stalled",
    "Degraded",
    "Drifted",
    "Supported",
    "UpdateAvailable",
)
"""All present from the first pass; Unknown until known."""

DAEMON_CONDITIONS = (
    "ConfigValid",
    "ConfigCurrent",
    "Converged",
    "MemoryPressure",
    "DiskPressure",
    "WatcherHealthy",
    "ClockSane",
    "ApiWritable",
    "StateIntact",
    "Suspended",
    "Supported",
)

Health = Literal["Healthy", "Suspended", "Progressing", "Degraded"]

Summary = Literal[
    "Ready",
    "Loading",
    "Downloading",
    "Verifying",
    "Draining",
    "Waiting",
    "Idle",
    "Standby",
    "Downloaded",
    "Absent",
    "Suspended",
    "NotAdmitted",
    "Failed",
    "Stalled",
]


class _Status(Struct, frozen=True, rename="camel", omit_defaults=False):
    """Base: frozen, camelCase in JSON."""


class Condition(_Status, frozen=True):
    """One thing that is so or not. `last_transition_time` moves when `status` does, else never."""

    type: str
    status: Truth
    reason: str
    message: str
    observed_generation: int
    observed_epoch: int
    last_transition_time: str


class TargetStatus(_Status, frozen=True):
    """What the model should be, and which layer says so."""

    state: str
    because: str


class DiskStatus(_Status, frozen=True):
    """Files: `bytes_have` of `bytes_total`, and the revision they are, when that is known."""

    source: str
    requested_revision: str | None
    resolved_revision: str | None
    bytes_have: int
    bytes_total: int | None
    verified: bool
    path: str | None


class MemoryStatus(_Status, frozen=True):
    """Memory. `basis` says where `needed` comes from: measured, estimate or unknown."""

    needed: int | None
    basis: Literal["measured", "estimate", "unknown"]
    reserved: int
    measured: int | None
    kv_pool: int | None
    last_load_seconds: float | None


class ServingStatus(_Status, frozen=True):
    """The current instance, the names it answers to, and its load.

    `loading_done` of `loading_total` bytes while a load runs; `drain_left_seconds` until a drain
    cuts what still runs.
    """

    instance: str | None
    names: tuple[str, ...]
    in_flight: int
    queued: int
    context: int | None
    loading_done: int | None = None
    loading_total: int | None = None
    drain_left_seconds: float | None = None


class FailureStatus(_Status, frozen=True):
    """The last failure that still matters; `next_retry` None: only a change will retry it."""

    reason: str
    message: str
    count: int
    next_retry: str | None


class DriftStatus(_Status, frozen=True):
    """Something that changed outside lmxd: `path` is `memory.loaded` or `disk.files`."""

    path: str
    expected: str
    found: str
    since: str


class NextStatus(_Status, frozen=True):
    """When the clock gives a model another state, and the window that does it by opening or
    closing; None: the end of the lease does. `local` is the instant as people there say it.
    """

    at: str
    local: str
    to: str
    window: str | None


class ScheduleStatus(_Status, frozen=True):
    """What windows do with one model.

    `active`: open windows that set something of it, the one that wins last. `adjusted`: in words,
    times of the coming week that a change of clocks moves or leaves out.
    """

    zone: str
    active: tuple[str, ...]
    next: NextStatus | None
    adjusted: tuple[str, ...]


class ManagerStatus(_Status, frozen=True):
    """Who set a field last: `file` or a manager, since when and by which generation or lease."""

    by: str
    since: str
    generation: int | None = None
    lease: str | None = None


class ModelStatus(_Status, frozen=True):
    """Everything about one model. `schedule` only where a window sets something of it; `managers`
    by JSON pointer below the model.
    """

    key: str
    summary: Summary
    generation: int
    observed_generation: int
    observed_epoch: int
    target: TargetStatus
    conditions: tuple[Condition, ...]
    disk: DiskStatus
    memory: MemoryStatus
    serving: ServingStatus
    schedule: ScheduleStatus | UnsetType = UNSET
    failure: FailureStatus | UnsetType = UNSET
    drift: tuple[DriftStatus, ...] = ()
    managers: Mapping[str, ManagerStatus] = field(default_factory=dict)

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type."""
        return next((item for item in self.conditions if item.type == kind), None)


class MachineStatus(_Status, frozen=True):
    """The machine: device, budget and what is reserved of it, disk."""

    device: str | None
    memory_total: int
    memory_budget: int | None
    memory_reserved: int
    disk_free: int
    disk_ours: int


class TurnStatus(_Status, frozen=True):
    """The next instant at which windows open or close."""

    at: str
    local: str
    opens: tuple[str, ...]
    closes: tuple[str, ...]


Left = Literal["draining", "unloading", "deleting", "files"]


class RemovedStatus(_Status, frozen=True):
    """A model that was removed from the document, for as long as anything of it is left.

    `bytes` of its files lmxd put there; they are deleted at `until`, or stay for as long as that is
    None. `message` says all of it in words.
    """

    key: str
    source: str
    since: str
    left: Left
    bytes: int
    until: str | None
    message: str


class DaemonStatus(_Status, frozen=True):
    """The whole daemon. `generation` is that of the document, 0 before any was accepted.

    `windows`: those that are open, the one that wins last. `leases`: how many hold. `tzdata`:
    version of the database of time zones, "" where it is not known. `removed`: what is left of
    models that the document has no more, the latest last.
    """

    version: str
    state_id: str
    document: str
    generation: int
    epoch: int
    summary: Health
    conditions: tuple[Condition, ...]
    machine: MachineStatus
    models: tuple[ModelStatus, ...]
    windows: tuple[str, ...] = ()
    next: TurnStatus | None = None
    leases: int = 0
    tzdata: str = ""
    removed: tuple[RemovedStatus, ...] = ()

    def condition(self, kind: str) -> Condition | None:
        """The condition of that type."""
        return next((item for item in self.conditions if item.type == kind), None)

    def model(self, key: str) -> ModelStatus | None:
        """The model of that key."""
        return next((item for item in self.models if item.key == key), None)
