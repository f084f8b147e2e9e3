"""The actions: frozen records of one effect each, with a stable key and a precondition.

`plan` makes them, the loop starts them through `ports`, adapters carry them out. A precondition
(the uid of an instance, the revision of files) is checked again by the adapter right before its
effect: a stale action then does nothing, which makes a stale plan harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from reconciler.canary import Canary
from reconciler.limits import DiskLimits
from reconciler.state import ArtifactRef, InstanceUid, ModelKey


class _Keyed:
    """Base of all actions: a key that names the effect and its subject, equal for equal intent."""

    __slots__ = ()

    @property
    def key(self) -> str:
        """`verb:subject`; two actions of one key are the same action."""
        return f"{type(self).__name__.lower()}:{self._subject()}"

    def _subject(self) -> str:
        raise TypeError(f"{type(self).__name__} has no subject")


@dataclass(frozen=True, slots=True)
class InstanceSpec:
    """Everything that makes two loads of a model the same load."""

    spec_hash: str
    artifact: ArtifactRef
    revision: str
    path: str
    engine: str
    task: str
    context: int
    parallel: int
    kv_bytes: int
    engine_options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Download(_Keyed):
    """Bring the files of an artifact to this disk, within the limits; resumes what is there."""

    artifact: ArtifactRef
    limits: DiskLimits
    models: tuple[ModelKey, ...]

    def _subject(self) -> str:
        return str(self.artifact)


@dataclass(frozen=True, slots=True)
class Verify(_Keyed):
    """Check complete files against what they should be."""

    artifact: ArtifactRef
    models: tuple[ModelKey, ...]

    def _subject(self) -> str:
        return str(self.artifact)


@dataclass(frozen=True, slots=True)
class Load(_Keyed):
    """Start a worker under `uid` and load `spec`; `reserve` bytes are accounted from now on.

    `canary`: the load has failed when this is not answered right. `previous`: it is what the model
    ran before, as what is wanted cannot be loaded.
    """

    model: ModelKey
    uid: InstanceUid
    spec: InstanceSpec
    reserve: int
    timeout_s: float
    drain_s: float
    previous: bool = False
    canary: Canary | None = None

    def _subject(self) -> str:
        return self.uid


@dataclass(frozen=True, slots=True)
class Promote(_Keyed):
    """Make `uid` the instance that answers for its model."""

    model: ModelKey
    uid: InstanceUid

    def _subject(self) -> str:
        return self.uid


@dataclass(frozen=True, slots=True)
class Drain(_Keyed):
    """No new claims on `uid`; ends when the running ones ended, or at the deadline."""

    model: ModelKey
    uid: InstanceUid
    deadline_s: float
    why: str

    def _subject(self) -> str:
        return self.uid


@dataclass(frozen=True, slots=True)
class Unload(_Keyed):
    """End the worker of a drained `uid`; done when its process is gone. Frees `frees` bytes."""

    model: ModelKey
    uid: InstanceUid
    frees: int

    def _subject(self) -> str:
        return self.uid


@dataclass(frozen=True, slots=True)
class Delete(_Keyed):
    """Remove the files of an artifact that lmxd itself put on this disk."""

    artifact: ArtifactRef
    revision: str
    models: tuple[ModelKey, ...]

    def _subject(self) -> str:
        return str(self.artifact)


@dataclass(frozen=True, slots=True)
class Publish(_Keyed):
    """Point names at other models (only shown in plans; the loop swaps the table at each pass)."""

    names: Mapping[str, tuple[ModelKey, ...]]

    def _subject(self) -> str:
        return "names"


@dataclass(frozen=True, slots=True)
class Cancel(_Keyed):
    """End a running download, verify, load or drain that is no longer wanted."""

    action: str

    def _subject(self) -> str:
        return self.action


Action = Download | Verify | Load | Promote | Drain | Unload | Delete | Publish | Cancel
MemoryLane = (Load, Promote, Unload)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an action failed: CamelCase reason, a sentence, and when to try again."""

    reason: str
    message: str
    terminal: bool = False
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a started action ended. `cancelled` is neither success nor failure."""

    action: Action
    error: Failure | None = None
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One action of a plan, the actions it waits for, and the memory accounted after it.

    `repairs`: it puts right what changed outside lmxd.
    """

    action: Action
    after: tuple[str, ...] = ()
    memory_after: int = 0
    repairs: bool = False


class Need(NamedTuple):
    """Bytes a model takes when loaded. `basis`: measured, estimate, or unknown (then 0).

    A tuple, like all that a plan makes anew for every model: a frozen dataclass takes several
    times as long to make.
    """

    weights: int = 0
    overhead: int = 0
    kv_pool: int = 0
    basis: str = "unknown"

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.overhead + self.kv_pool


class Verdict(NamedTuple):
    """What the plan decided about one model and why, in words.

    `admitted` None: not decided yet. `spec` is what should be loaded, once the files are known.
    `previous`: what it ran before, if that could be loaded instead of a `spec` that failed for
    good. `fits_alone`: room is there beside the models that the document wants loaded.
    """

    model: ModelKey
    wanted: bool
    admitted: bool | None
    reason: str
    message: str
    need: Need = Need()
    spec: InstanceSpec | None = None
    fits_alone: bool = True
    previous: InstanceSpec | None = None


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left of a model whose key was removed at `since`.

    `doing`: draining, unloading, deleting, or files, when only these are left. `ours`: bytes of
    them that lmxd put there. `until`: when they may be deleted, None for as long as `why` holds,
    which says what is in the way. `due`: they are to be deleted now.
    """

    key: ModelKey
    artifact: ArtifactRef
    revision: str
    since: datetime
    doing: Literal["draining", "unloading", "deleting", "files"]
    ours: int
    until: datetime | None
    why: str
    due: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """Ordered actions and a verdict for each model. `budget` None: the device is not known yet.

    `held`: by name, models that answer for it until its own can. `removed`: what is left of models
    that the document has no more.
    """

    steps: tuple[Step, ...] = ()
    verdicts: Mapping[ModelKey, Verdict] = field(default_factory=dict)
    cancels: tuple[Cancel, ...] = ()
    held: Mapping[str, tuple[ModelKey, ...]] = field(default_factory=dict)
    budget: int | None = None
    memory_now: int = 0
    memory_after: int = 0
    memory_peak: int = 0
    spare: bool = False
    removed: tuple[Remains, ...] = ()

    @property
    def empty(self) -> bool:
        """True when nothing is left to do."""
        return not self.steps and not self.cancels
