"""Who may be in spare memory, and whose requests a window cuts, told again from the plain data.

Windows are found as in `naive`, by walking days. Called by `oracles` at every step of a document
that has windows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from reconciler.actions import Drain, Load
from reconciler.loop.core import Decision
from reconciler.state import InstanceView, Spare
from tests.simulation import naive
from tests.simulation.naive import LENT, Wanted

AHEAD = timedelta(minutes=30)
"""The longest that documents here have anything loaded ahead."""
BRIDGED = timedelta(minutes=10)
LINGERS = timedelta(days=8)
RESTING = ("absent", "downloaded")
LINGERING = ("downloaded", "on-demand")


def check(decision: Decision, wanted: Mapping[str, Wanted], at: datetime) -> None:
    """What is spare is so for a window, and takes nothing from anybody. `at`: what is gone by."""
    accepted = decision.picture.config.accepted
    assert accepted is not None
    data: Mapping[str, Any] = accepted.data
    for model in decision.picture.effective.models:
        entry = wanted[model.key]
        due = entry.state == "downloaded" and entry.window != LENT and _due(data, model.key, at)
        match model.spare:
            case Spare.PREWARM:
                assert _loaded_within(data, model.key, at, AHEAD), f"{model.key} is early"
            case Spare.BRIDGE:
                assert _loaded_within(data, model.key, at, BRIDGED), f"{model.key} waits in vain"
            case Spare.LAZY:
                assert _closed(data, model.key, at) == "lazy", f"{model.key} stays for no reason"
        assert not due or model.spare is Spare.PREWARM, f"{model.key} is not loaded ahead"
        alone = model.spare is None and not model.demanded and entry.window != LENT
        if alone and entry.state in LINGERING:
            assert _closed(data, model.key, at) != "lazy", f"{model.key} does not stay"
        if model.spare is not None:
            assert entry.state != "loaded", f"{model.key} is wanted, and spare"
            assert entry.window != LENT, f"{model.key} is as a lease has it"
    _displaces_nobody(decision)


def drained_s(data: Mapping[str, Any], key: str, model: Wanted, at: datetime) -> float:
    """2: seconds that requests get before a model's instance goes."""
    rests = model.state in RESTING and model.window != LENT
    return 0.0 if rests and _closed(data, key, at) == "hard" else model.drain_s


def _displaces_nobody(decision: Decision) -> None:
    """For what is loaded ahead only what stayed lazily has to go, and nobody's request with it."""
    picture = decision.picture
    spare = {m.key: m.spare for m in picture.effective.models if m.spare is not None}
    views: Mapping[str, InstanceView] = {i.uid: i for i in picture.observed.instances}
    loads = [s for s in picture.plan.steps if isinstance(s.action, Load)]
    for drain in (a for a in decision.start if isinstance(a, Drain)):
        waiting = [
            step.action.model
            for step in loads
            if isinstance(step.action, Load) and f"unload:{drain.uid}" in step.after
        ]
        ahead = bool(waiting) and all(spare.get(key) is Spare.PREWARM for key in waiting)
        if ahead and drain.why.endswith("is needed"):
            view = views[drain.uid]
            assert spare.get(view.key) is Spare.LAZY, f"{view.uid} goes for what is only ahead"
            assert view.in_flight == 0, f"{view.uid} is cut for what is only ahead"


def _due(data: Mapping[str, Any], key: str, at: datetime) -> bool:
    """Whether a window that asks for half an hour opens within it, and has the model loaded."""
    turns = sorted({turn for _, *both in _spans(data, key, at) for turn in both})
    for turn in (each for each in turns if at < each <= at + AHEAD):
        then = naive.models(data, turn)[key]
        if then.state != "loaded":
            continue
        return any(
            start == turn and (each["prewarm"], each["priority"]) == ("30m", then.window)
            for each, start, _ in _spans(data, key, at)
        )
    return False


def _loaded_within(data: Mapping[str, Any], key: str, at: datetime, ahead: timedelta) -> bool:
    turns = sorted({turn for _, *both in _spans(data, key, at) for turn in both})
    soon = (turn for turn in turns if at < turn <= at + ahead)
    return any(naive.models(data, turn)[key].state == "loaded" for turn in soon)


def _closed(data: Mapping[str, Any], key: str, at: datetime) -> str | None:
    """How the window closed that served the model last."""
    found = [
        each
        for each in _named_spans(data, key, at)
        if each[1]["set"]["models"][key]["state"] in ("loaded", "on-demand")
    ]
    ends = [
        (end, each["priority"], name, each["close"])
        for name, each, _, end in found
        if at - LINGERS < end <= at
        and not any(other[0] == name and other[2] <= end < other[3] for other in found)
    ]
    return max(ends)[3] if ends else None


def _spans(
    data: Mapping[str, Any], key: str, at: datetime
) -> Iterator[tuple[Mapping[str, Any], datetime, datetime]]:
    """Windows that say something of a model, with their beginnings and ends around an instant."""
    return ((each, start, end) for _, each, start, end in _named_spans(data, key, at))


def _named_spans(
    data: Mapping[str, Any], key: str, at: datetime
) -> Iterator[tuple[str, Mapping[str, Any], datetime, datetime]]:
    for name, each in data.get("schedules", {}).items():
        if key not in each["set"]["models"]:
            continue
        zone = each.get("timezone", data["timezone"])
        today = at.astimezone(ZoneInfo(zone)).date()
        for rule in each["when"]:
            for ago in range(-2, 11):
                day, days = today - timedelta(days=ago), tuple(rule.get("days", ()))
                for start, end in naive.span(day, rule["from"], rule["to"], days, zone):
                    if start < end:  # else clocks jump over the whole of it: it does not open
                        yield name, each, start, end
