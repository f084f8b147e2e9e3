"""Who set the fields of a model, as its status shows it: leases, and below them the document. Pure.

The report names what leases set; who set what in the document is known to its owner, and laid
below that when somebody asks for the status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from reconciler.conditions import instant
from reconciler.state import Lease, ModelKey
from schemas.leaves import setting
from schemas.parse import pointer
from schemas.status import DaemonStatus, ManagerStatus


def lent(leases: Iterable[Lease], key: ModelKey) -> Mapping[str, ManagerStatus]:
    """What leases set of a model, by JSON pointers below it; the lease that wins is named."""
    return {
        pointer(path[2:]): ManagerStatus(lease.manager, instant(lease.created_at), lease=lease.id)
        for lease in leases
        for path in setting(lease.patch)
        if path[:2] == ("models", key) and len(path) > 2
    }


def with_owners(
    status: DaemonStatus, owned: Callable[[str], Mapping[str, ManagerStatus]]
) -> DaemonStatus:
    """The status with the owners of what the document says, by key of the model."""
    models = tuple(
        replace(model, managers={**owned(model.key), **model.managers}) for model in status.models
    )
    return replace(status, models=models)
