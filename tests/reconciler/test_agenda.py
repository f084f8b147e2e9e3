"""What the status says of a model's hours: open windows, the next turn, leases, odd nights."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec import UNSET

from reconciler.loop.core import Decision
from reconciler.owners import with_owners
from reconciler.state import Lease
from reconciler.timetable import instant, skipped
from schemas.schedule import Schedule
from schemas.status import ManagerStatus, NextStatus, ScheduleStatus
from tests.reconciler.stage import entry, world
from tests.reconciler.world import World

PARIS = "Europe/Paris"


def window(begin: str, end: str, state: str = "loaded", **more: Any) -> dict[str, Any]:
    return {
        "when": [{"from": begin, "to": end}],
        "prewarm": "none",
        "set": {"models": {"a": {"state": state}}},
        **more,
    }


def edited(here: World, state: str = "downloaded", **windows: dict[str, Any]) -> None:
    models = {"a": entry("a", state), "b": entry("b", "downloaded")}
    here.edit({"version": 1, "models": models, "timezone": PARIS, "schedules": windows})


def schedule(decision: Decision, key: str = "a") -> ScheduleStatus:
    model = decision.status.model(key)
    assert model is not None
    assert model.schedule is not UNSET
    return model.schedule


def test_the_next_turn_is_told_in_utc_and_as_people_say_it() -> None:
    here = world(a=2, b=2)
    edited(here, night=window("22:00", "06:00"))
    decision = here.step()  # at noon UTC
    assert schedule(decision) == ScheduleStatus(
        zone=PARIS,
        active=(),
        next=NextStatus(
            "2026-11-20T21:00:00.000Z", f"Fri 2026-11-20 22:00 {PARIS}", "loaded", "night"
        ),
        adjusted=(),
    )
    assert decision.status.windows == ()
    assert decision.status.next is not None
    assert (decision.status.next.opens, decision.status.next.closes) == (("night",), ())
    here.at = datetime(2026, 11, 20, 21, tzinfo=UTC)
    decision = here.step()
    now = schedule(decision)
    assert (now.active, decision.status.windows) == (("night",), ("night",))
    assert now.next == NextStatus(
        "2026-11-21T05:00:00.000Z", f"Sat 2026-11-21 06:00 {PARIS}", "downloaded", "night"
    )


def test_models_that_no_window_touches_say_nothing_of_hours() -> None:
    here = world(a=2, b=2)
    edited(here, night=window("22:00", "06:00"))
    model = here.step().status.model("b")
    assert model is not None
    assert model.schedule is UNSET
    edited(here)
    model = here.step().status.model("a")
    assert model is not None
    assert model.schedule is UNSET


def test_a_turn_that_changes_nothing_for_the_model_is_passed_over() -> None:
    here = world(a=2, b=2)
    other = window("14:00", "15:00")
    other["set"] = {"models": {"b": {"priority": 90}}}
    edited(
        here, "loaded", lunch=other, early=window("20:00", "22:00"), late=window("22:00", "23:00",
        "absent"),
    )  # fmt: skip
    found = schedule(here.step())
    assert found.next is not None
    assert (found.next.at, found.next.to, found.next.window) == (
        "2026-11-20T21:00:00.000Z", "absent", "late"
    )  # fmt: skip
    assert schedule(here.step(), "b").next is None


def test_while_a_lease_sets_the_state_its_end_comes_next() -> None:
    here = world(a=2, b=2)
    edited(here, night=window("22:00", "06:00"))
    ends = here.at + timedelta(hours=10)  # 23:00 in Paris, in the night
    patch = {"models": {"a": {"state": "on-demand"}}}
    here.config = replace(here.config, leases=(Lease("l1", "bot", here.at, ends, patch),))
    decision = here.step()
    assert decision.status.leases == 1
    found = schedule(decision).next
    assert found == NextStatus(
        "2026-11-20T22:00:00.000Z", f"Fri 2026-11-20 23:00 {PARIS}", "loaded", None
    )
    model = decision.status.model("a")
    assert model is not None
    lent = ManagerStatus("bot", "2026-11-20T12:00:00.000Z", lease="l1")
    assert model.managers == {"/state": lent}
    here.at = ends
    decision = here.step()
    assert decision.status.leases == 0
    assert schedule(decision).next is not None


def test_what_the_document_says_lies_below_the_lease() -> None:
    here = world(a=2, b=2)
    edited(here, night=window("22:00", "06:00"))
    patch = {"models": {"a": {"state": "on-demand"}}}
    lease = Lease("l1", "bot", here.at, here.at + timedelta(hours=1), patch)
    here.config = replace(here.config, leases=(lease,))
    mine = ManagerStatus("cron", "2026-11-19T12:00:00.000Z", 7)
    fields = {"a": {"/state": mine, "/context": mine}}
    status = with_owners(here.step().status, lambda key: fields.get(key, {}))
    found = {m.key: {path: owner.by for path, owner in m.managers.items()} for m in status.models}
    assert found == {"a": {"/state": "bot", "/context": "cron"}, "b": {}}


def test_an_odd_night_is_told_a_week_ahead_and_its_loss_once() -> None:
    here = world(a=2, b=2)
    edited(here, "absent", short=window("02:15", "02:45"), long=window("02:30", "10:00"))
    here.at = datetime(2026, 3, 28, 12, tzinfo=UTC)
    decision = here.step()
    assert schedule(decision).adjusted == (
        "short: 2026-03-29 02:15-02:45 does not exist: skipped",
        "long: 2026-03-29 02:30 does not exist -> 03:00",
    )
    told = []
    for minutes in range(0, 48 * 60, 10):
        here.at = datetime(2026, 3, 28, 12, tzinfo=UTC) + timedelta(minutes=minutes)
        told += [e for e in here.step().events if e.reason == "WindowSkippedDST"]
    (event,) = told
    assert (event.kind, event.subject) == ("Warning", "schedule/short")
    assert "2026-03-29 02:15-02:45 does not exist" in event.message
    assert schedule(here.step()).adjusted == ()


def test_a_night_that_is_left_out_is_told_once_though_nothing_turns_for_days() -> None:
    here = world(a=2, b=2)
    weekly = window("02:15", "02:45")
    weekly["when"][0]["days"] = ["sun"]
    edited(here, weekly=weekly)
    here.at = datetime(2026, 3, 28, 12, tzinfo=UTC)
    told = []
    for _ in range(48):
        told += [e.subject for e in here.step().events if e.reason == "WindowSkippedDST"]
        here.sleep(3600)
    assert told == ["schedule/weekly"]


@pytest.mark.parametrize(
    ("zone", "begin", "end", "jump"),
    [
        (PARIS, "02:00", "03:00", datetime(2026, 3, 29, 1, tzinfo=UTC)),
        (PARIS, "02:00", "03:01", None),
        (PARIS, "03:00", "02:00", None),
        ("Asia/Beirut", "00:10", "00:50", datetime(2026, 3, 28, 22, tzinfo=UTC)),
        ("Australia/Lord_Howe", "02:05", "02:25", datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
        ("Australia/Brisbane", "02:05", "02:25", None),
    ],
)
def test_what_clocks_jump_over_is_found_in_a_year(
    zone: str, begin: str, end: str, jump: datetime | None
) -> None:
    rule = Schedule.model_validate({"when": [{"from": begin, "to": end}], "set": {"models": {}}})
    start = datetime(2026, 1, 1, tzinfo=UTC)
    found = [at for at, _ in skipped(rule, ZoneInfo(zone), start, start + timedelta(days=365))]
    assert found == ([jump] if jump else [])
    if jump:
        assert list(skipped(rule, ZoneInfo(zone), jump, jump + timedelta(days=30))) == []
        day = jump.astimezone(ZoneInfo(zone)).date()
        assert instant(day, 2 * 3600, ZoneInfo(zone)) >= jump


def test_a_night_on_which_the_window_does_not_open_anyway_is_not_missed() -> None:
    data = {"when": [{"days": ["mon"], "from": "02:15", "to": "02:45"}], "set": {"models": {}}}
    start = datetime(2026, 1, 1, tzinfo=UTC)
    rule = Schedule.model_validate(data)
    assert list(skipped(rule, ZoneInfo(PARIS), start, start + timedelta(days=365))) == []
    data = {"when": [{"from": "02:15", "to": "02:45"}], "except": ["2026-03-29"], "set": {}}
    rule = Schedule.model_validate(data)
    assert list(skipped(rule, ZoneInfo(PARIS), start, start + timedelta(days=365))) == []
