"""One worker process: its load, its end, and what is told of it. Real processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from lmxd.supervisor.supervisor import Supervisor
from lmxd.supervisor.worker import Worker
from reconciler.state import ExitReport
from schemas.errors import ActionError
from schemas.frames import Limits, Load, Loaded
from schemas.inference import Event, Finish, Text
from tests.kit.stage import PATIENCE_S, QUICK, SCRIPTED, request

Start = Callable[..., Supervisor]


class Ears:
    """A tenant that keeps what it hears."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[Event] = asyncio.Queue()

    def on_events(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self.events.put_nowait(event)

    def on_writable(self) -> None:
        pass


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    started: list[Supervisor] = []

    def _start(*options: str, limits: object = QUICK) -> Supervisor:
        clock = asyncio.get_running_loop().time
        command = (*SCRIPTED, *options)
        supervisor = Supervisor({}, clock, command=command, limits=limits)  # type: ignore[arg-type]
        started.append(supervisor)
        return supervisor

    yield _start
    for supervisor in started:
        await supervisor.close()


async def load(worker: Worker, script: str, ears: Ears | None = None, **more: float) -> Loaded:
    frame = Load("u1", "/model", "mlx", "chat", Limits(64, 1, 1), {"script": script})
    return await worker.load(frame, more.get("timeout_s", 60.0), ears or Ears())


async def end_of(worker: Worker) -> ExitReport | None:
    return await asyncio.wait_for(asyncio.shield(worker.ended), PATIENCE_S)


async def test_loads_answers_and_stops(start: Start) -> None:
    worker, ears = await start().take(), Ears()
    assert not worker.serving
    loaded = await load(worker, "ok", ears)
    assert (loaded.context, worker.progress, worker.serving) == (64, (1, 2), True)
    worker.submit(request("m", "say hi"))
    heard = [await ears.events.get() for _ in range(4)]
    assert isinstance(heard[1], Text)
    assert isinstance(heard[2], Finish)
    await worker.stop()
    assert await end_of(worker) is None
    assert not psutil.pid_exists(worker.pid)


async def test_a_worker_has_its_own_session(start: Start) -> None:
    """So that a terminal's Ctrl-C reaches the daemon only."""
    worker = await start().take()
    assert os.getsid(worker.pid) == worker.pid


@pytest.mark.parametrize(
    ("script", "reason", "words"),
    [
        ("fail OutOfMemory", "OutOfMemory", "scripted OutOfMemory"),
        ("die", "WorkerCrashed", "SIGKILL (out of memory?); it last wrote:\n  script die"),
    ],
)
async def test_a_load_that_fails_says_why(
    start: Start, script: str, reason: str, words: str
) -> None:
    worker = await start().take()
    with pytest.raises(ActionError) as caught:
        await load(worker, script)
    assert caught.value.reason == reason
    assert words in caught.value.message
    await end_of(worker)


async def test_a_load_over_its_time_is_hung(start: Start) -> None:
    worker = await start().take()
    with pytest.raises(ActionError, match=r"load for .* \(limit 0.2 s\)") as caught:
        await load(worker, "hold", timeout_s=0.2)
    assert caught.value.reason == "WorkerHung"


async def test_a_worker_that_never_begins_to_load_is_hung(start: Start) -> None:
    """It beats and says `idle`, so no phase is over its limit; the whole load still has one."""
    worker = await start("--idle-load", limits=replace(QUICK, warm_up_s=0.3)).take()
    with pytest.raises(ActionError) as caught:
        await load(worker, "hold", timeout_s=0.3)
    assert caught.value.reason == "WorkerHung"


async def test_silence_while_loading_is_hung(start: Start) -> None:
    worker = await start(limits=replace(QUICK, beat_s=0.5)).take()
    with pytest.raises(ActionError, match="no beat for") as caught:
        await load(worker, "mute")
    assert caught.value.reason == "WorkerHung"


async def test_silence_before_hello_is_hung(start: Start) -> None:
    worker = await start("--mute", limits=replace(QUICK, hello_s=0.5)).take()
    with pytest.raises(ActionError, match="last in start"):
        await load(worker, "ok")


@pytest.mark.parametrize("phase", ["prefill", "decode"])
async def test_a_phase_that_never_ends_is_hung(start: Start, phase: str) -> None:
    limits = replace(QUICK, prefill_s=0.3, decode_s=0.3)
    worker = await start(limits=limits).take()
    await load(worker, "ok")
    worker.submit(request("m", f"stick {phase}"))
    told = await end_of(worker)
    assert told is not None
    assert told.reason == "WorkerHung"
    assert f"{phase} for " in told.message


async def test_another_protocol_is_terminal(start: Start) -> None:
    worker = await start("--say-protocol", "9").take()
    with pytest.raises(ActionError, match="speaks protocol 9") as caught:
        await load(worker, "ok")
    assert (caught.value.reason, caught.value.terminal) == ("ProtocolMismatch", True)


@pytest.mark.parametrize(("number", "name"), [(signal.SIGSEGV, "SIGSEGV"), (9, "SIGKILL")])
async def test_a_signal_from_elsewhere_is_a_crash(start: Start, number: int, name: str) -> None:
    worker = await start().take()
    await load(worker, "ok")
    os.kill(worker.pid, number)
    told = await end_of(worker)
    assert told is not None
    assert told.reason == "WorkerCrashed"
    assert name in told.message
    assert not worker.serving


async def test_a_kill_of_the_daemon_is_no_crash(start: Start) -> None:
    worker = await start().take()
    await load(worker, "ok")
    worker.kill()
    assert await end_of(worker) is None


async def test_a_worker_that_ignores_stop_and_sigterm_is_killed(start: Start) -> None:
    worker = await start(limits=replace(QUICK, stop_s=0.2, terminate_s=0.2)).take()
    await load(worker, "slow-end")
    await asyncio.wait_for(worker.stop(), PATIENCE_S)
    assert await end_of(worker) is None
    assert not psutil.pid_exists(worker.pid)


async def test_a_stop_that_is_cancelled_kills(start: Start) -> None:
    worker = await start(limits=replace(QUICK, stop_s=1e6)).take()
    await load(worker, "slow-end")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await worker.stop()
    assert await end_of(worker) is None
    assert not psutil.pid_exists(worker.pid)


async def test_workers_end_when_the_daemon_is_killed(tmp_path: Path) -> None:
    """The parent has no chance to clean up; the socket's end is enough."""
    program = (
        "import asyncio, sys\n"
        "from lmxd.supervisor.supervisor import Supervisor\n"
        "async def main():\n"
        "    clock = asyncio.get_running_loop().time\n"
        "    supervisor = Supervisor({}, clock, command=sys.argv[1:])\n"
        "    print((await supervisor.take()).pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, *SCRIPTED, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    orphan = psutil.Process(int(await asyncio.wait_for(parent.stdout.readline(), PATIENCE_S)))
    parent.kill()
    await parent.wait()
    gone, alive = await asyncio.to_thread(psutil.wait_procs, [orphan], timeout=PATIENCE_S)
    assert (len(gone), alive) == (1, [])
