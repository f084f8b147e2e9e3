"""Conditions of the daemon as a whole: document, convergence, pressure, clock and state. Pure.

Computed at every pass from its picture; `reconciler.conditions` has those of one model and stamps
both kinds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

from reconciler.conditions import Finding, Truth, instant, supported, truth
from reconciler.drift import REASONS
from reconciler.picture import Picture
from reconciler.pressure import RELIEF, is_scarce
from reconciler.state import EffectiveModel
from schemas.quantities import format_bytes, format_duration
from schemas.status import Condition

UNSURE = timedelta(minutes=10)
"""For so long after a jump of the clock people are warned of it."""


def of_daemon(picture: Picture, before: Mapping[str, Condition]) -> Iterator[Finding]:
    """The findings about the daemon, in the order of `schemas.status.DAEMON_CONDITIONS`.

    `before`: those of the pass before, for what ends later than it begins.
    """
    config, effective = picture.config, picture.effective
    yield "ConfigValid", *_valid(picture)
    yield "ConfigCurrent", truth(config.current), *_current(picture)
    yield "Converged", *_converged(picture)
    yield "MemoryPressure", *_memory(picture, before.get("MemoryPressure"))
    yield "DiskPressure", *_disk(picture)
    yield "WatcherHealthy", truth(config.watching), *_watcher(config.watching)
    yield "ClockSane", *_clock(picture)
    yield "ApiWritable", *_writable(picture)
    aside = picture.observed.host.set_aside
    yield "StateIntact", truth(not aside), *_state(aside)
    word = str(effective.suspended).lower()
    yield "Suspended", truth(effective.suspended), "Document", f"suspend is {word}"
    yield "Supported", *supported(effective.unsupported)


def _valid(picture: Picture) -> tuple[Truth, str, str]:
    """How large models are the owner of the file does not know: this is known of it only here."""
    config, problem = picture.config, picture.overfull
    if config.valid and problem is not None:
        return "False", "PinnedOverfull", f"{problem.message}; {problem.hint}"
    return truth(config.valid), config.reason, config.message


def _current(picture: Picture) -> tuple[str, str]:
    config = picture.config
    if config.held is not None:
        return config.held.reason, config.held.message
    if config.current:
        return "Current", "the newest file is served"
    return config.reason, "an older generation is served"


def _writable(picture: Picture) -> tuple[Truth, str, str]:
    config = picture.config
    unknown = config.writable_reason == "NotLookedYet"
    return (
        truth(None if unknown else config.writable), config.writable_reason, config.writable_message
    )  # fmt: skip


def _memory(picture: Picture, before: Condition | None) -> tuple[Truth, str, str]:
    """Whether lmxd holds too much, or other processes leave too little of the machine."""
    plan, host = picture.plan, picture.observed.host
    numbers = f"{format_bytes(plan.memory_now)} of {format_bytes(plan.budget or 0)} accounted"
    if plan.budget is not None and plan.memory_now > plan.budget:
        return "True", "OverBudget", numbers
    if host.memory_free is None or not host.memory_total:
        return "False", "WithinBudget", numbers
    tight = before is not None and before.reason == "OtherProcesses"
    if is_scarce(tight, host):
        others = max(0, host.memory_total - host.memory_free - plan.memory_now)
        # Rounded, as it moves all the time and the condition would seem to be news.
        message = (
            f"less than {RELIEF:.0%} of {format_bytes(host.memory_total)} are free; lmxd accounts "
            f"for {format_bytes(plan.memory_now)}, other processes hold about "
            f"{others / max(1, host.memory_total):.0%}"
        )
        return "True", "OtherProcesses", message
    return "False", "WithinBudget", numbers


def _disk(picture: Picture) -> tuple[Truth, str, str]:
    host, limits = picture.observed.host, picture.effective.disk
    room = f"{format_bytes(host.disk_free)} free, {format_bytes(limits.free)} are to stay free"
    if host.disk_free < limits.free:
        return "True", "FreeDisk", f"{room}: downloads wait, nothing is deleted"
    if limits.own is not None and host.disk_ours > limits.own:
        ours = f"{format_bytes(host.disk_ours)} of {format_bytes(limits.own)} taken by lmxd's files"
        return "True", "OwnFiles", f"{ours}: downloads wait, nothing is deleted"
    return "False", "EnoughRoom", room


def _clock(picture: Picture) -> tuple[Truth, str, str]:
    step = picture.stepped
    if step is None or not timedelta() <= picture.observed.at - step.at < UNSURE:
        return "True", "Steady", "the wall clock runs with the time that passes"
    how = "ahead" if step.seconds > 0 else "back"
    by = format_duration(round(abs(step.seconds)))
    return "False", "ClockStepped", f"the wall clock went {how} by {by} at {instant(step.at)}"


def _state(aside: tuple[str, ...]) -> tuple[str, str]:
    if aside:
        return "SetAside", "; ".join(aside)
    return "Intact", "everything remembered could be read"


def _watcher(healthy: bool) -> tuple[str, str]:
    if healthy:
        return "Watching", "file events arrive"
    return "MissedChange", "a change was found by looking that no file event announced"


def _converged(picture: Picture) -> tuple[Truth, str, str]:
    """Converged when nothing is left to do; models that cannot be helped are named."""
    if picture.plan.budget is None:
        return "False", "ProbePending", "asking what the device has"
    if not picture.plan.empty:
        return "False", "Progressing", f"{len(picture.plan.steps)} steps are left"
    exceptions = [
        f"{model.key}: {reason}"
        for model in picture.effective.models
        if (reason := _exception(model, picture)) is not None
    ]
    if exceptions:
        return "True", "WithExceptions", "; ".join(exceptions)
    return "True", "AllMet", "everything is as desired"


def _exception(model: EffectiveModel, picture: Picture) -> str | None:
    verdict = picture.plan.verdicts[model.key]
    failure = picture.failure(model)
    if verdict.reason in ("Suspended", "UnsupportedField", "ProbePending", *REASONS):
        return verdict.reason
    if failure is not None:
        return failure.reason
    if model.spare is not None:
        return None  # where there is no room ahead of its window, it has none to ask for
    if verdict.wanted and verdict.admitted is not True:
        return verdict.reason
    if verdict.wanted and picture.current(model.key) is None:
        return "NotLoaded"
    return None
