"""Answers of the control API as JSON shows them (snake_case), for server, command line and docs.

Status has its own module, `schemas.status`. Sizes are bytes, durations seconds, instants ISO
8601 in UTC, paths JSON pointers.
"""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, Struct, UnsetType

__all__ = [
    "ChangeLine",
    "Changed",
    "Gap",
    "GenerationInfo",
    "Generations",
    "LeaseEnded",
    "LeaseInfo",
    "LeaseMade",
    "Leases",
    "Planned",
    "Retried",
    "Shadowed",
    "Timeline",
    "TimelineLoser",
    "TimelineSpan",
    "Unsettled",
]


class ChangeLine(Struct, frozen=True, omit_defaults=True):
    """One leaf that changes; `before` is left out for `add`, `after` for `remove`."""

    op: Literal["add", "remove", "replace"]
    path: str
    before: object | UnsetType = UNSET
    after: object | UnsetType = UNSET


class Shadowed(Struct, frozen=True):
    """A change that has no effect yet: `by` lies over it (`schedule/NAME` or `lease/ID`)."""

    path: str
    by: str
    until: str | None


class Unsettled(Struct, frozen=True):
    """A model that is not Ready, and why."""

    model: str
    reason: str
    message: str


class Changed(Struct, frozen=True, omit_defaults=True):
    """What came of a PATCH, PUT, confirm or rollback.

    `changed` False: the document said so already, nothing was written. `etag` is that of the JSON
    representation. `converged` and `unsettled` are there when the call waited.
    """

    generation: int
    epoch: int
    etag: str
    changed: bool
    dry_run: bool
    changes: tuple[ChangeLine, ...]
    diff: str
    plan: dict[str, object]
    warnings: tuple[str, ...]
    shadowed: tuple[Shadowed, ...]
    converged: bool | UnsetType = UNSET
    unsettled: tuple[Unsettled, ...] | UnsetType = UNSET


class Planned(Struct, frozen=True):
    """What `POST /plan` answers: what would change, and what would then be done.

    `etag` is that of the document it was made for. `plan_id` names this plan; a change that
    carries it as `Lmxd-Plan` is refused with 409 `plan_stale` when it would now lead to another.
    """

    plan_id: str
    etag: str
    generation: int
    changes: tuple[ChangeLine, ...]
    diff: str
    plan: dict[str, object]
    warnings: tuple[str, ...]
    shadowed: tuple[Shadowed, ...]


class LeaseInfo(Struct, frozen=True):
    """One lease: a merge patch that holds until `expires_at` and is never in the file."""

    id: str
    manager: str
    created_at: str
    expires_at: str
    patch: dict[str, object]


class Leases(Struct, frozen=True):
    """All leases, the one that wins last."""

    leases: tuple[LeaseInfo, ...]


class LeaseMade(Struct, frozen=True, omit_defaults=True):
    """A lease that was made, extended or, with `dry_run`, would be."""

    id: str
    expires_at: str
    epoch: int
    dry_run: bool
    plan: dict[str, object]
    warnings: tuple[str, ...]
    shadowed: tuple[Shadowed, ...]
    converged: bool | UnsetType = UNSET
    unsettled: tuple[Unsettled, ...] | UnsetType = UNSET


class LeaseEnded(Struct, frozen=True, omit_defaults=True):
    """A lease that was ended before its time."""

    id: str
    epoch: int
    converged: bool | UnsetType = UNSET
    unsettled: tuple[Unsettled, ...] | UnsetType = UNSET


class Retried(Struct, frozen=True, omit_defaults=True):
    """A model whose failures, and changes past lmxd, were forgotten; `cleared` False: none were."""

    model: str
    cleared: bool
    epoch: int
    converged: bool | UnsetType = UNSET
    unsettled: tuple[Unsettled, ...] | UnsetType = UNSET


class GenerationInfo(Struct, frozen=True, omit_defaults=True):
    """One accepted generation. `author` is `file`, a manager, or `rollback`; `outcome` one of
    `current`, `superseded`, `converged`, `crashed`; `confirmed` says that the daemon outlived its
    probation. `diff` and `text` only when one generation is asked for.
    """

    generation: int
    sha256: str
    at: str
    author: str
    note: str
    outcome: str
    confirmed: bool
    changes: tuple[ChangeLine, ...]
    diff: str | UnsetType = UNSET
    text: str | UnsetType = UNSET


class Generations(Struct, frozen=True):
    """The history, newest first."""

    generations: tuple[GenerationInfo, ...]


class TimelineLoser(Struct, frozen=True):
    """A model that is wanted and has no place."""

    model: str
    needs: int | None
    message: str


class TimelineSpan(Struct, frozen=True):
    """From `start` up to `end` nothing changes by the clock.

    `loaded` maps models that answer to the bytes they take, `standby` those that are in memory and
    answer nobody: loaded ahead, or kept; `reserved` is the sum. `on_demand` may be loaded by
    requests; `aliases` maps names to the models they lead to.
    """

    start: str
    end: str
    windows: tuple[str, ...]
    loaded: dict[str, int]
    standby: dict[str, int]
    on_demand: tuple[str, ...]
    losers: tuple[TimelineLoser, ...]
    aliases: dict[str, tuple[str, ...]]
    reserved: int


class Gap(Struct, frozen=True):
    """Seconds in which a name answers nobody: from `start` on, estimated by measured loads."""

    name: str
    start: str
    seconds: float | None


class Timeline(Struct, frozen=True):
    """The coming hours. `budget` None: the device is not known yet. `zone` for local times.

    `notes`: what a person should know, such as windows that DST moves or skips.
    """

    zone: str
    start: str
    end: str
    budget: int | None
    spans: tuple[TimelineSpan, ...]
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...]
