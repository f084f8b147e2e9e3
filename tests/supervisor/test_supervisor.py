"""Who gets which worker, and when there is a spare. Real processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psutil
import pytest

from lmxd.supervisor.supervisor import Supervisor
from lmxd.supervisor.worker import Worker
from schemas.errors import ActionError
from schemas.frames import Limits, Load
from schemas.inference import Event
from tests.kit.stage import PATIENCE_S, QUICK, SCRIPTED


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead


class Deaf:
    def on_events(self, events: tuple[Event, ...]) -> None:
        pass

    def on_writable(self) -> None:
        pass


@pytest.fixture
async def clock() -> Clock:
    return Clock()


@pytest.fixture
async def supervisor(clock: Clock) -> AsyncIterator[Supervisor]:
    supervisor = Supervisor({}, clock, command=SCRIPTED, limits=QUICK)
    yield supervisor
    await supervisor.close()


async def spare(supervisor: Supervisor) -> Worker:
    """The spare, once its process is started."""
    if supervisor._starting is not None:
        await asyncio.wait_for(asyncio.shield(supervisor._starting), PATIENCE_S)
    assert supervisor.spare is not None
    return supervisor.spare


async def load(worker: Worker, script: str = "ok") -> None:
    frame = Load("u1", "/model", "mlx", "chat", Limits(64, 1, 1), {"script": script})
    await worker.load(frame, 60.0, Deaf())


async def test_there_is_no_spare_unless_wanted(supervisor: Supervisor) -> None:
    await load(await supervisor.take())
    assert supervisor.spare is None
    assert supervisor._starting is None


async def test_the_spare_is_taken_and_replaced_after_the_load(supervisor: Supervisor) -> None:
    supervisor.want_spare(True)
    first = await spare(supervisor)
    assert await supervisor.take() is first
    supervisor.want_spare(True)
    assert supervisor._starting is None, "its imports must not compete with a running load"
    await load(first)
    await asyncio.wait_for(first.settled, PATIENCE_S)
    assert (await spare(supervisor)).pid != first.pid


async def test_a_failed_load_is_replaced_too(supervisor: Supervisor) -> None:
    supervisor.want_spare(True)
    await spare(supervisor)
    taken = await supervisor.take()
    with pytest.raises(ActionError):
        await load(taken, "fail LoadFailed")
    await spare(supervisor)


async def test_a_spare_not_wanted_any_more_ends(supervisor: Supervisor) -> None:
    supervisor.want_spare(True)
    worker = await spare(supervisor)
    supervisor.want_spare(False)
    assert await asyncio.wait_for(worker.ended, PATIENCE_S) is None
    assert supervisor.spare is None


async def test_a_spare_that_starts_when_it_is_not_wanted_any_more_ends(
    supervisor: Supervisor,
) -> None:
    supervisor.want_spare(True)
    supervisor.want_spare(False)
    assert supervisor._starting is not None
    await supervisor._starting
    assert supervisor.spare is None
    await supervisor.close()
    assert supervisor._workers == set()


async def test_a_dead_spare_is_not_given_out_and_tried_again_later(
    supervisor: Supervisor, clock: Clock
) -> None:
    supervisor.want_spare(True)
    dead = await spare(supervisor)
    psutil.Process(dead.pid).kill()
    assert await asyncio.wait_for(dead.ended, PATIENCE_S) is not None
    supervisor.want_spare(True)
    assert supervisor._starting is None, "a spare that dies at once must not be started in a loop"
    assert (await supervisor.take()).pid != dead.pid
    clock.ahead = 31.0
    await load(next(iter(supervisor._loading)))
    supervisor.want_spare(True)
    await spare(supervisor)


async def test_a_command_that_cannot_start_is_an_action_error(clock: Clock) -> None:
    supervisor = Supervisor({}, clock, command=("/no/such/program",))
    with pytest.raises(ActionError, match="cannot be started"):
        await supervisor.take()
    supervisor.want_spare(True)
    assert supervisor._starting is not None
    await supervisor._starting
    assert supervisor.spare is None
    await supervisor.close()


async def test_close_ends_everything(supervisor: Supervisor) -> None:
    supervisor.want_spare(True)
    pids = [(await spare(supervisor)).pid, (await supervisor.take()).pid]
    loaded = await supervisor.take()
    await load(loaded)
    await supervisor.close()
    assert not any(psutil.pid_exists(pid) for pid in (*pids, loaded.pid))
    with pytest.raises(ActionError, match="shutting down"):
        await supervisor.take()
