"""The machine: memory within a container's limits, disk of a folder that is not there yet."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import psutil

from lmxd.host.clock import SystemClock
from lmxd.host.machine import Machine
from lmxd.host.memory import total_memory
from lmxd.host.probe import Probe
from lmxd.statefolder import StateFolder
from schemas.frames import Device


def test_a_container_limit_counts_when_it_is_lower(tmp_path: Path) -> None:
    machine = int(psutil.virtual_memory().total)
    limit = tmp_path / "memory.max"
    assert total_memory((limit,)) == machine
    limit.write_text("max\n")
    assert total_memory((limit,)) == machine
    limit.write_text("1048576\n")
    assert total_memory((limit,)) == 1048576
    limit.write_text(f"{machine * 4}\n")
    assert total_memory((limit,)) == machine


def test_clocks() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    assert clock.monotonic() <= clock.monotonic()


async def test_the_view_has_what_the_probe_recommends(tmp_path: Path) -> None:
    """Disk of the nearest folder that exists, the device's recommendation, and set-aside files."""
    place = tmp_path / "state"
    place.mkdir()
    (place / "ledger.json").write_text("{ not json")
    with StateFolder(place, now=lambda: datetime(2026, 1, 1, tzinfo=UTC)) as state:
        assert state.read("ledger") is None
        probe = Probe(state, lambda: None)

        async def ours() -> int:
            return 42

        machine = Machine(tmp_path / "not" / "yet", probe, ours, state)
        before = await machine.observe()
        assert before.device is None
        assert before.disk_ours == 42
        assert before.disk_free > 0
        assert "ledger.json" in before.set_aside[0]
        probe.answer = Device("metal", "M9", 64 * 2**30, 48 * 2**30, {})
        after = await machine.observe()
        assert after.device is not None
        assert after.device.memory == 48 * 2**30
