"""What HTTP is handed: the ports of `lmxd.http` with the parts of this daemon behind them."""

from __future__ import annotations

from dataclasses import dataclass

from lmxd.daemon.control import Control
from lmxd.daemon.control_edits import ControlEdits
from lmxd.daemon.control_history import ControlHistory
from lmxd.daemon.control_leases import ControlLeases
from lmxd.daemon.control_outlook import Outlooks
from lmxd.daemon.documents import Documents
from lmxd.daemon.verbs import ControlVerbs
from lmxd.http.calls import Calls
from lmxd.http.ports import Access, Deps
from lmxd.idempotency import Answers
from lmxd.kept_responses import Responses
from lmxd.serving.gate import Gate
from lmxd.settings import Settings
from lmxd.statefolder import StateFolder
from lmxd.store.files import ModelFiles
from lmxd.telemetry.events import EventLog
from reconciler.loop.driver import Loop
from reconciler.ports import Clock


@dataclass(frozen=True, slots=True)
class Surface:
    """`deps` for the server; `edits`, which must be closed before the server waits for its end."""

    deps: Deps
    edits: ControlEdits


def surface(
    settings: Settings,
    folder: StateFolder,
    clock: Clock,
    *,
    documents: Documents,
    loop: Loop,
    files: ModelFiles,
    gate: Gate,
    events: EventLog,
) -> Surface:
    """Everything handlers use. Reads the state folder, which blocks."""
    document, host, now = documents.document, settings.host_name, clock.now
    control = Control(loop, document, documents.managers, clock.monotonic, host)
    outlooks = Outlooks(loop, files, host)
    edits = ControlEdits(document, documents.view, loop, outlooks, now)
    leasing = ControlLeases(documents.leases, documents.managers, documents.view, outlooks, now)
    deps = Deps(
        gate=gate,
        control=control,
        edits=edits,
        leasing=leasing,
        verbs=ControlVerbs(documents, edits, leasing, outlooks, gate),
        history=ControlHistory(document),
        calls=Calls(Answers(folder, now)),
        health=control,
        events=events,
        responses=Responses(folder, now),
        now=lambda: now().timestamp(),
        started=int(now().timestamp()),
        access=Access(hosts=settings.allow_host, origins=settings.cors),
    )
    return Surface(deps, edits)
