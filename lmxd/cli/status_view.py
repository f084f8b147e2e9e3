"""The status for people: a line for each model, all conditions of one, or changes as they come."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

from msgspec import UNSET

from lmxd.cli.client import Client
from lmxd.cli.messages import note
from lmxd.cli.output import columns, rows
from lmxd.cli.progress import display, movement
from schemas.quantities import format_bytes
from schemas.status import Condition, DaemonStatus, ModelStatus, TurnStatus

__all__ = ["follow", "message_of", "print_all", "print_model", "troubles", "turning"]

LOOK_S = 0.5
"""Pause between two looks."""

COLUMNS = ("MODEL", "STATE", "SUMMARY", "READY", "MEMORY", "SOURCE", "MESSAGE")
_FRACTION = re.compile(r"\.\d+Z$")
GOOD_WHEN_FALSE = ("MemoryPressure", "DiskPressure", "Suspended")


def follow(client: Client, key: str | None) -> None:
    """Show changes until Ctrl-C: bars while something moves, a line when a summary changes."""
    said: dict[str, str] = {}
    try:
        with display() as shown:
            while True:
                models = [client.model(key)] if key else list(client.status().models)
                shown.show(models)
                said = _tell(models, said)
                time.sleep(LOOK_S)
    except KeyboardInterrupt:
        return


def _tell(models: list[ModelStatus], said: dict[str, str]) -> dict[str, str]:
    """Write what differs from what was said; returns what has been said now."""
    for model in models:
        if said.get(model.key) != model.summary:
            message = message_of(model)
            note(f"{model.key}: {model.summary}" + (f" ({message})" if message else ""))
    now = {model.key: str(model.summary) for model in models}
    for gone in said.keys() - now.keys():
        note(f"{gone}: no longer in the document")
    return now


def print_all(found: DaemonStatus) -> None:
    """The daemon in a line, what is wrong with it, a table of its models, and what is left of those
    that were removed.
    """
    lines = [_cells(model) for model in found.models]
    table = [columns(COLUMNS, lines)] if lines else ["no models are wanted"]
    bad = (f"{each.type}={each.status}: {each.message}" for each in troubles(found))
    gone = [f"removed: {each.key} ({each.source}): {each.message}" for each in found.removed]
    rows(_heading(found), *_clock(found), *bad, "", *table, *gone)


def _clock(found: DaemonStatus) -> Iterator[str]:
    """Open windows, leases and what comes next, where there are any."""
    if found.windows:
        yield f"windows: {', '.join(found.windows)}"
    if found.leases:
        yield f"leases: {found.leases}"
    if found.next is not None:
        yield f"next: {found.next.local}: {turning(found.next)}"


def turning(turn: TurnStatus) -> str:
    """Which windows open and close, in words."""
    verbs = (("opens", turn.opens), ("closes", turn.closes))
    return ", ".join(f"{name} {verb}" for verb, names in verbs for name in names)


def _heading(found: DaemonStatus) -> str:
    machine = found.machine
    budget = machine.memory_budget
    memory = f"memory {format_bytes(machine.memory_reserved)}"
    memory += f" of {format_bytes(budget)}" if budget is not None else ", budget not known yet"
    return (
        f"lmxd {found.version}: {found.summary}, generation {found.generation}, "
        f"epoch {found.epoch}, {memory}"
    )


def troubles(found: DaemonStatus) -> Iterator[Condition]:
    """Conditions of the daemon that somebody should know of: held edits, pressure, clocks."""
    for condition in found.conditions:
        bad = "True" if condition.type in GOOD_WHEN_FALSE else "False"
        if condition.status == bad and condition.type not in ("Converged", "ApiWritable"):
            yield condition


def _cells(model: ModelStatus) -> tuple[str, ...]:
    ready = model.condition("Ready")
    return (
        model.key,
        model.target.state,
        model.summary,
        ready.status if ready else "Unknown",
        _memory(model),
        model.disk.source,
        message_of(model),
    )


def _memory(model: ModelStatus) -> str:
    """What it holds now, or in brackets what it would take."""
    if model.memory.reserved:
        return format_bytes(model.memory.reserved)
    return f"({format_bytes(model.memory.needed)})" if model.memory.needed else "-"


def message_of(model: ModelStatus) -> str:
    """Why it is as it is; nothing for a model that is as it should be."""
    moving = movement(model)
    if moving is not None and moving.done is not None:
        return str(moving).partition(", ")[2]
    if model.failure is not UNSET:
        again = f"; next try at {model.failure.next_retry}" if model.failure.next_retry else ""
        return f"{model.failure.message}{again}"
    supported, ready = model.condition("Supported"), model.condition("Ready")
    if model.summary in ("Ready", "Idle", "Downloaded", "Absent"):
        if supported and supported.status == "False":
            return supported.message
        return "; ".join(f"{each.path}: {each.found}, not {each.expected}" for each in model.drift)
    return ready.message if ready else ""


def print_model(model: ModelStatus) -> None:
    """Facts and conditions of one model."""
    names = ", ".join(model.serving.names) or "-"
    facts = (
        ("state", f"{model.target.state} (because of {model.target.because})"),
        ("source", model.disk.source),
        ("revision", model.disk.resolved_revision or "-"),
        ("path", model.disk.path or "-"),
        ("memory", _memory(model)),
        ("names", names),
        ("next", _next(model)),
        ("requests", f"{model.serving.in_flight} running, {model.serving.queued} waiting"),
        ("message", message_of(model) or "-"),
    )
    rows(
        f"{model.key}: {model.summary}",
        *(f"  {name:<9} {value}" for name, value in facts),
        "",
        columns(("CONDITION", "STATUS", "REASON", "SINCE", "MESSAGE"), map(_row, model.conditions)),
    )


def _next(model: ModelStatus) -> str:
    """What the clock does with it."""
    if model.schedule is UNSET or model.schedule.next is None:
        return "-"
    turn = model.schedule.next
    return f"{turn.local}: {turn.to} ({turn.window or 'the lease ends'})"


def _row(condition: Condition) -> tuple[str, ...]:
    return (
        condition.type,
        condition.status,
        condition.reason,
        _FRACTION.sub("Z", condition.last_transition_time),
        condition.message,
    )
