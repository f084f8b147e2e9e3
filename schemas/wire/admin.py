"""Answers of the verbs and of the admin paths as JSON shows them (snake_case).

`Done` has all members of `schemas.wire.control.Changed`, so that who understands a change
understands a verb. Sizes are bytes, durations seconds, instants ISO 8601 in UTC.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from schemas.wire.control import ChangeLine, Shadowed, Unsettled

__all__ = [
    "AdminMemory",
    "AdminMetrics",
    "AdminModel",
    "AdminModels",
    "AdminStatus",
    "Done",
    "ModelMemory",
    "Reloaded",
]


class Done(Struct, frozen=True, omit_defaults=True):
    """What came of a verb.

    `model` is the key it was about ("" for an alias that is gone), `state` what that is to be now
    (None: there is no such model any more). `how`: `edit` changed the file, `lease` lies over it
    until `expires_at`, `release` ended leases or let go of what requests had asked for, and
    `nothing` had to be done. `ended` are leases that were ended.
    """

    model: str
    state: str | None
    how: Literal["edit", "lease", "release", "nothing"]
    generation: int
    epoch: int
    changed: bool
    dry_run: bool
    changes: tuple[ChangeLine, ...]
    diff: str
    plan: dict[str, object]
    warnings: tuple[str, ...]
    shadowed: tuple[Shadowed, ...]
    etag: str | UnsetType = UNSET
    lease: str | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET
    ended: tuple[str, ...] = ()
    converged: bool | UnsetType = UNSET
    unsettled: tuple[Unsettled, ...] | UnsetType = UNSET


class Reloaded(Struct, frozen=True, omit_defaults=True):
    """The file was looked at; `changed`: that brought another generation."""

    generation: int
    epoch: int
    changed: bool
    plan: dict[str, object]
    warnings: tuple[str, ...]
    converged: bool | UnsetType = UNSET
    unsettled: tuple[Unsettled, ...] | UnsetType = UNSET


class AdminModel(Struct, frozen=True):
    """One model. `state` is what it should be, `status` the one word for how it is."""

    id: str
    source: str
    state: str
    status: str
    loaded: bool
    names: tuple[str, ...]
    size_bytes: int | None
    memory_bytes: int
    context: int | None
    in_flight: int
    queued: int
    message: str


class AdminModels(Struct, frozen=True):
    """All models of the document, in its order."""

    models: tuple[AdminModel, ...]
    count: int
    loaded: int


class ModelMemory(Struct, frozen=True):
    """Memory of one model: what a load takes, what it has reserved, what was measured."""

    id: str
    needed_bytes: int | None
    reserved_bytes: int
    measured_bytes: int | None


class AdminMemory(Struct, frozen=True):
    """The budget, and who has what of it. `budget_bytes` None: the device is not known yet."""

    total_bytes: int
    budget_bytes: int | None
    reserved_bytes: int
    available_bytes: int | None
    models: tuple[ModelMemory, ...]


class AdminStatus(Struct, frozen=True):
    """The daemon in one page; `status` is its summary in lower case."""

    status: str
    version: str
    uptime_seconds: int
    generation: int
    epoch: int
    document: str
    models: int
    loaded: tuple[str, ...]
    memory_budget_bytes: int | None
    memory_reserved_bytes: int
    in_flight: int
    queued: int


class AdminMetrics(Struct, frozen=True):
    """Numbers to draw over time."""

    uptime_seconds: int
    in_flight_requests: int
    queued_requests: int
    loaded_models: int
    loading_models: int
    failed_models: int
    memory_reserved_bytes: int
    memory_budget_bytes: int | None
    disk_free_bytes: int
    disk_own_bytes: int
