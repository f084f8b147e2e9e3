"""A plan for people and for programs: text as `lmxd plan` prints it, and JSON values. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

from reconciler.actions import (
    Action,
    Delete,
    Download,
    Drain,
    Load,
    Promote,
    Publish,
    Remains,
    Step,
    Unload,
    Verify,
)
from reconciler.conditions import wall
from reconciler.drift import Drift
from reconciler.drift import words as drifted
from reconciler.picture import Picture
from reconciler.prune import words
from reconciler.silences import silences
from reconciler.state import (
    ArtifactRef,
    DiskPhase,
    DiskState,
    EffectiveModel,
    ModelKey,
    ModelState,
)
from reconciler.timetable import Turn
from schemas.quantities import format_bytes, format_duration

NOUNS = {
    "download": "download",
    "verify": "verification",
    "load": "load",
    "unload": "unload",
    "publish": "alias change",
    "delete": "deletion",
}


def text(picture: Picture) -> str:
    """The plan as lines: actions in order, what is wanted but not done, memory, a summary."""
    return "\n".join(_lines(picture)) + "\n"


def data(picture: Picture) -> dict[str, object]:
    """The plan as JSON values; `text` is the same for people."""
    plan = picture.plan
    return {
        "generation": picture.effective.generation,
        "epoch": picture.epoch,
        "at": _iso(picture.asked_at or picture.observed.at),
        "next": _turn(picture.effective.turn),
        "drift": [
            {
                "model": key,
                "reason": each.reason,
                "path": each.path,
                "expected": each.expected,
                "found": each.found,
                "since": _iso(each.since),
            }
            for key, each in _drifts(picture)
        ],
        "actions": [_action(step, picture) for step in plan.steps],
        "cancel": [cancel.action for cancel in plan.cancels],
        "exceptions": [
            {"model": key, "reason": reason, "message": message}
            for key, reason, message in _exceptions(picture)
        ],
        "gaps": [{"name": each.name, "seconds": each.seconds} for each in silences(picture)],
        "removed": [_removed(each, picture) for each in plan.removed],
        "memory": {
            "budget": plan.budget,
            "now": plan.memory_now,
            "after": plan.memory_after,
            "peak": plan.memory_peak,
        },
        "text": text(picture),
    }


def effective_data(picture: Picture) -> dict[str, object]:
    """What holds at its instant, as JSON values; durations in seconds, null for forever."""
    effective = picture.effective
    return {
        "generation": effective.generation,
        "epoch": picture.epoch,
        "at": _iso(picture.asked_at or picture.observed.at),
        "windows": list(effective.windows),
        "leases": [
            {"id": each.id, "manager": each.manager, "expires_at": _iso(each.expires_at)}
            for each in effective.leases
        ],
        "next": _turn(effective.turn),
        "suspended": effective.suspended,
        "models": {
            model.key: {
                "source": str(replace(model.artifact, revision=None)),
                "revision": model.artifact.revision,
                "state": str(model.state),
                "because": model.because,
                "demanded": model.demanded,
                "priority": model.priority,
                "pinned": model.pinned,
                "suspended": model.suspended,
                "context": model.context,
                "parallel": model.parallel,
                "kv_memory": model.kv_memory,
                "keep_alive_s": _seconds(model.keep_alive_s),
                "drain_s": _seconds(model.drain_s),
            }
            for model in effective.models
        },
        "aliases": {name: list(keys) for name, keys in effective.aliases.items()},
    }


def _turn(turn: Turn | None) -> dict[str, object] | None:
    if turn is None:
        return None
    return {"at": _iso(turn.at), "opens": list(turn.opens), "closes": list(turn.closes)}


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _by_the_clock(turn: Turn) -> str:
    """The next boundary as people say it: in the zone of the document."""
    verbs = (("opens", turn.opens), ("closes", turn.closes))
    what = ", ".join(f"{name} {verb}" for verb, names in verbs for name in names)
    return f"Next by the clock: {wall(turn.at, turn.zone)}: {what}."


def _seconds(value: float) -> float | None:
    return None if value == float("inf") else value


def _lines(picture: Picture) -> Iterator[str]:
    plan = picture.plan
    budget = f" of {format_bytes(plan.budget)}" if plan.budget is not None else ""
    turn = picture.effective.turn
    head = f"plan for generation {picture.effective.generation}, epoch {picture.epoch}"
    if picture.asked_at is not None:
        head = f"plan for {wall(picture.asked_at, picture.zone)}, with what is true now"
    yield f"{head}: memory now {format_bytes(plan.memory_now)}{budget}"
    policy = picture.effective.upkeep.drift
    changed = (
        f"   !  {key}: {_one_line(drifted(drift, policy))}" for key, drift in _drifts(picture)
    )
    yield from _section("Changed past lmxd:", changed)
    yield from _section("Actions, in the order they will run:", _steps(picture))
    refused = (
        f"   x  {key}: {_one_line(message)}" for key, _reason, message in _exceptions(picture)
    )
    yield from _section("Wanted but not done:", refused)
    removed = (f"   -  {each.key}: {words(each, picture.zone)}" for each in plan.removed)
    yield from _section("Removed from the document:", removed)
    if plan.steps:
        after, peak = format_bytes(plan.memory_after), format_bytes(plan.memory_peak)
        yield f"Memory after: {after}; peak {peak}."
    yield from _silences(picture)
    if turn is not None:
        yield _by_the_clock(turn)
    yield _summary(picture)


def _one_line(message: str) -> str:
    """What a worker wrote last stands on lines of its own in messages."""
    return " | ".join(line.strip() for line in message.splitlines())


def _section(title: str, lines: Iterable[str]) -> Iterator[str]:
    """The lines below their title; nothing at all where there are none."""
    for number, line in enumerate(lines):
        if number == 0:
            yield title
        yield line


def _steps(picture: Picture) -> Iterator[str]:
    for number, step in enumerate(picture.plan.steps, 1):
        sign, what = _describe(step.action, picture)
        state = "  (running)" if step.action.key in picture.running else ""
        state += "  (repairs drift)" if step.repairs else ""
        yield f"  {number:>2}  {sign:<3} {what}{state}"


def _drifts(picture: Picture) -> Iterator[tuple[ModelKey, Drift]]:
    """What changed past lmxd, apart from what somebody wished."""
    for model in picture.effective.models:
        for each in picture.known.drifts.get(model.key, ()):
            yield model.key, each


def _silences(picture: Picture) -> Iterator[str]:
    """Names that answer nobody meanwhile, by how long that is."""
    names: dict[str, list[str]] = {}
    for each in silences(picture):
        known = each.seconds is not None
        length = (
            f"for about {max(1, round(each.seconds or 0))} s" if known else "while a model loads"
        )
        names.setdefault(length, []).append(each.name)
    for length, waiting in names.items():
        verb = "answers" if len(waiting) == 1 else "answer"
        yield f"{', '.join(waiting)} {verb} nobody {length}; requests wait."


def _summary(picture: Picture) -> str:
    counts = Counter(type(step.action).__name__.lower() for step in picture.plan.steps)
    parts = [
        f"{counts[verb]} {noun}{'s' if counts[verb] != 1 else ''}"
        for verb, noun in NOUNS.items()
        if counts[verb]
    ]
    if not parts:
        return "Nothing to do." if not picture.plan.steps else "Plan: only drains are left."
    return f"Plan: {', '.join(parts)}."


def _describe(action: Action, picture: Picture) -> tuple[str, str]:
    """A sign and a phrase: + memory grows, - memory shrinks, ~ in place, ↓ from the network."""
    match action:
        case Download(artifact=artifact, models=models):
            return "↓", f"{models[0]}  download {artifact}{_missing(artifact, picture)}"
        case Verify(artifact=artifact, models=models):
            return "?", f"{models[0]}  verify {artifact}"
        case Load(model=model, reserve=reserve):
            basis = picture.plan.verdicts[model].need.basis if _known(action, picture) else ""
            what = "load what it ran before" if action.previous else "load"
            return "+", f"{model}  {what}  +{format_bytes(reserve)} {basis}".rstrip()
        case Promote(model=model):
            return "~", f"{model}  answer from the new instance"
        case Drain(model=model, deadline_s=deadline, why=why):
            return "~", f"{model}  drain: {why}, running requests get {format_duration(deadline)}"
        case Unload(model=model, frees=frees):
            return "-", f"{model}  unload  -{format_bytes(frees)}"
        case Delete(artifact=artifact, models=models):
            size = format_bytes(picture.observed.disk.get(artifact, DiskState()).ours)
            return "x", f"{models[0]}  delete {size} of files that lmxd downloaded"
        case Publish(names=names):
            moves = ", ".join(f"{n} → {', '.join(keys) or 'gone'}" for n, keys in names.items())
            return "~", f"names  {moves}"
        case _:
            return "!", f"cancel {action.action}"


def _known(action: Load, picture: Picture) -> bool:
    return action.model in picture.plan.verdicts


def _missing(artifact: ArtifactRef, picture: Picture) -> str:
    disk = picture.observed.disk.get(artifact, DiskState())
    if disk.total is None:
        return ""
    return f"  {format_bytes(disk.total - disk.have)} of {format_bytes(disk.total)} missing"


def _action(step: Step, picture: Picture) -> dict[str, object]:
    sign, what = _describe(step.action, picture)
    return {
        "key": step.action.key,
        "kind": type(step.action).__name__.lower(),
        "sign": sign,
        "what": what,
        "after": list(step.after),
        "running": step.action.key in picture.running,
        "repairs": step.repairs,
        "memory_after": step.memory_after,
    }


def _removed(each: Remains, picture: Picture) -> dict[str, object]:
    """What is left of a removed model. `delete_at` null: its files stay."""
    return {
        "model": each.key,
        "source": str(each.artifact),
        "since": _iso(each.since),
        "left": each.doing,
        "bytes": each.ours,
        "delete_at": _iso(each.until) if each.until is not None else None,
        "message": words(each, picture.zone),
    }


def _exceptions(picture: Picture) -> Iterator[tuple[str, str, str]]:
    """Models that should be somewhere they are not, and that no step of the plan helps."""
    for model in picture.effective.models:
        verdict = picture.plan.verdicts[model.key]
        failure = picture.failure(model)
        refused = verdict.wanted and verdict.admitted is False
        if verdict.reason == "Suspended" and _arrived(model, picture):
            continue
        if failure is not None:
            yield model.key, failure.reason, failure.message
        elif refused or verdict.reason in ("Suspended", "UnsupportedField"):
            yield model.key, verdict.reason, verdict.message


def _arrived(model: EffectiveModel, picture: Picture) -> bool:
    """Whether a model that stands still is where it should be."""
    loaded = picture.current(model.key) is not None
    if model.state is ModelState.ABSENT:
        return not loaded and picture.disk(model).phase is DiskPhase.ABSENT
    there = picture.disk(model).phase is DiskPhase.VERIFIED
    return there and loaded == (model.state is ModelState.LOADED or model.demanded)
