"""Conditions of one model: what is true, why, and since when; and how all of them are stamped.

Pure: computed at every pass from the picture of the pass. A condition keeps its transition time
for as long as its status stays the same, whatever its reason says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from reconciler import drift
from reconciler.actions import Verdict
from reconciler.backoff import Record
from reconciler.knowledge import download_subject
from reconciler.picture import Picture
from reconciler.routes import closed
from reconciler.state import (
    DiskPhase,
    DiskState,
    EffectiveModel,
    InstanceView,
    ModelState,
    Spare,
)
from schemas.quantities import format_bytes
from schemas.status import Condition

Truth = Literal["True", "False", "Unknown"]
Finding = tuple[str, Truth, str, str]
"""Type, status, reason and message, before anybody asked since when."""


def stamp(
    findings: Iterable[Finding],
    previous: Mapping[str, Condition],
    generation: int,
    epoch: int,
    now: str,
) -> tuple[Condition, ...]:
    """Conditions of findings; transition times move only where the status moved. One of which all
    is as before is the same object: most of them, in most passes.
    """
    result = []
    for kind, status, reason, message in findings:
        before = previous.get(kind)
        since = now
        if before is not None and before.status == status:
            since = before.last_transition_time
            told = before.reason == reason and before.message == message
            seen = before.observed_generation == generation and before.observed_epoch == epoch
            if told and seen:
                result.append(before)
                continue
        result.append(Condition(kind, status, reason, message, generation, epoch, since))
    return tuple(result)


def instant(at: datetime) -> str:
    """An instant as conditions show it."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def wall(at: datetime, zone: str) -> str:
    """An instant as people in that zone say it."""
    return f"{at.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M} {zone}"


def of_model(model: EffectiveModel, picture: Picture, failure: Record | None) -> Iterator[Finding]:
    """The findings about one model, in the order of `schemas.status.MODEL_CONDITIONS`.

    `failure` stands between the model and its next step.
    """
    verdict = picture.plan.verdicts[model.key]
    yield "Wanted", *_wanted(model)
    yield "Admitted", *_admitted(verdict)
    yield "Downloaded", *_downloaded(model, picture)
    yield "Loaded", *_loaded(model, picture, failure)
    yield "Ready", *_ready(model, picture, verdict, failure)
    yield "Reconciling", *_reconciling(model, picture, failure)
    yield "Stalled", *_stalled(verdict, failure)
    yield "Degraded", *_degraded(model, picture, verdict, failure)
    yield "Drifted", *_drifted(model, picture)
    yield "Supported", *supported(model.unsupported)
    yield "UpdateAvailable", "Unknown", "NotChecked", "updates are not looked for in this version"


def _drifted(model: EffectiveModel, picture: Picture) -> tuple[Truth, str, str]:
    drifts, policy = picture.known.drifts.get(model.key, ()), picture.effective.upkeep.drift
    if not drifts:
        return "False", "InStep", "nothing was changed outside lmxd"
    message = "; ".join(drift.words(each, policy) for each in drifts)
    return "False" if policy == "adopt" else "True", drifts[0].reason, message


def supported(missing: tuple[str, ...]) -> tuple[Truth, str, str]:
    """Whether everything that is set has an effect."""
    if missing:
        names = ", ".join(missing)
        return "False", "UnsupportedField", f"set, but without effect in this version: {names}"
    return "True", "AllFields", "every field that is set has an effect"


def _wanted(model: EffectiveModel) -> tuple[Truth, str, str]:
    match model.state:
        case ModelState.LOADED if model.window:
            return "True", "InWindow", f"state is loaded, by {model.because}"
        case ModelState.LOADED:
            return "True", "Always", "state is loaded"
        case _ if model.spare is Spare.PREWARM and model.loaded_at is not None:
            message = f"loaded ahead, in spare memory: wanted from {instant(model.loaded_at)} on"
            return "True", "Prewarming", message
        case ModelState.ON_DEMAND if model.demanded:
            return "True", "OnDemand", "requests want it, or did within keep_alive"
        case ModelState.ON_DEMAND:
            return "False", "OnDemandIdle", "no request wants it now"
        case _ if model.served_at is not None:
            message = f"state is {model.state}, until {instant(model.served_at)}"
            return "False", "OutsideWindow", message
        case _:
            return "False", "NotWanted", f"state is {model.state}"


def _admitted(verdict: Verdict) -> tuple[Truth, str, str]:
    return truth(verdict.admitted), verdict.reason, verdict.message


def _downloaded(model: EffectiveModel, picture: Picture) -> tuple[Truth, str, str]:
    disk = picture.disk(model)
    if disk.phase is DiskPhase.VERIFIED:
        return "True", "Verified", f"revision {disk.revision}" if disk.revision else "complete"
    record = picture.known.failures.get(download_subject(model.artifact))
    if f"verify:{model.artifact}" in picture.running:
        return "False", "Verifying", "checking the files against their digests"
    if f"download:{model.artifact}" in picture.running:
        return "False", "Partial", "downloading"
    if record is not None:
        return "False", record.reason, record.message
    if model.state is ModelState.ABSENT:
        return "False", "Absent", "state is absent"
    left = drift.left(picture.effective, picture.known.drifts.get(model.key, ()))
    if any(each.path == drift.FILES for each in left):
        return "False", drift.FILES_CHANGED, "what was taken away stays away"
    match disk.phase:
        case DiskPhase.COMPLETE:
            return "False", "UnverifiedFiles", "the files are there and not verified yet"
        case DiskPhase.PARTIAL:
            return "False", "Partial", f"{format_bytes(disk.have)} are there"
        case _:
            return "False", "Queued", "waits for a place among the downloads"


def _loaded(
    model: EffectiveModel, picture: Picture, failure: Record | None
) -> tuple[Truth, str, str]:
    current = picture.current(model.key)
    if current is not None:
        return "True", *_resident(model, current)
    ahead = picture.ready(model.key)
    if ahead is not None and model.spare is not None:
        return "True", "Prewarmed", f"instance {ahead.uid} is loaded ahead of its window"
    if ahead is not None:
        return "True", "Resident", f"instance {ahead.uid}, which does not answer yet"
    if picture.loading(model.key) is not None:
        return "False", "Loading", "the worker is loading it"
    if failure is not None and picture.disk(model).phase is DiskPhase.VERIFIED:
        return "False", failure.reason, failure.message
    return "False", "NotLoaded", "no instance"


def _resident(model: EffectiveModel, current: InstanceView) -> tuple[str, str]:
    """Why an instance is there: it is wanted, or there was no need for it to go."""
    if model.spare is Spare.BRIDGE and model.loaded_at is not None:
        again = f"wanted again from {instant(model.loaded_at)} on"
        return "BridgingGap", f"instance {current.uid} stays while there is room: {again}"
    if model.spare is Spare.LAZY:
        return "ClosedLazily", f"instance {current.uid} stays until its memory is needed"
    return "Resident", f"instance {current.uid}"


def _ready(
    model: EffectiveModel, picture: Picture, verdict: Verdict, failure: Record | None
) -> tuple[Truth, str, str]:
    """Ready, else the first of these reasons: not wanted, refused, failed, on its way."""
    if closed(model, picture.plan):
        when = f": it is served from {instant(model.served_at)} on" if model.served_at else ""
        return "False", "OutsideWindow", f"state is {model.state}{when}"
    if picture.current(model.key) is not None:
        return "True", "Serving", "it answers"
    if verdict.reason in ("Suspended", "UnsupportedField", *drift.REASONS):
        return "False", verdict.reason, verdict.message
    if not verdict.wanted:
        _, reason, message = _wanted(model)
        return "False", reason, message
    if verdict.admitted is False:
        return "False", "NotAdmitted", verdict.message
    if failure is not None:
        return "False", failure.reason, failure.message
    if picture.disk(model).phase is not DiskPhase.VERIFIED:
        return "False", "Downloading", "its files are not there and verified yet"
    if verdict.admitted is None:
        return "False", verdict.reason, verdict.message
    return "False", "Loading", "it is being loaded, or waits for its turn"


def _reconciling(
    model: EffectiveModel, picture: Picture, failure: Record | None
) -> tuple[Truth, str, str]:
    retry = failure.retry_at if failure is not None else None
    if failure is not None and retry is not None:
        when = retry.isoformat(timespec="seconds").replace("+00:00", "Z")
        return "True", "ProgressingWithRetry", f"{failure.message}; next try at {when}"
    if picture.busy(model.key):
        return "True", "Progressing", "steps of the plan are left"
    return "False", "Settled", "nothing is to be done"


def _stalled(verdict: Verdict, failure: Record | None) -> tuple[Truth, str, str]:
    if failure is not None and failure.retry_at is None:
        return "True", failure.reason, failure.message
    if verdict.reason in ("NeverFits", "UnsupportedField"):
        return "True", verdict.reason, verdict.message
    return "False", "NotStalled", "nothing waits for a person"


def _degraded(
    model: EffectiveModel, picture: Picture, verdict: Verdict, failure: Record | None
) -> tuple[Truth, str, str]:
    spec, current = verdict.spec, picture.current(model.key)
    if current is None or closed(model, picture.plan):
        return "False", "NotServing", "nothing of it is served"
    if not verdict.wanted:
        return "False", "Leaving", "it answers until it is replaced or drained"
    why = f", as what is wanted failed: {failure.message}" if failure is not None else ""
    if spec is None:
        message = f"serves {current.revision} until new files are there{why}"
        return "True", "ServingOldRevision", message
    if spec.spec_hash == current.spec_hash:
        return _complete(model, picture.disk(model))
    source = spec.artifact.source
    if (source, spec.revision) != (current.artifact.source, current.revision):
        served = f"{current.artifact.source}@{current.revision}"
        message = f"serves {served}, wanted is {source}@{spec.revision}{why}"
        return "True", "ServingOldRevision", message
    until = why or " until it is reloaded"
    return "True", "ServingOldParams", f"serves with its earlier options{until}"


def _complete(model: EffectiveModel, disk: DiskState) -> tuple[Truth, str, str]:
    """What is wanted runs; whether it can do what it is for."""
    if disk.footprint and not disk.footprint.chat_template and model.serving.template is None:
        message = "it has no chat template, so chat requests are refused; give it one: template:"
        return "True", "NoChatTemplate", message
    return "False", "AsDesired", "what is served is what is wanted"


def truth(value: bool | None) -> Truth:
    """A bool as conditions write it; None: not known."""
    if value is None:
        return "Unknown"
    return "True" if value else "False"
