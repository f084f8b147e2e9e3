"""What workers write, kept in lines."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from lmxd.supervisor.run_log import RunLog, Tail


async def test_the_last_forty_lines_are_kept() -> None:
    heard: list[str] = []
    tail = Tail(heard.append)
    tail.data_received("".join(f"line {n}\n" for n in range(100)).encode())
    assert len(heard) == 100
    assert tail.last == tuple(f"line {n}" for n in range(60, 100))


async def test_a_line_may_come_in_pieces_and_without_an_end() -> None:
    tail = Tail(lambda _: None)
    for piece in (b"h\xc3", b"\xa9llo\nun", b"finished"):
        tail.data_received(piece)
    tail.connection_lost(None)
    assert tail.last == ("héllo", "unfinished")
    assert tail.closed.done()


async def test_a_line_without_end_does_not_grow() -> None:
    tail = Tail(lambda _: None)
    for _ in range(100):
        tail.data_received(b"x" * 100_000)
    assert len(tail._partial) <= 2000
    tail.connection_lost(None)
    assert tail.last == ("x" * 500,)


async def test_lines_go_to_the_debug_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "lmxd.supervisor.run_log"):
        RunLog().write("worker 7 of m", 7, "hello")
    record = caplog.records[0]
    assert record.__dict__["line"] == "hello"
    assert record.__dict__["pid"] == 7


async def test_the_file_is_bounded(tmp_path: Path) -> None:
    """Twenty MiB are written; at most three files of 4 MiB stay, and they end with the newest."""
    run_log = RunLog(tmp_path / "logs")
    for n in range(40_000):
        run_log.write("worker 7 of m", 7, f"{n} {'x' * 490}")
    await asyncio.to_thread(run_log.close)
    files = list((tmp_path / "logs").iterdir())
    assert sum(file.stat().st_size for file in files) <= 3 * 4 * 1024 * 1024
    last = (tmp_path / "logs" / "workers.log").read_text().splitlines()[-1]
    assert "worker 7 of m: 39999 " in last
