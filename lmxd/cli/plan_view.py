"""Plans as JSON values: the daemon's own, and a preview of a document on a fresh machine.

The preview resolves and plans with the reconciler's own functions over a world in which nothing
is loaded and only built-in models are on disk; what a load takes is known once the files are.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lmxd.cli import checking, client
from lmxd.cli.messages import note, warn
from lmxd.cli.moments import Moment
from lmxd.desired.read import Reading, load_file
from lmxd.host.memory import total_memory
from reconciler import explain
from reconciler.knowledge import Knowledge
from reconciler.picture import Picture
from reconciler.plan import plan
from reconciler.resolve import resolve
from reconciler.state import (
    Accepted,
    ArtifactRef,
    ConfigView,
    Device,
    DiskPhase,
    DiskState,
    Effective,
    HostView,
    Observed,
)
from schemas.errors import Code, DocumentError, LmxdError

__all__ = [
    "PlanData",
    "has_changes",
    "host",
    "of_daemon",
    "of_file",
    "picture_of",
    "preview",
    "text",
]

PlanData = dict[str, object]


def of_daemon(url: str, at: datetime | None) -> PlanData:
    """What the daemon would do now, or if it were `at`; raises LmxdError."""
    asked = "" if at is None else f"?at={at:%Y-%m-%dT%H:%M:%SZ}"
    with client.Client(url) as daemon:
        found = daemon.values(client.PLAN + asked)
    if not isinstance(found, dict):
        raise LmxdError(Code.INTERNAL, f"the plan of {url} is not what this version understands")
    return found


def host(named: str | None) -> str:
    """The name by which entries of `hosts` are chosen: the one given, else this machine's."""
    return named or socket.gethostname()


def of_file(name: str, at: Moment | None, host: str) -> PlanData | None:
    """What a daemon would do on a fresh machine; None, and the problems told, for a bad file."""
    picture = picture_of(name, at, host)
    return explain.data(picture) if picture is not None else None


def picture_of(name: str, at: Moment | None, host: str) -> Picture | None:
    """The picture of a document on a fresh machine of that name; None, and the problems told, for
    a bad file.
    """
    path, now = Path(name), datetime.now(UTC)
    try:
        reading = load_file(path, now)
    except DocumentError as error:
        checking.report(path, error)
        return None
    note(
        f"preview of {path}: no daemon was asked, nothing but what comes with lmxd is taken to be "
        "on disk, and nothing to be loaded; loads follow when the sizes of the files are known"
    )
    for place in checking.without_effect(reading.document):
        warn(f"{place} is accepted and has no effect in this version")
    when = at.of_zone(reading.document.timezone, now) if at is not None else now
    return preview(reading, path, _this_machine(path), when, host)


def preview(reading: Reading, path: Path, machine: HostView, at: datetime, host: str) -> Picture:
    """A document on an empty machine of that name. Pure."""
    accepted = Accepted(0, reading.sha256, reading.document, reading.data, at)
    config = ConfigView(str(path), accepted, True, True, "Preview", "not in effect")
    effective = resolve(accepted, at, {}, host)
    observed, known = Observed(at, machine, dict(_shipped(effective))), Knowledge()
    decided = plan(effective, observed, known, {})
    return Picture(0, config, effective, observed, decided, known, {})


def _shipped(effective: Effective) -> Iterator[tuple[ArtifactRef, DiskState]]:
    """Built-in models came with lmxd: nobody downloads them, not even on a fresh machine."""
    for model in effective.models:
        if model.artifact.source.startswith("builtin:"):
            yield model.artifact, DiskState(DiskPhase.COMPLETE)


def text(found: PlanData) -> str:
    """The plan for people."""
    return str(found["text"])


def has_changes(found: PlanData) -> bool:
    """Whether anything would be done."""
    return bool(found["actions"]) or bool(found["cancel"])


def _this_machine(path: Path) -> HostView:
    """Its memory stands for the device's, which only a daemon asks for."""
    memory = total_memory()
    free = shutil.disk_usage(path.absolute().parent).free
    return HostView(memory, free, 0, Device("unknown", "this machine", memory))
