"""`lmxd explain` in words, and what `lmxd status` adds about the clock: over statuses."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from lmxd.cli import explanation, status_view
from schemas.status import (
    Condition,
    DriftStatus,
    FailureStatus,
    ManagerStatus,
    MemoryStatus,
    NextStatus,
    RemovedStatus,
    ScheduleStatus,
    TargetStatus,
    TurnStatus,
)
from tests.cli.statuses import MIB, condition, daemon, model

NIGHT = ScheduleStatus(
    zone="Europe/Paris",
    active=("night",),
    next=NextStatus(
        "2026-11-21T05:00:00.000Z", "Sat 2026-11-21 06:00 Europe/Paris", "downloaded", "night"
    ),
    adjusted=("night: 2026-03-29 02:30 does not exist -> 03:00",),
)
TURN = TurnStatus(
    "2026-11-21T05:00:00.000Z", "Sat 2026-11-21 06:00 Europe/Paris", ("day",), ("night",)
)


def because(kind: str, status: str, reason: str, message: str) -> Condition:
    return Condition(kind, status, reason, message, 3, 5, "2026-01-01T00:00:00.000Z")  # type: ignore[arg-type]


def told(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def test_a_model_that_serves_says_who_wants_it_and_what_comes() -> None:
    found = model(
        target=TargetStatus("loaded", "schedule/night"),
        conditions=(
            because("Wanted", "True", "InWindow", "state is loaded, by schedule/night"),
            because("Admitted", "True", "WithinBudget", "needs 300 MiB of 4 GiB"),
            because("Downloaded", "True", "Verified", "revision abc"),
            because("Ready", "True", "Serving", "it answers"),
        ),
        schedule=NIGHT,
        managers={"/state": ManagerStatus("bot", "2026-11-20T12:00:00Z", None, "l1")},
    )
    assert told(explanation.of_model(found, daemon(found, next=TURN))) == "\n".join(
        [
            "tiny is Ready.",
            "  wanted          loaded, says the window night (state is loaded, by schedule/night)",
            "  files           yes: revision abc",
            "  memory          holds 256 MiB; yes: needs 300 MiB of 4 GiB",
            "  answers         yes: it answers",
            "  open windows    night",
            "  by the clock    Sat 2026-11-21 06:00 Europe/Paris: downloaded, by night",
            "  clocks change   night: 2026-03-29 02:30 does not exist -> 03:00",
            "  set by          /state: bot, lease l1, since 2026-11-20T12:00:00Z",
        ]
    )


def test_a_model_that_failed_says_why_what_helps_and_when_it_is_tried_again() -> None:
    gated = "hf:org/a is gated"
    found = model(
        summary="Stalled",
        conditions=(
            because("Ready", "False", "GatedRepo", gated),
            because("Stalled", "True", "GatedRepo", gated),
            because("Drifted", "True", "FilesChanged", "files are gone"),
        ),
        memory=MemoryStatus(300 * MIB, "estimate", 0, None, None, None),
        failure=FailureStatus("GatedRepo", gated, 2, None),
        drift=(DriftStatus("disk", "verified", "absent", "2026-11-20T12:00:00Z"),),
    )
    lines = told(explanation.of_model(found, daemon(found, next=TURN)))
    assert lines.count(gated) == 1
    assert lines.count("accept the terms of the model on the hub") == 1
    assert "  memory          would take 300 MiB (estimate); not known yet" in lines
    assert "  drifted         files are gone" in lines
    assert "  drifted         disk should be verified, found absent" in lines
    assert "  tries           2 failed, no more by itself" in lines
    assert "  by the clock    Sat 2026-11-21 06:00 Europe/Paris: day opens, night closes" in lines


def test_a_change_that_is_left_as_it_is_shows_in_the_status() -> None:
    away = DriftStatus("disk.files", "verified files", "no files", "2026-01-01")
    assert "files" in status_view.message_of(model(summary="Idle", drift=(away,)))
    assert status_view.message_of(model(summary="Idle")) == ""


def test_what_would_help_can_be_typed() -> None:
    still = because("Ready", "False", "Suspended", "the model is suspended")
    crashing = because("Ready", "False", "CrashLoop", "crashed")
    all_still = because("Suspended", "True", "Suspended", "suspend is true")
    of_one = told(explanation.of_model(model(conditions=(still,)), daemon()))
    of_all = daemon(conditions=(all_still,))
    assert "  would help      lmxd resume tiny" in of_one.splitlines()
    assert (
        "  would help      lmxd resume"
        in told(explanation.of_model(model(conditions=(still,)), of_all)).splitlines()
    )
    assert "lmxd retry tiny" in told(explanation.of_model(model(conditions=(crashing,)), daemon()))


def test_a_place_that_nobody_asks_for_is_no_riddle() -> None:
    idle = because("Admitted", "Unknown", "NotWanted", "state is downloaded")
    early = because("Admitted", "Unknown", "ProbePending", "the device is not known yet")
    lines = told(explanation.of_model(model(conditions=(idle,)), daemon()))
    assert "; no place is asked for: state is downloaded" in lines
    lines = told(explanation.of_model(model(conditions=(early,)), daemon()))
    assert "; not known yet: the device is not known yet" in lines


def test_the_next_try_is_told() -> None:
    failure = FailureStatus("HubUnreachable", "cut", 1, "2026-11-20T12:00:05Z")
    lines = told(explanation.of_model(model(summary="Failed", failure=failure), daemon()))
    assert "  tries           1 failed, the next is at 2026-11-20T12:00:05Z" in lines


def test_the_daemon_says_what_is_not_well_and_names_its_models() -> None:
    held = "2 of 3 models would go; confirm it: lmxd apply --confirm abc"
    whole = daemon(
        model("fine"),
        model("bad", summary="NotAdmitted"),
        windows=("day", "night"),
        leases=2,
        next=TURN,
        conditions=(
            condition("ConfigValid"),
            because("ConfigCurrent", "False", "Held", held),
            because("ApiWritable", "False", "DocumentLocked", "another daemon has it"),
            because("ClockSane", "Unknown", "NotObserved", "not yet"),
            because("Converged", "False", "Progressing", "1 step is left"),
        ),
    )
    lines = told(explanation.of_daemon(whole))
    assert lines.startswith("lmxd 0.1.0 is Healthy.\n  document        /d/desired-state.yaml, gen")
    assert f"  not well        ConfigCurrent=False: {held}" in lines
    assert "  converged       False: 1 step is left" in lines
    assert "  windows         open: day, night" in lines
    assert "  leases          2 hold" in lines
    assert "  by the clock    Sat 2026-11-21 06:00" in lines
    assert "  model/bad       NotAdmitted: bad is NotAdmitted" in lines
    assert "model/fine" not in lines
    assert "ClockSane" not in lines


@pytest.mark.parametrize(
    ("target", "words"),
    [("document", "the document"), ("demand", "a request"), ("lease/l1", "the lease l1")],
)
def test_layers_have_names_that_people_use(target: str, words: str) -> None:
    found = model(target=TargetStatus("loaded", target))
    assert f"loaded, says {words}" in told(explanation.of_model(found, daemon()))


def test_the_status_shows_windows_leases_held_edits_and_what_comes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    held = because("ConfigCurrent", "False", "Held", "2 of 3 models would go")
    status_view.print_all(
        daemon(model(), windows=("night",), leases=1, next=TURN, conditions=(held,))
    )
    out = capsys.readouterr().out.splitlines()
    assert out[1:5] == [
        "windows: night",
        "leases: 1",
        "next: Sat 2026-11-21 06:00 Europe/Paris: day opens, night closes",
        "ConfigCurrent=False: 2 of 3 models would go",
    ]
    status_view.print_all(daemon(model()))
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_the_status_of_a_model_shows_what_the_clock_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status_view.print_model(model(schedule=NIGHT))
    line = "  next      Sat 2026-11-21 06:00 Europe/Paris: downloaded (night)\n"
    assert line in capsys.readouterr().out


GONE = RemovedStatus(
    key="old",
    source="hf:org/old",
    since="2026-11-20T12:00:00.000Z",
    left="files",
    bytes=MIB,
    until=None,
    message="1 MiB of files stay: reconcile.prune_disk is false",
)


def test_what_is_left_of_a_removed_model_is_told_by_its_key_and_with_the_daemon(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = daemon(model(), removed=(GONE,))
    assert "  model/old       removed: 1 MiB of files stay" in told(explanation.of_daemon(found))
    assert list(explanation.of_removed(GONE)) == [
        "old was removed from the document.",
        "  source          hf:org/old",
        "  removed         2026-11-20T12:00:00.000Z",
        "  left of it      1 MiB of files stay: reconcile.prune_disk is false",
    ]
    status_view.print_all(found)
    line = "removed: old (hf:org/old): 1 MiB of files stay: reconcile.prune_disk is false"
    assert line in capsys.readouterr().out.splitlines()
