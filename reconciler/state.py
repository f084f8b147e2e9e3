"""The frozen records the reconciler thinks with: what is wanted, what is true, what is published.

Adapters build `Observed` and `ConfigView`; `resolve` builds `Effective`; `plan` compares them.
Nothing here decides anything. Sizes are bytes, durations seconds, instants aware UTC datetimes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from reconciler.canary import Canary
from reconciler.limits import DiskLimits, FlowLimits, MemoryLimit, Upkeep
from reconciler.timetable import Turn
from schemas.alias import Route
from schemas.desired import DesiredState
from schemas.errors import Code
from schemas.inference import Sampling

ModelKey = NewType("ModelKey", str)
InstanceUid = NewType("InstanceUid", str)


# --- what is wanted -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """A generation of the document that holds. `data` is the document as plain JSON values."""

    generation: int
    sha256: str
    document: DesiredState
    data: Mapping[str, object]
    accepted_at: datetime


@dataclass(frozen=True, slots=True)
class Lease:
    """A merge patch that lies over document and windows until just before `expires_at`.

    `patch` is plain JSON values; `manager` who made it.
    """

    id: str
    manager: str
    created_at: datetime
    expires_at: datetime
    patch: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class HeldEdit:
    """A valid text in the file that is not in effect until somebody confirms it.

    `reason` is `Held` (it removes many models at once) or `RolledBackAfterCrash` (the daemon died
    of it); `message` says what waits and with which command it is let through.
    """

    sha256: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ConfigView:
    """What the document's owner knows: the last good generation and how the file stands now.

    `reason` and `message` explain `valid`; `current` is False while the file on disk differs
    from the accepted generation: it is not valid, or `held`. `watching` is False when changes
    were found that the file watcher missed. `leases` in the order they were made, which is that
    in which they win; some of them may have expired, or no longer fit the document, and then
    have no effect. `writable` says whether changes over HTTP can be written into the file:
    Writable, DocumentLocked, FileNotWritable or NotLookedYet.
    """

    path: str
    accepted: Accepted | None
    valid: bool
    current: bool
    reason: str
    message: str
    watching: bool = True
    leases: tuple[Lease, ...] = ()
    held: HeldEdit | None = None
    writable: bool = False
    writable_reason: str = "NotLookedYet"
    writable_message: str = "whether the file can be written is not known yet"


class ModelState(StrEnum):
    """The four things a document can want of a model."""

    ABSENT = "absent"
    DOWNLOADED = "downloaded"
    ON_DEMAND = "on-demand"
    LOADED = "loaded"


class Spare(StrEnum):
    """Why a model that is not to be loaded may be in memory that nobody else wants."""

    PREWARM = "prewarm"  # its window opens soon: it is loaded, and answers nobody yet
    BRIDGE = "bridge"  # its next window opens so soon that what is loaded stays
    LAZY = "lazy"  # its window closed lazily: what is loaded stays


@dataclass(frozen=True, slots=True, order=True)
class ArtifactRef:
    """The files of a model, as asked for: canonical source text and revision (None: default)."""

    source: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{self.source}@{self.revision}" if self.revision else self.source


@dataclass(frozen=True, slots=True)
class ServingDefaults:
    """What the document adds to a request that does not say it itself."""

    system: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    template: str | None = None


@dataclass(frozen=True, slots=True)
class EffectiveModel:
    """One model as it should be at an instant, all defaults applied.

    `order` is its place in the file and breaks ties. `keep_alive_s` and `drain_s` may be
    infinite. `load_timeout_s` None means: judged by the ledger. `demanded`: a request raised this
    on-demand model. `unsupported` names fields that are set and have no effect in this version.
    `window`: priority of the window that sets its state, 0 for none. `spare`: outside the hours in
    which it is to be loaded it may be in spare memory, and this is why.

    For people, and no part of what holds: `because` names the layer that sets the state,
    `served_at` is when the clock alone brings back a model that is not served now, `loaded_at`
    when it next has one loaded that is not to be loaded now.
    """

    key: ModelKey
    order: int
    artifact: ArtifactRef
    state: ModelState
    priority: int = 50
    pinned: bool = False
    suspended: bool = False
    engine: str = "auto"
    task: str = "auto"
    context: int = 16 * 1024
    parallel: int = 8
    kv_memory: int | None = None
    keep_alive_s: float = 300.0
    drain_s: float = 300.0
    load_timeout_s: float | None = None
    engine_options: Mapping[str, object] = field(default_factory=dict)
    serving: ServingDefaults = field(default_factory=ServingDefaults)
    group: str | None = None
    canary: Canary | None = None
    demanded: bool = False
    unsupported: tuple[str, ...] = ()
    window: int = 0
    spare: Spare | None = None
    because: str = field(default="document", compare=False, repr=False)
    served_at: datetime | None = field(default=None, compare=False, repr=False)
    loaded_at: datetime | None = field(default=None, compare=False, repr=False)

    @property
    def served(self) -> bool:
        """Whether requests that name it may be answered at all."""
        return self.state in (ModelState.LOADED, ModelState.ON_DEMAND)


@dataclass(frozen=True, slots=True)
class Effective:
    """What holds at an instant. Two equal values are the same epoch. `loaded`: most instances at
    once, None for as many as fit. `tasks`: the aliases among `aliases` that choose by task.

    `unsupported` names document-level fields that are set and have no effect in this version.
    Beside what holds, and no part of it: open `windows`, `leases` over them, the next `turn`, for
    people; and `until`, the first instant at which the clock alone may give another value.
    """

    generation: int
    models: tuple[EffectiveModel, ...] = ()
    aliases: Mapping[str, tuple[ModelKey, ...]] = field(default_factory=dict)
    tasks: Mapping[str, Route] = field(default_factory=dict)
    memory: MemoryLimit = field(default_factory=MemoryLimit)
    disk: DiskLimits = field(default_factory=DiskLimits)
    downloads: int = 2
    loaded: int | None = None
    flow: FlowLimits = field(default_factory=FlowLimits)
    upkeep: Upkeep = field(default_factory=Upkeep)
    suspended: bool = False
    unsupported: tuple[str, ...] = ()
    windows: tuple[str, ...] = field(default=(), compare=False, repr=False)
    leases: tuple[Lease, ...] = field(default=(), compare=False, repr=False)
    turn: Turn | None = field(default=None, compare=False, repr=False)
    until: datetime | None = field(default=None, compare=False, repr=False)

    def model(self, key: ModelKey) -> EffectiveModel | None:
        """The model of that key, if the document has it."""
        return next((model for model in self.models if model.key == key), None)


# --- what is true ---------------------------------------------------------------------------


class DiskPhase(StrEnum):
    """How much of an artifact is on disk."""

    ABSENT = "absent"
    PARTIAL = "partial"
    COMPLETE = "complete"  # all there, not verified yet
    VERIFIED = "verified"  # may be loaded


@dataclass(frozen=True, slots=True)
class Footprint:
    """What the files say about the memory a model takes; read from headers, weights untouched.

    weights: bytes resident after a load. kv_per_token: bytes of KV cache a token of context
    takes (0 when every layer's cache is bounded). max_context: tokens the model was made for.
    """

    weights: int
    kv_per_token: int
    max_context: int
    architecture: str
    engine: str = "mlx"
    task: str = "chat"
    chat_template: bool = True


@dataclass(frozen=True, slots=True)
class DiskState:
    """One artifact on disk.

    `path` is the folder to load from (only when verified), `revision` the commit or digest that
    the files are, `have` and `total` bytes, `ours` what of it lmxd put there and may delete.
    """

    phase: DiskPhase = DiskPhase.ABSENT
    path: str | None = None
    revision: str | None = None
    have: int = 0
    total: int | None = None
    ours: int = 0
    footprint: Footprint | None = None


NO_FILES = DiskState()
"""An artifact of which nothing is on disk, or nothing is known."""


class InstancePhase(StrEnum):
    """The life of one instance; only CURRENT takes new requests."""

    LOADING = "loading"
    READY = "ready"  # loaded, not promoted
    CURRENT = "current"
    DRAINING = "draining"
    DRAINED = "drained"  # no claims left, or the deadline has passed
    STOPPING = "stopping"
    DEAD = "dead"  # ended by itself; stays in the snapshot until the loop forgets it


@dataclass(frozen=True, slots=True)
class ExitReport:
    """How a worker ended that nobody told to end. `killed`: by a signal that other programs, or
    people, send.
    """

    reason: str
    message: str
    terminal: bool = False
    killed: bool = False


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance as its owner sees it. `measured` is resident bytes after load, no KV in use;
    `load_s` seconds of its load with the start of its worker; `drain_left_s` seconds until a drain
    cuts what still runs; `progress` bytes of a load.
    """

    uid: InstanceUid
    key: ModelKey
    spec_hash: str
    phase: InstancePhase
    reserved: int
    artifact: ArtifactRef
    revision: str
    context: int = 0
    kv_bytes: int = 0
    drain_s: float = 300.0
    measured: int | None = None
    load_s: float | None = None
    in_flight: int = 0
    drain_left_s: float | None = None
    progress: tuple[int, int] | None = None
    exit: ExitReport | None = None


@dataclass(frozen=True, slots=True)
class Device:
    """What the probe process found. `memory` is what the device recommends to use at most."""

    kind: str
    name: str
    memory: int


@dataclass(frozen=True, slots=True)
class HostView:
    """The machine. `device` is None until the probe answered; `probe_error` says why it failed.
    `set_aside`: state files that began anew, as they were unreadable. `memory_free`: unused bytes.
    """

    memory_total: int
    disk_free: int
    disk_ours: int
    device: Device | None
    probe_error: str | None = None
    set_aside: tuple[str, ...] = ()
    memory_free: int | None = None


@dataclass(frozen=True, slots=True)
class Demand:
    """Requests that want a model: how many wait now, and for how long nobody has asked.

    `quiet_s` is 0 while one waits or runs.
    """

    waiting: int
    quiet_s: float


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything one pass saw; read anew at every pass."""

    at: datetime
    host: HostView
    disk: Mapping[ArtifactRef, DiskState]
    instances: tuple[InstanceView, ...] = ()
    demands: Mapping[ModelKey, Demand] = field(default_factory=dict)


# --- what is published ----------------------------------------------------------------------


class Live(StrEnum):
    """How near a model is to answering."""

    READY = "ready"
    COMING = "coming"
    ON_DEMAND = "on-demand"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Target:
    """One model as the gate sees it. `code`, `message`, `retry` explain anything but READY;
    `retry` False means that waiting is useless: answer at once. `revision` is what serves, and
    `context` its most tokens. `available_at`: when one outside its hours is served again.
    """

    key: ModelKey
    live: Live
    serving: ServingDefaults
    parallel: int
    revision: str | None = None
    code: Code = Code.MODEL_LOADING
    message: str = ""
    retry: bool = True
    available_at: datetime | None = None
    context: int | None = None


@dataclass(frozen=True, slots=True)
class Routes:
    """The one table from names to models, swapped whole. `names` maps aliases (exact, or with one
    trailing `*`) to keys, ordered but for those in `tasks`; keys and sources are themselves.
    """

    epoch: int = 0
    names: Mapping[str, tuple[ModelKey, ...]] = field(default_factory=dict)
    sources: Mapping[str, ModelKey] = field(default_factory=dict)
    targets: Mapping[ModelKey, Target] = field(default_factory=dict)
    flow: FlowLimits = field(default_factory=FlowLimits)
    tasks: Mapping[str, Route] = field(default_factory=dict)
