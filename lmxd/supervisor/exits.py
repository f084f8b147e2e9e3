"""Turns the way a worker ended into the report that becomes a condition. Pure."""

from __future__ import annotations

import signal
from dataclasses import dataclass, replace

from lmxd.supervisor.watch import Hang
from reconciler.state import ExitReport
from schemas.frames import (
    EXIT_FATAL,
    EXIT_LOAD_FAILED,
    EXIT_PARENT_GONE,
    EXIT_PROTOCOL,
    PROTOCOL,
    LoadFailed,
)

__all__ = ["Ending", "report"]

KILLS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
"""Signals that come from outside: of people, of other programs, of a kernel that lacks memory."""


@dataclass(frozen=True, slots=True)
class Ending:
    """Everything known when a worker's process is gone.

    code: as asyncio gives it, negative for a signal. told: the daemon asked it to end, or killed
    it on purpose. protocol: the number its hello named. broken: why its connection was given up.
    lines: the last lines it wrote.
    """

    code: int
    told: bool = False
    hang: Hang | None = None
    load_failed: LoadFailed | None = None
    protocol: int = PROTOCOL
    broken: str | None = None
    lines: tuple[str, ...] = ()


def report(who: str, ending: Ending) -> ExitReport | None:
    """Why worker `who` ended, or None when that was wanted. The first that applies:

    1 it hung and was killed for it; 2 it speaks another protocol; 3 its load failed;
    4 the daemon ended it; 5 it crashed.
    """
    if ending.hang is not None:  # 1
        return _report("WorkerHung", f"{who} hung and was killed: {ending.hang}", ending)
    if ending.protocol != PROTOCOL or ending.code == EXIT_PROTOCOL:  # 2
        theirs = "another" if ending.protocol == PROTOCOL else str(ending.protocol)
        message = f"{who} speaks protocol {theirs}, the daemon {PROTOCOL}; reinstall lmxd"
        return ExitReport("ProtocolMismatch", message, terminal=True)
    if ending.load_failed is not None:  # 3
        failed = ending.load_failed
        return ExitReport(failed.code, failed.message, terminal=failed.terminal)
    if ending.told:  # 4
        return None
    if ending.code == EXIT_LOAD_FAILED:
        return _report("LoadFailed", f"{who} could not load and did not say why", ending)
    crashed = _report("WorkerCrashed", f"{who} {_manner(ending)}", ending)  # 5
    return replace(crashed, killed=ending.broken is None and -ending.code in KILLS)


def _manner(ending: Ending) -> str:
    if ending.broken is not None:
        return f"was killed because its connection broke: {ending.broken}"
    if ending.code < 0:
        name = _signal_name(-ending.code)
        return f"was killed by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    match ending.code:
        case 0:
            return "ended by itself (exit code 0)"
        case code if code == EXIT_PARENT_GONE:
            return f"lost its connection to the daemon (exit code {code})"
        case code if code == EXIT_FATAL:
            return f"met a fatal error of its engine (exit code {code})"
        case code:
            return f"ended with exit code {code}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _report(reason: str, sentence: str, ending: Ending) -> ExitReport:
    tail = "".join(f"\n  {line}" for line in ending.lines)
    return ExitReport(reason, f"{sentence}; it last wrote:{tail}" if tail else sentence)
