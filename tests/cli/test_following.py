"""`lmxd events`: streams cut anywhere, and what a follower of a real daemon is told."""

from __future__ import annotations

import asyncio
import io
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from lmxd.cli.app import execute
from lmxd.cli.following import Message, messages
from tests.kit.daemon import running

DEADLINE_S = 60
STREAM = (
    b'id: 3\nevent: Hello\ndata: {"stateId":"s","after":3}\n\n'
    b": heartbeat\nid: 4\n\n"
    b'id: 5\nevent: Normal\ndata: {"message":"a\xe2\x80\xa8b"}\n\n'
    b'event: Error\ndata: {"code":"gone"}\n\n'
    b"id: 6\nevent: cut"
)


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_stream_is_read_however_it_is_cut(size: int) -> None:
    chunks = [STREAM[at : at + size] for at in range(0, len(STREAM), size)]
    assert list(messages(chunks)) == [
        Message("Hello", b'{"stateId":"s","after":3}', 3),
        Message("message", b"", 4),
        Message("Normal", '{"message":"a\u2028b"}'.encode(), 5),
        Message("Error", b'{"code":"gone"}', None),
    ]


DOCUMENT = "version: 1\nmodels:\n  lost:\n    source: file:/nowhere/at/all\n    state: {state}\n"


class Follower:
    """`lmxd events --follow` in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def event(self, reason: str) -> dict[str, Any]:
        """The next event of that reason."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            async for line in self.process.stdout:
                found: dict[str, Any] = json.loads(line)
                if found["reason"] == reason:
                    return found
        raise AssertionError(f"the stream ended without {reason}")

    async def note(self, words: str) -> None:
        """Wait until this is said to the person."""
        assert self.process.stderr is not None
        async with asyncio.timeout(DEADLINE_S):
            async for line in self.process.stderr:
                if words in line.decode():
                    return
        raise AssertionError(f"it ended without a word of {words}")

    async def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return await asyncio.wait_for(self.process.wait(), DEADLINE_S)


@asynccontextmanager
async def following(url: str, *options: str) -> AsyncIterator[Follower]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lmxd", "events", "--follow", "-o", "json", "--url", url),
        *options,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Follower(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def run(*arguments: str) -> tuple[int, str]:
    out = io.StringIO()
    with redirect_stdout(out):
        code = execute(arguments)
    return code, out.getvalue()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


async def test_a_follower_sees_edits_and_restarts_and_is_told_what_it_may_have_missed(
    tmp_path: Path,
) -> None:
    document = tmp_path / "desired-state.yaml"
    document.write_text(DOCUMENT.format(state="loaded"))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with (
        running(document, tmp_path, "--listen", f"127.0.0.1:{port}") as daemon,
        following(url) as follower,
    ):
        started = await follower.event("Started")
        failed = await follower.event("ActionFailed")
        assert failed["subject"] == "model/lost"
        document.write_text(DOCUMENT.format(state="downloaded"))
        accepted = await follower.event("GenerationAccepted")
        assert (accepted["subject"], accepted["generation"]) == ("generation/2", 2)
        changed = await follower.event("EpochChanged")
        assert changed["message"] == "lost is to be downloaded (document), was loaded"
        assert changed["id"] > accepted["id"] > failed["id"] > started["id"]
        await daemon.stop()
        assert (await follower.event("Stopping"))["subject"] == "daemon"
        await follower.note("trying again")
        async with running(document, tmp_path, "--listen", f"127.0.0.1:{port}"):
            await follower.note("some events were missed")
            again = await follower.event("Started")
            assert again["id"] > changed["id"]
            assert again["message"].endswith("starts with generation 2")
            assert await follower.stop() == 0


async def test_events_are_listed_narrowed_and_explained(tmp_path: Path) -> None:
    document = tmp_path / "desired-state.yaml"
    document.write_text(DOCUMENT.format(state="loaded"))
    async with running(document, tmp_path) as daemon:
        async with following(daemon.url, "--subject", "model/lost", "--warnings") as follower:
            found = await follower.event("ActionFailed")
            assert found["kind"] == "Warning"
        code, out = await asyncio.to_thread(run, "events", "--url", daemon.url)
        assert code == 0
        lines = [line.split() for line in out.splitlines()]
        assert lines[0] == ["TIME", "KIND", "SUBJECT", "REASON", "MESSAGE"]
        assert lines[1][1:4] == ["Normal", "daemon", "Started"]
        code, out = await asyncio.to_thread(
            run, "events", "--subject", "model/lost", "-o", "json", "--url", daemon.url
        )
        listed = json.loads(out)
        assert {event["subject"] for event in listed["events"]} == {"model/lost"}
        last = str(listed["lastId"] + 5)
        code, out = await asyncio.to_thread(run, "events", "--after", last, "--url", daemon.url)
        assert (code, out) == (1, "")
        code, out = await asyncio.to_thread(run, "explain", "model/lost", "--url", daemon.url)
        assert code == 0
        assert "  wanted          loaded, says the document" in out
        assert "/nowhere/at/all" in out
        code, out = await asyncio.to_thread(run, "explain", "--url", daemon.url)
        assert "  model/lost      " in out
