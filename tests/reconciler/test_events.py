"""Events: what a person who follows along is told of an edit, a failure, a death, a night."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from reconciler.events import Met, happened
from reconciler.loop.core import Decision
from reconciler.state import ArtifactRef, HeldEdit, HostView, InstanceUid, ModelKey
from schemas.events import Event
from tests.reconciler.stage import BROKEN, CUT, edit, entry, run_until, world
from tests.reconciler.world import GIB, World


class Told:
    """Every event of a world, in order."""

    def __init__(self, here: World) -> None:
        self.events: list[Event] = []
        before = here.watch

        def watch(at: World, decision: Decision, outcomes: object) -> None:
            self.events += decision.events
            if before is not None:
                before(at, decision, outcomes)  # type: ignore[arg-type]

        here.watch = watch

    def take(self, subject: str = "") -> list[str]:
        """Reasons told since the last look, of one subject or of all."""
        found = [e.reason for e in self.events if subject in ("", e.subject)]
        self.events.clear()
        return found

    def one(self, reason: str) -> Event:
        (found,) = [event for event in self.events if event.reason == reason]
        return found


def test_an_edit_is_told_from_the_download_to_the_answer() -> None:
    here = world(a=2)
    here.repos["org/a"].whole = False
    told = Told(here)
    here.step()
    assert told.one("Started").message == "lmxd 0 starts with no document yet"
    assert told.take() == ["Started", "ConfigRefused", "Converged"]
    edit(here, a=entry("a"))
    here.settle()
    model = [e.reason for e in told.events if e.subject == "model/a"]
    assert model == ["Downloading", "DownloadDone", "Verified", "Loading", "Loaded", "Ready"]
    others = [f"{e.subject} {e.reason}" for e in told.events if e.subject != "model/a"]
    assert others == [
        "generation/1 GenerationAccepted",
        "daemon EpochChanged",
        "document ConfigCurrent",
        "daemon Converged",
    ]
    assert told.one("EpochChanged").message == "a is to be loaded (document)"
    loaded = told.one("Loaded")
    assert loaded.data["instance"] == "a#1"
    assert loaded.data["memory"] == loaded.data["reserved"]
    assert {event.kind for event in told.events} == {"Normal"}


def test_where_nothing_changes_nothing_is_told() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    told = Told(here)
    for _ in range(3):
        here.sleep(20)
        here.step()
    assert told.events == []


def test_progress_is_no_event() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.step()
    here.begin("download:hf:org/a")
    here.step()
    told = Told(here)
    for have in range(0, 2 * GIB, GIB // 8):
        ref = ArtifactRef("hf:org/a")
        here.disk[ref] = replace(here.disk[ref], have=have)
        here.sleep(1)
        here.step()
    assert told.events == []


def test_an_unload_says_who_lost_what() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    told = Told(here)
    here.request("a")
    edit(here, a=entry("a", "absent"))
    here.settle()
    assert told.one("EpochChanged").message == "a is to be absent (document), was loaded"
    assert told.one("NotReady").kind == "Normal"
    reasons = told.take("model/a")
    assert reasons == ["Draining", "NotReady", "Unloaded", "Deleted"]


@pytest.mark.parametrize("fault", [BROKEN, CUT])
def test_a_failure_is_a_warning_and_a_dead_end_is_stalled(fault: object) -> None:
    here = world(a=2)
    here.repos["org/a"].load_fault = BROKEN if fault is BROKEN else None
    here.repos["org/a"].download_fault = CUT if fault is CUT else None
    told = Told(here)
    edit(here, a=entry("a"))
    run_until(here, "load" if fault is BROKEN else "download")
    here.end(next(iter(here.running)))
    here.step()
    failed = told.one("ActionFailed")
    assert (failed.kind, failed.subject) == ("Warning", "model/a")
    if fault is BROKEN:
        assert failed.message == "no such architecture"
        assert told.one("Stalled").data == {"reason": "UnsupportedArchitecture"}
    else:
        assert failed.data == {"action": "download:hf:org/a", "reason": "HubUnreachable"}
        assert "Stalled" not in [event.reason for event in told.events]


def test_a_death_is_told_once_and_so_is_that_nobody_answers() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    told = Told(here)
    here.kill(InstanceUid("a#1"))
    here.step()
    died = told.one("WorkerDied")
    assert (died.kind, died.subject, died.data["instance"]) == ("Warning", "model/a", "a#1")
    assert told.one("NotReady").kind == "Warning"
    told.take()
    here.settle()
    assert told.take("model/a") == ["Loading", "Loaded", "Ready"]


def test_a_worker_that_dies_while_it_loads_is_one_failure() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    run_until(here, "load")
    here.begin("load:a#1")
    here.step()
    told = Told(here)
    here.kill(InstanceUid("a#1"))
    here.step()
    here.step()
    reasons = told.take("model/a")
    assert reasons.count("ActionFailed") + reasons.count("WorkerDied") == 1


def test_who_is_not_admitted_is_told_with_the_numbers() -> None:
    here = world(a=10, b=12)
    told = Told(here)
    edit(here, a=entry("a"), b=entry("b"))
    here.settle()
    refused = told.one("NotAdmitted")
    assert (refused.kind, refused.subject) == ("Warning", "model/b")
    assert "needs 12.2 GiB" in refused.message
    assert refused.data == {"reason": "InsufficientMemory"}


def test_a_load_that_takes_more_than_was_reserved_is_told() -> None:
    here = world(a=4)
    here.repos["org/a"].factor = 1.5
    told = Told(here)
    edit(here, a=entry("a"))
    here.settle()
    wrong = told.one("EstimateWrong")
    assert wrong.kind == "Warning"
    assert wrong.message == "takes 6.2 GiB, 4.2 GiB were reserved"
    here.repos["org/a"].factor = 1.0
    edit(here, a=entry("a", context=1024))
    here.settle()
    assert told.one("EstimateWrong") is wrong


def test_a_refused_file_is_told_once_for_what_is_wrong() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    good = here.config
    told = Told(here)
    here.spoil()
    here.step()
    here.step()
    refused = told.one("ConfigRefused")
    assert (refused.kind, refused.subject, refused.message) == ("Warning", "document", "line 1")
    here.config = replace(here.config, message="line 2")
    here.step()
    assert told.take() == ["ConfigRefused", "ConfigRefused"]
    here.config = good
    here.step()
    assert told.take() == ["ConfigCurrent"]


NIGHT = {
    "timezone": "UTC",
    "schedules": {
        "night": {
            "when": [{"from": "22:00", "to": "06:00"}],
            "prefetch": "0s",
            "set": {"models": {"a": {"state": "loaded"}}},
        }
    },
}


def test_windows_open_and_close_and_say_what_is_not_ready() -> None:
    here = world(a=2)
    here.repos["org/a"].download_fault = CUT
    here.edit({"models": {"a": entry("a", "absent")}, **NIGHT})
    here.settle()
    told = Told(here)
    here.at = datetime(2026, 11, 20, 22, tzinfo=UTC)
    here.step()
    opened = [e for e in told.events if e.subject == "schedule/night"]
    assert [(e.kind, e.reason) for e in opened] == [
        ("Normal", "WindowOpened"),
        ("Warning", "WindowOpenedNotReady"),
    ]
    assert opened[1].data["model"] == "a"
    assert told.one("EpochChanged").message == "a is to be loaded (schedule/night), was absent"
    here.repos["org/a"].download_fault = None
    here.settle()
    told.take()
    here.at = datetime(2026, 11, 21, 6, tzinfo=UTC)
    here.step()
    assert "WindowClosed" in told.take("schedule/night")


def test_a_window_whose_files_are_there_opens_without_a_warning() -> None:
    here = world(a=2)
    here.edit({"models": {"a": entry("a", "downloaded")}, **NIGHT})
    here.settle()
    told = Told(here)
    here.at = datetime(2026, 11, 20, 22, tzinfo=UTC)
    here.step()
    assert told.take("schedule/night") == ["WindowOpened"]


@pytest.mark.parametrize(("seconds", "words"), [(3600.0, "ahead by 1h"), (-90.0, "back by 1m30s")])
def test_a_clock_that_jumps_is_told_and_doubted_for_ten_minutes(seconds: float, words: str) -> None:
    here = world(a=2)
    here.watch = None  # the rules would miss the pass that is made by hand
    here.step()
    decision = here.core.step(replace(here.seen(), stepped_s=seconds))
    (event,) = [e for e in decision.events if e.reason == "ClockStepped"]
    assert (event.kind, event.data) == ("Warning", {"seconds": seconds})
    assert words in event.message
    sane = decision.status.condition("ClockSane")
    assert sane is not None
    assert (sane.status, sane.reason) == ("False", "ClockStepped")
    assert words in sane.message
    here.sleep(599)
    assert here.step().status.condition("ClockSane").status == "False"  # type: ignore[union-attr]
    here.sleep(1)
    assert here.step().status.condition("ClockSane").status == "True"  # type: ignore[union-attr]


def test_a_clock_that_is_only_a_little_off_is_sane() -> None:
    here = world(a=2)
    decision = here.core.step(replace(here.seen(), stepped_s=4.9))
    assert "ClockStepped" not in [event.reason for event in decision.events]
    assert decision.status.condition("ClockSane").status == "True"  # type: ignore[union-attr]


def test_other_processes_press_until_there_is_room_again(monkeypatch: pytest.MonkeyPatch) -> None:
    here = world(a=2)
    told = Told(here)
    free = 16 * GIB
    plain = here.host()

    def host() -> HostView:
        return replace(plain, memory_free=free)

    monkeypatch.setattr(here, "host", host)
    said = []
    for free in (16 * GIB, GIB, GIB // 2, GIB, 2 * GIB, GIB):  # noqa: B007 - read by host()
        pressure = here.step().status.condition("MemoryPressure")
        assert pressure is not None
        said.append(f"{pressure.status} {pressure.reason}")
    fine, short = "False WithinBudget", "True OtherProcesses"
    assert said == [fine, fine, short, short, fine, fine]
    pressing = [e for e in told.events if e.reason.startswith("MemoryPressure")]
    assert [(e.kind, e.reason) for e in pressing] == [
        ("Warning", "MemoryPressure"),
        ("Normal", "MemoryPressureEnded"),
    ]


def test_the_first_pass_of_a_daemon_tells_what_is_wrong_and_not_what_was_so_before() -> None:
    here = world(a=2, b=20)
    edit(here, a=entry("a"), b=entry("b"))
    status = here.settle().status
    events = happened(None, status, Met())
    assert [(e.subject, e.reason) for e in events] == [
        ("daemon", "Started"),
        ("model/a", "Ready"),
        ("model/b", "NotAdmitted"),
        ("model/b", "Stalled"),
        ("daemon", "Converged"),
    ]


def test_requests_that_come_and_go_are_told_without_numbers_that_never_repeat() -> None:
    """What repeats has to be equal, so that it can be counted."""
    here = world(a=2)
    edit(here, a=entry("a", "on-demand", keep_alive="1m"))
    here.settle()
    rounds = []
    for _ in range(2):
        told = Told(here)
        here.request("a")
        here.settle()
        here.sleep(61)
        here.settle()
        rounds.append({(e.reason, e.subject, e.message) for e in told.events})
        here.watch = None
    assert rounds[0] == rounds[1]
    assert ModelKey("a") not in here.serving()


def test_an_edit_that_is_held_says_so_until_it_is_let_through() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.settle()
    told = Told(here)
    good = here.config
    held = HeldEdit("ab", "Held", "2 of 3 models would go; lmxd apply --confirm ab")
    here.config = replace(good, current=False, reason="Valid", message="valid", held=held)
    status = here.step().status
    current = status.condition("ConfigCurrent")
    assert current is not None
    assert (current.status, current.reason, current.message) == ("False", "Held", held.message)
    assert status.condition("ConfigValid").status == "True"  # type: ignore[union-attr]
    event = told.one("ConfigHeld")
    assert (event.kind, event.subject, event.message) == ("Warning", "document", held.message)
    crashed = replace(held, reason="RolledBackAfterCrash", message="it died three times")
    here.config = replace(here.config, held=crashed)
    here.step()
    here.config = good
    here.step()
    assert told.take() == ["ConfigHeld", "RolledBackAfterCrash", "ConfigCurrent"]


@pytest.mark.parametrize(
    ("writable", "reason", "status"),
    [
        (True, "Writable", "True"),
        (False, "DocumentLocked", "False"),
        (False, "NotLookedYet", "Unknown"),
    ],
)
def test_whether_the_api_can_write_is_told(writable: bool, reason: str, status: str) -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.config = replace(
        here.config, writable=writable, writable_reason=reason, writable_message="so it is"
    )
    found = here.step().status.condition("ApiWritable")
    assert found is not None
    assert (found.status, found.reason, found.message) == (status, reason, "so it is")
