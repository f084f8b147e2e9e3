"""What the owners of document and leases know -> the shapes of the control API. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from msgspec import UNSET

from reconciler.settled import Gap
from reconciler.shadows import Shadow
from reconciler.state import Lease
from schemas.edit import MISSING, Change, EditBody, JsonPatch, MergePatch
from schemas.leaves import parts
from schemas.parse import pointer
from schemas.wire.control import ChangeLine, LeaseInfo, Shadowed, Unsettled


def iso(at: datetime) -> str:
    """An instant as JSON shows it."""
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def change_lines(changes: Iterable[Change]) -> tuple[ChangeLine, ...]:
    """Changes leaf by leaf."""
    return tuple(_line(change) for change in changes)


def _line(change: Change) -> ChangeLine:
    path = pointer(change.path)
    if change.before is MISSING:
        return ChangeLine("add", path, UNSET, change.after)
    if change.after is MISSING:
        return ChangeLine("remove", path, change.before)
    return ChangeLine("replace", path, change.before, change.after)


def named_models(body: EditBody) -> frozenset[str]:
    """The models that a patch names, whether or not it changes anything of them: who asks twice
    that a model be loaded waits for it twice.
    """
    match body:
        case MergePatch({"models": Mapping() as models}):
            return frozenset(models)
        case JsonPatch(operations):
            paths = (each["path"] for each in operations if isinstance(each, Mapping))
            found = (parts(path) for path in paths if isinstance(path, str))
            return frozenset(path[1] for path in found if path[:1] == ("models",) and path[1:])
        case _:
            return frozenset()


def shadow_lines(shadows: Iterable[Shadow]) -> tuple[Shadowed, ...]:
    """What lies over changes."""
    return tuple(Shadowed(s.path, s.by, iso(s.until) if s.until else None) for s in shadows)


def shadow_warnings(shadows: Sequence[Shadow]) -> tuple[str, ...]:
    """The same in words, once for each path: by what lies on top."""
    top: dict[str, Shadow] = {}
    for shadow in shadows:
        top.setdefault(shadow.path, shadow)
    return tuple(
        f"{path} has no effect while {shadow.by} lies over it"
        + (f", until {iso(shadow.until)}" if shadow.until else "")
        for path, shadow in top.items()
    )


def unsettled(gaps: Iterable[Gap]) -> tuple[Unsettled, ...]:
    """Models that have not arrived."""
    return tuple(Unsettled(gap.model, gap.reason, gap.message) for gap in gaps)


def lease_info(lease: Lease) -> LeaseInfo:
    """One lease."""
    return LeaseInfo(
        lease.id,
        lease.manager,
        iso(lease.created_at),
        iso(lease.expires_at),
        dict(lease.patch),
    )
