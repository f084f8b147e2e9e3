"""What happened between two passes: two statuses and what the pass met -> events, in words. Pure.

Called by the core at each pass. A pass in which nothing changed gives none, and progress never
does: an event says that something became so. What repeats is counted by `lmxd.telemetry.events`.
Who edited what is told by the owners of document and leases.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Literal

from reconciler.actions import (
    Action,
    Delete,
    Download,
    Drain,
    Load,
    Outcome,
    Unload,
    Verify,
)
from reconciler.picture import ClockStep, concerned
from reconciler.state import InstanceUid, InstanceView, ModelKey
from schemas.events import Event
from schemas.quantities import format_bytes, format_duration
from schemas.status import Condition, DaemonStatus, ModelStatus

Kind = Literal["Normal", "Warning"]

DAEMON, DOCUMENT = "daemon", "document"
WRONG = 1.1
"""A load that takes more than its reserve times this was estimated wrong."""
NAMED = 8
"""So many models are named in the words of one event."""
AT_REST = ("NotWanted", "OutsideWindow", "OnDemandIdle", "Suspended")
"""Reasons not to be Ready that are as somebody wanted it."""


@dataclass(frozen=True, slots=True)
class Met:
    """What a pass met that no status shows.

    outcomes: actions that ended, without failures that were told before. started: by this pass.
    died: instances that ended by themselves. instances: all that were seen. stepped: the clock
    jumped. skipped: times at which windows do not open, as clocks jump over them; in words by name.
    """

    outcomes: tuple[Outcome, ...] = ()
    started: tuple[Action, ...] = ()
    died: tuple[InstanceView, ...] = ()
    instances: Mapping[InstanceUid, InstanceView] = field(default_factory=dict)
    stepped: ClockStep | None = None
    skipped: tuple[tuple[str, str], ...] = ()


def happened(before: DaemonStatus | None, after: DaemonStatus, met: Met) -> tuple[Event, ...]:
    """The events of a pass, causes before effects. `before` None: the first pass of a daemon."""
    return tuple(
        chain(
            _clock(before, after, met),
            _document(before, after),
            _windows(before, after),
            chain.from_iterable(_ended(outcome, met) for outcome in met.outcomes),
            map(_death, met.died),
            _models(before, after),
            _daemon(before, after),
            chain.from_iterable(map(_begun, met.started)),
        )
    )


def _about(model: ModelKey | str) -> str:
    return f"model/{model}"


# --- the clock and the document -------------------------------------------------------------


def _clock(before: DaemonStatus | None, after: DaemonStatus, met: Met) -> Iterator[Event]:
    if before is None:
        what = f"generation {after.generation}" if after.generation else "no document yet"
        yield Event("Normal", "Started", DAEMON, f"lmxd {after.version} starts with {what}")
    if met.stepped is not None:
        yield _step(met.stepped)
    for window, words in met.skipped:
        yield Event("Warning", "WindowSkippedDST", f"schedule/{window}", words)


def _step(step: ClockStep) -> Event:
    how = "went ahead" if step.seconds > 0 else "went back"
    message = (
        f"the wall clock {how} by {format_duration(round(abs(step.seconds)))} beside the time that "
        "passed: it was set, or the machine slept"
    )
    return Event("Warning", "ClockStepped", DAEMON, message, {"seconds": round(step.seconds, 3)})


def _document(before: DaemonStatus | None, after: DaemonStatus) -> Iterator[Event]:
    if before is None:
        return
    if after.generation != before.generation:
        message = f"generation {after.generation} holds, after {before.generation}"
        yield Event("Normal", "GenerationAccepted", f"generation/{after.generation}", message)
    if after.epoch != before.epoch:
        data = {"epoch": after.epoch, "before": before.epoch}
        yield Event("Normal", "EpochChanged", DAEMON, _difference(before, after), data)


def _difference(before: DaemonStatus, after: DaemonStatus) -> str:
    """What of the targets is another, in words."""
    old = {model.key: model.target for model in before.models}
    new = {model.key: model.target for model in after.models}
    found = [f"{key} is gone" for key in old if key not in new]
    for key, target in new.items():
        earlier = old.get(key)
        if earlier is None or earlier.state != target.state or earlier.because != target.because:
            was = f", was {earlier.state}" if earlier is not None else ""
            found.append(f"{key} is to be {target.state} ({target.because}){was}")
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return ("; ".join(found[:NAMED]) or "other settings hold") + more


def _windows(before: DaemonStatus | None, after: DaemonStatus) -> Iterator[Event]:
    if before is None or before.windows == after.windows:
        return
    for name in before.windows:
        if name not in after.windows:
            yield Event("Normal", "WindowClosed", f"schedule/{name}", f"{name} is closed")
    for name in after.windows:
        if name not in before.windows:
            yield Event("Normal", "WindowOpened", f"schedule/{name}", f"{name} is open")
            yield from _not_ready(name, after)


def _not_ready(window: str, after: DaemonStatus) -> Iterator[Event]:
    """Models that the window wants loaded, and whose files are not there in time."""
    for model in after.models:
        files = model.condition("Downloaded")
        wanted = model.target.state == "loaded" and model.target.because == f"schedule/{window}"
        if wanted and files is not None and files.status != "True":
            message = f"{window} is open and the files of {model.key} are not ready"
            message += f": {files.message}"
            data = {"model": model.key, "reason": files.reason}
            yield Event("Warning", "WindowOpenedNotReady", f"schedule/{window}", message, data)


# --- conditions -----------------------------------------------------------------------------


def _moved(
    before: tuple[Condition, ...], after: tuple[Condition, ...]
) -> Iterator[tuple[Condition | None, Condition]]:
    """Conditions with another status, reason or message than before. Both come in one order."""
    if not before:
        for new in after:
            yield None, new
        return
    for old, new in zip(before, after, strict=True):
        if old is new:
            continue
        if old.status != new.status or old.reason != new.reason or old.message != new.message:
            yield old, new


def _models(before: DaemonStatus | None, after: DaemonStatus) -> Iterator[Event]:
    earlier = {model.key: model for model in before.models} if before else {}
    for model in after.models:
        old = earlier.get(model.key)
        if old is model:
            continue
        for was, now in _moved(old.conditions if old else (), model.conditions):
            event = _of_model(model, was, now)
            if event is not None:
                yield event


def _of_model(model: ModelStatus, was: Condition | None, now: Condition) -> Event | None:
    """What the change of one condition of a model means; None: nothing that is worth a word."""
    subject, data = _about(model.key), {"reason": now.reason}
    turned = was is None or was.status != now.status
    another = turned or (was is not None and was.reason != now.reason)
    match now.type, now.status:
        case "Ready", "True" if turned:
            return Event("Normal", "Ready", subject, f"{model.key} answers", data)
        case "Ready", _ if was is not None and was.status == "True" and turned:
            kind: Kind = "Normal" if now.reason in AT_REST else "Warning"
            return Event(kind, "NotReady", subject, now.message, data)
        case "Admitted", "False" if another and now.reason != "UnsupportedField":
            return Event("Warning", "NotAdmitted", subject, now.message, data)
        case (("Stalled" | "Drifted"), "True") if another:
            return Event("Warning", now.type, subject, now.message, data)
        case "Degraded", "True" if another:
            passing = now.reason.startswith("ServingOld")
            return Event("Normal" if passing else "Warning", "Degraded", subject, now.message, data)
        case "Drifted", "False" if turned and was is not None and was.status == "True":
            return Event("Normal", "DriftEnded", subject, now.message, data)
    return None


def _daemon(before: DaemonStatus | None, after: DaemonStatus) -> Iterator[Event]:
    for was, now in _moved(before.conditions if before else (), after.conditions):
        event = _of_daemon(was, now)
        if event is not None:
            yield event


def _of_daemon(was: Condition | None, now: Condition) -> Event | None:
    """What the change of one condition of the daemon means."""
    turned = was is None or was.status != now.status
    another = turned or (was is not None and (was.reason, was.message) != (now.reason, now.message))
    back = turned and was is not None
    data = {"reason": now.reason}
    match now.type, now.status:
        case "ConfigValid", "False" if another and now.reason != "NotReadYet":
            return Event("Warning", "ConfigRefused", DOCUMENT, now.message, data)
        case "ConfigCurrent", "False" if another and now.reason in NOT_CURRENT:
            return Event("Warning", NOT_CURRENT[now.reason], DOCUMENT, now.message, data)
        case "ConfigCurrent", "True" if back:
            return Event("Normal", "ConfigCurrent", DOCUMENT, now.message)
        case (("MemoryPressure" | "DiskPressure"), "True") if turned:
            return Event("Warning", now.type, DAEMON, now.message, data)
        case (("MemoryPressure" | "DiskPressure"), "False") if back and was is not None:
            if was.status == "True":
                return Event("Normal", f"{now.type}Ended", DAEMON, now.message)
        case "StateIntact", "False" if another:
            return Event("Warning", "StateSetAside", DAEMON, now.message)
        case "Suspended", _ if (now.status == "True" and turned) or back:
            reason = "Suspended" if now.status == "True" else "Resumed"
            return Event("Normal", reason, DAEMON, now.message)
        case "Converged", "True" if turned or (was is not None and was.reason != now.reason):
            return Event("Normal", "Converged", DAEMON, now.message, data)
    return None


NOT_CURRENT = {
    "Held": "ConfigHeld",
    "HeldByRollback": "HeldByRollback",
    "RolledBackAfterCrash": "RolledBackAfterCrash",
}
"""Why a valid document is not what holds, and the reason of the event that says so."""


# --- actions and instances ------------------------------------------------------------------


def _begun(action: Action) -> Iterator[Event]:
    """Starts that take long enough to be worth a word."""
    match action:
        case Download(artifact=artifact, models=models):
            yield from _each(models, "Downloading", f"brings {artifact}")
        case Load(model=model, uid=uid, reserve=reserve):
            message = f"loads {model}, {format_bytes(reserve)} are reserved"
            yield Event("Normal", "Loading", _about(model), message, {"instance": uid})
        case Drain(model=model, uid=uid, deadline_s=deadline, why=why):
            message = f"{why}: running requests get {format_duration(deadline)}"
            yield Event("Normal", "Draining", _about(model), message, {"instance": uid})


def _ended(outcome: Outcome, met: Met) -> Iterator[Event]:
    if outcome.cancelled:
        return
    if outcome.error is None:
        yield from _done(outcome.action, met)
        return
    data = {"action": outcome.action.key, "reason": outcome.error.reason}
    for model in concerned(outcome.action):
        yield Event("Warning", "ActionFailed", _about(model), outcome.error.message, data)


def _done(action: Action, met: Met) -> Iterator[Event]:
    match action:
        case Download(artifact=artifact, models=models):
            yield from _each(models, "DownloadDone", f"{artifact} is on disk")
        case Verify(artifact=artifact, models=models):
            yield from _each(models, "Verified", f"{artifact} is as it should be")
        case Load():
            yield from _loaded(action, met.instances.get(action.uid))
        case Unload(model=model, uid=uid, frees=frees):
            message = f"unloaded, {format_bytes(frees)} are free again"
            yield Event("Normal", "Unloaded", _about(model), message, {"instance": uid})
        case Delete(artifact=artifact, models=models):
            yield from _each(models, "Deleted", f"the files of {artifact} are gone")


def _each(models: tuple[ModelKey, ...], reason: str, message: str) -> Iterator[Event]:
    for model in models:
        yield Event("Normal", reason, _about(model), message)


def _loaded(load: Load, instance: InstanceView | None) -> Iterator[Event]:
    subject, data = _about(load.model), {"instance": load.uid}
    if instance is None or instance.measured is None:
        yield Event("Normal", "Loaded", subject, "loaded", data)
        return
    took = instance.measured + instance.kv_bytes
    message = f"loaded in {instance.load_s or 0.0:.1f} s, takes {format_bytes(took)}"
    facts = {"seconds": instance.load_s, "memory": took, "reserved": load.reserve}
    yield Event("Normal", "Loaded", subject, message, {**data, **facts})
    if took > load.reserve * WRONG:
        words = f"takes {format_bytes(took)}, {format_bytes(load.reserve)} were reserved"
        yield Event("Warning", "EstimateWrong", subject, words, {**data, **facts})


def _death(instance: InstanceView) -> Event:
    exit_ = instance.exit
    reason, message = (exit_.reason, exit_.message) if exit_ else ("WorkerCrashed", "it ended")
    data = {"reason": reason, "instance": instance.uid}
    return Event("Warning", "WorkerDied", _about(instance.key), message, data)
