"""What lies over a change of the document, so that it has no effect yet. Pure.

Called with the document as it will be; the answer of a PATCH names it. A layer that happens to
say the same lies over a change all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from reconciler.leases import leased
from reconciler.overlay import hosts_of, open_windows
from reconciler.state import Accepted, Lease
from reconciler.timetable import next_boundary, zone_of
from schemas.edit import Change
from schemas.leaves import Paths, leaf_changes, setting
from schemas.parse import pointer
from schemas.schedule import Overlay


@dataclass(frozen=True, slots=True)
class Shadow:
    """`by` lies over a path: `lease/ID`, `schedule/NAME` or `host/PATTERN`, the last for good.

    `until` is when it ends by the clock; None: it does not.
    """

    path: str
    by: str
    until: datetime | None


@dataclass(frozen=True, slots=True)
class _Layer:
    by: str
    until: datetime | None
    sets: Paths


def shadowed(
    changes: Iterable[Change],
    accepted: Accepted,
    at: datetime,
    leases: Iterable[Lease] = (),
    host: str = "",
) -> tuple[Shadow, ...]:
    """For each changed leaf the layers that lie over it at an instant, the topmost first.

    `accepted` is the document with the changes made.
    """
    layers = list(_layers(accepted, at, leases, host))
    return tuple(
        Shadow(pointer(change.path), layer.by, layer.until)
        for change in (leaf_changes(changes) if layers else ())
        for layer in layers
        if layer.sets.touch(change.path)
    )


def lease_shadowed(
    lease: Lease, accepted: Accepted, at: datetime, leases: Iterable[Lease]
) -> tuple[Shadow, ...]:
    """For each leaf of a lease the later ones of `leases` that lie over it at an instant."""
    standing = leased(accepted, leases, at).held
    ids = [each.id for each in standing]
    later = standing[ids.index(lease.id) + 1 :] if lease.id in ids else ()
    return tuple(
        Shadow(pointer(path), layer.by, layer.until)
        for path in setting(lease.patch)
        for layer in map(_lent, reversed(later))
        if layer.sets.touch(path)
    )


def _lent(lease: Lease) -> _Layer:
    return _Layer(f"lease/{lease.id}", lease.expires_at, Paths(setting(lease.patch)))


def _layers(
    accepted: Accepted, at: datetime, leases: Iterable[Lease], host: str
) -> Iterator[_Layer]:
    for lease in reversed(leased(accepted, leases, at).held):
        yield _lent(lease)
    document = accepted.document
    for name in reversed(open_windows(document, at)):
        schedule = document.schedules[name]
        until = next_boundary(schedule, zone_of(schedule, document.timezone), at)
        yield _Layer(f"schedule/{name}", until, _set_by(schedule.set))
    for pattern in reversed(hosts_of(document, host)):
        yield _Layer(f"host/{pattern}", None, _set_by(document.hosts[pattern].set))


def _set_by(overlay: Overlay) -> Paths:
    return Paths(setting(overlay.model_dump(exclude_unset=True)))
