"""The device is asked once a boot, in a process of its own, and the answer is kept."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

from lmxd.host.probe import Probe
from lmxd.statefolder import StateFolder


def folder(path: Path) -> StateFolder:
    return StateFolder(path, now=lambda: datetime(2026, 1, 1, tzinfo=UTC))


async def test_the_real_device_is_found(tmp_path: Path) -> None:
    pokes: list[None] = []
    with folder(tmp_path) as state:
        probe = Probe(state, lambda: pokes.append(None))
        await probe.run()
        assert probe.answer is not None
        assert probe.answer.kind in {"cpu", "metal", "cuda"}
        assert probe.answer.memory > 2**28
    assert pokes


async def test_the_answer_is_kept_for_the_boot(tmp_path: Path) -> None:
    """A second probe does not start its process at all."""
    with folder(tmp_path) as state:
        await Probe(state, lambda: None).run()
        second = Probe(state, lambda: None, command=("/no/such/program",))
        await second.run()
        assert second.answer is not None
        body = state.read("probe")
        assert body is not None
        state.write("probe", {**body, "stamp": {"boot": "another"}})
        third = Probe(state, lambda: None)
        await third.run()
        assert third.answer == second.answer
        assert (state.read("probe") or {})["stamp"] != {"boot": "another"}


async def test_a_probe_that_fails_says_why_and_is_tried_again(tmp_path: Path) -> None:
    """The error names the last line; the next try may succeed."""
    flag = tmp_path / "second"
    script = (
        "import pathlib, sys\n"
        f"flag = pathlib.Path({str(flag)!r})\n"
        "if flag.exists():\n"
        '    print(\'{"kind":"cpu","name":"x","memory":1000,"recommended":null,"versions":{}}\')\n'
        "else:\n"
        "    flag.touch()\n"
        "    sys.exit('no device today')\n"
    )
    errors: list[str | None] = []
    with folder(tmp_path / "state") as state:
        probe = Probe(
            state,
            lambda: errors.append(probe.error),
            command=(sys.executable, "-c", script),
            retry_s=0.0,
        )
        await asyncio.wait_for(probe.run(), 60)
        assert probe.answer is not None
    assert errors[0] is not None
    assert "no device today" in errors[0]
    assert errors[-1] is None
