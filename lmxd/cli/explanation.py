"""A status as sentences: what is wanted, what is so, why not, what would help, what comes next.

Pure: `lmxd explain` prints the lines. Reasons come from the conditions, whose messages already
carry the numbers and often the way out; what is added here is what a person can do about a reason.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from lmxd.cli.status_view import message_of, troubles, turning
from schemas.quantities import format_bytes
from schemas.status import Condition, DaemonStatus, ModelStatus, RemovedStatus

__all__ = ["of_daemon", "of_model", "of_removed"]

WIDTH = 15
HELP = {
    "GatedRepo": "accept the terms of the model on the hub, and give lmxd a token: HF_TOKEN",
    "Unauthorized": "give lmxd a token that may read it: HF_TOKEN",
    "NotFound": "correct its source; `lmxd plan` shows what would then be done",
    "HubUnreachable": "nothing: it is tried again; check the network if it lasts",
    "RateLimited": "nothing: it is tried again when the hub allows it",
    "DiskFull": "free some space, or set a model that is not needed to absent",
    "DiskLimitReached": "raise limits.disk, or set a model that is not needed to absent",
    "ChecksumMismatch": "nothing: the bad files are gone and are brought anew",
    "UnsupportedArchitecture": "another model, or a version of lmxd that knows its architecture",
    "UnsupportedField": "take the fields out, or use a version of lmxd that has them",
    "CrashLoop": "change its context, parallel or kv_memory, or ask for another try: lmxd retry {}",
    "NoChatTemplate": "give it one: template",
    "CanaryFailed": "look at what it answered to its canary prompt, or change the prompt",
    "ProbePending": "nothing: the device is being asked what it has",
    "Suspended": "lmxd resume {}",
    "DocumentLocked": "stop the other daemon that serves the same document",
    "FileNotWritable": "change the file's mode, or edit it where it comes from",
}
"""By reason, what a person can do; {} is the model, or nothing where it is about them all."""

UNASKED = ("NotWanted", "OnDemandIdle", "OutsideWindow", "Suspended")
"""Reasons of a condition `Admitted` that is Unknown because nobody wants the model in memory."""


def of_daemon(found: DaemonStatus) -> Iterator[str]:
    """The daemon as a whole, and each model that is not as it should be."""
    yield f"lmxd {found.version} is {found.summary}."
    yield _line("document", f"{found.document}, generation {found.generation}")
    for condition in troubles(found):
        yield _line("not well", f"{condition.type}={condition.status}: {condition.message}")
        yield from _help(condition.reason)
    converged = found.condition("Converged")
    if converged is not None:
        yield _line("converged", f"{converged.status}: {converged.message}")
    yield _line("windows", f"open: {', '.join(found.windows) or 'none'}")
    if found.leases:
        yield _line("leases", f"{found.leases} {'hold' if found.leases > 1 else 'holds'}")
    yield from _next(found)
    for model in found.models:
        message = message_of(model)
        if message:
            yield _line(f"model/{model.key}", f"{model.summary}: {message}")
    for gone in found.removed:
        yield _line(f"model/{gone.key}", f"removed: {gone.message}")


def of_removed(gone: RemovedStatus) -> Iterator[str]:
    """A model that the document has no more: since when, and what is left of it."""
    yield f"{gone.key} was removed from the document."
    yield _line("source", gone.source)
    yield _line("removed", gone.since)
    yield _line("left of it", gone.message)


def of_model(model: ModelStatus, whole: DaemonStatus) -> Iterator[str]:
    """One model: wanted, so, why not, what would help, the next try, the next by the clock."""
    yield f"{model.key} is {model.summary}."
    wanted = model.condition("Wanted")
    says = f" ({wanted.message})" if wanted else ""
    yield _line("wanted", f"{model.target.state}, says {_layer(model.target.because)}{says}")
    yield _line("files", _said(model, "Downloaded"))
    yield _line("memory", f"{_memory(model)}; {_said(model, 'Admitted')}")
    yield _line("answers", _said(model, "Ready"))
    yield from _obstacles(model, whole)
    if model.failure is not UNSET:
        again = model.failure.next_retry
        tries = f"{model.failure.count} failed, "
        yield _line("tries", tries + (f"the next is at {again}" if again else "no more by itself"))
    if model.schedule is not UNSET:
        schedule = model.schedule
        if schedule.active:
            yield _line("open windows", ", ".join(schedule.active))
        if schedule.next is not None:
            by = schedule.next.window or "the end of the lease"
            move = f"{schedule.next.local}: {schedule.next.to}, by {by}"
            yield _line("by the clock", move)
        for words in schedule.adjusted:
            yield _line("clocks change", words)
    for pointer, owner in model.managers.items():
        lease = f", lease {owner.lease}" if owner.lease else ""
        yield _line("set by", f"{pointer}: {owner.by}{lease}, since {owner.since}")
    if model.schedule is UNSET:
        yield from _next(whole)


def _obstacles(model: ModelStatus, whole: DaemonStatus) -> Iterator[str]:
    """What is wrong or in the way, each once, with what would help."""
    told: set[str] = set()
    halted = whole.condition("Suspended")
    whole_stands = halted is not None and halted.status == "True"
    for kind, bad in (("Ready", "False"), ("Stalled", "True"), ("Degraded", "True"),
                      ("Drifted", "True"), ("Supported", "False")):  # fmt: skip
        condition = model.condition(kind)
        if condition is None or condition.status != bad:
            continue
        if kind != "Ready" and condition.message not in told:
            yield _line(kind.lower(), condition.message)
        told.add(condition.message)
        if condition.reason not in told:
            everything = whole_stands and condition.reason == "Suspended"
            yield from _help(condition.reason, "" if everything else model.key)
        told.add(condition.reason)
    for drift in model.drift:
        found = f"{drift.path} should be {drift.expected}, found {drift.found}"
        yield _line("drifted", found)


def _help(reason: str, key: str = "") -> Iterator[str]:
    if reason in HELP:
        yield _line("would help", HELP[reason].format(key).rstrip())


def _said(model: ModelStatus, kind: str) -> str:
    condition: Condition | None = model.condition(kind)
    if condition is None:
        return "not known yet"
    unknown = "no place is asked for" if condition.reason in UNASKED else "not known yet"
    word = {"True": "yes", "False": "no", "Unknown": unknown}[condition.status]
    return f"{word}: {condition.message}"


def _memory(model: ModelStatus) -> str:
    memory = model.memory
    if memory.reserved:
        return f"holds {format_bytes(memory.reserved)}"
    if memory.needed is None:
        return "what it takes is not known yet"
    return f"would take {format_bytes(memory.needed)} ({memory.basis})"


def _layer(because: str) -> str:
    """The layer that sets a state, as people call it."""
    kind, _, name = because.partition("/")
    words = {"schedule": f"the window {name}", "lease": f"the lease {name}"}
    plain = {"document": "the document", "demand": "a request"}
    return words[kind] if kind in words else plain.get(because, because)


def _next(found: DaemonStatus) -> Iterator[str]:
    turn = found.next
    if turn is not None:
        yield _line("by the clock", f"{turn.local}: {turning(turn)}")


def _line(name: str, text: str) -> str:
    return f"  {name:<{WIDTH}} {text}"
