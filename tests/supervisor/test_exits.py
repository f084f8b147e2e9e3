"""How the end of a worker is told."""

from __future__ import annotations

import pytest

from lmxd.supervisor.exits import Ending, report
from lmxd.supervisor.watch import Hang
from schemas.frames import LoadFailed

HANG = Hang("decode", 31.0, 30.0, silent=False)


@pytest.mark.parametrize(
    ("ending", "reason", "words"),
    [
        (Ending(-9), "WorkerCrashed", "was killed by SIGKILL (out of memory?)"),
        (Ending(-11), "WorkerCrashed", "was killed by SIGSEGV"),
        (Ending(-255), "WorkerCrashed", "was killed by signal 255"),
        (Ending(0), "WorkerCrashed", "ended by itself (exit code 0)"),
        (Ending(1), "WorkerCrashed", "ended with exit code 1"),
        (Ending(2), "LoadFailed", "did not say why"),
        (Ending(4), "WorkerCrashed", "lost its connection"),
        (Ending(5), "WorkerCrashed", "fatal error of its engine"),
        (Ending(-9, broken="bad frame"), "WorkerCrashed", "connection broke: bad frame"),
        (Ending(-9, hang=HANG), "WorkerHung", "decode for 31.0 s (limit 30 s)"),
        (Ending(2, load_failed=LoadFailed("OutOfMemory", "needs 2")), "OutOfMemory", "needs 2"),
        (Ending(0, told=True, load_failed=LoadFailed("LoadFailed", "no")), "LoadFailed", "no"),
    ],
)
def test_reason_and_sentence(ending: Ending, reason: str, words: str) -> None:
    told = report("worker 7 of m", ending)
    assert told is not None
    assert told.reason == reason
    assert words in told.message
    assert not told.terminal


@pytest.mark.parametrize(
    ("ending", "killed"),
    [
        (Ending(-9), True),
        (Ending(-15), True),
        (Ending(-2), True),
        (Ending(-11), False),
        (Ending(9), False),
        (Ending(-9, broken="bad frame"), False),
        (Ending(-9, hang=HANG), False),
        (Ending(-9, load_failed=LoadFailed("OutOfMemory", "needs 2")), False),
    ],
)
def test_a_signal_from_outside_is_told_from_a_crash(ending: Ending, killed: bool) -> None:
    told = report("worker 7 of m", ending)
    assert told is not None
    assert told.killed is killed


@pytest.mark.parametrize("code", [0, -9, -15, 1])
def test_an_end_the_daemon_wanted_is_no_failure(code: int) -> None:
    assert report("worker 7", Ending(code, told=True)) is None


@pytest.mark.parametrize("ending", [Ending(3), Ending(-9, protocol=2)])
def test_another_protocol_needs_another_version(ending: Ending) -> None:
    told = report("worker 7", ending)
    assert told is not None
    assert (told.reason, told.terminal) == ("ProtocolMismatch", True)


@pytest.mark.parametrize("terminal", [True, False])
def test_the_worker_says_whether_only_an_edit_helps(*, terminal: bool) -> None:
    told = report("w", Ending(2, load_failed=LoadFailed("LoadFailed", "no such", terminal)))
    assert told is not None
    assert told.terminal is terminal


def test_the_last_lines_are_told() -> None:
    told = report("worker 7", Ending(1, lines=("one", "two")))
    assert told is not None
    assert told.message.endswith("it last wrote:\n  one\n  two")
