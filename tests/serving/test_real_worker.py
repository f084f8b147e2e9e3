"""Pool and gate over the real worker and MLX: what the scripted one is a stand-in for."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from lmxd.supervisor.limits import WatchLimits
from lmxd.supervisor.supervisor import WORKER_COMMAND
from reconciler.actions import Promote
from reconciler.state import InstancePhase, InstanceUid, ModelKey
from schemas.errors import ActionError, Code, RequestError
from schemas.inference import Failed, Sampling, Text, Usage
from tests.kit import tiny
from tests.kit.stage import Stage, events, load_action, request, routes, stage, target, text

M = ModelKey("m")
GREEDY = Sampling(temperature=0.0)
# Imports take seconds, and many times that on a machine with other work.
REAL = WatchLimits(stop_s=10.0)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.make(tmp_path / "tiny", says=("Hel", "lo", "!"))


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Stage]:
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    async with stage(command=WORKER_COMMAND, limits=REAL, environ=environ) as play:
        play.gate.publish(routes(target("m")))
        yield play


async def load(play: Stage, path: Path, uid: str = "m") -> None:
    await play.pool.load(load_action("m", uid, script="", path=str(path)))
    play.pool.promote(Promote(M, InstanceUid(uid)))


async def test_the_spare_loads_answers_is_cancelled_and_goes(play: Stage, model: Path) -> None:
    play.pool.want_spare(True)
    assert play.supervisor._starting is not None
    await play.supervisor._starting
    spare = play.supervisor.spare
    assert spare is not None
    play.supervisor._wanted = False  # one at a time: the imports are heavy
    await load(play, model)
    assert play.pid("m") == spare.pid
    view = play.view("m")
    assert view is not None
    assert view.measured is not None
    assert view.measured > 1 << 20

    got = await events(play.gate.submit(request("m", "hi", sampling=GREEDY)))
    assert text(got) == "Hello!"
    assert isinstance(got[-1], Usage)

    endless = play.gate.submit(request("m", "x y z", sampling=Sampling(temperature=1.5)))
    await endless.accepted()
    await endless.aclose()
    await play.until(lambda: not play.pool._instances[InstanceUid("m")]._claims)

    with pytest.raises(RequestError) as caught:
        await play.gate.submit(request("m", "word " * 5000)).accepted()
    assert caught.value.code is Code.CONTEXT_LENGTH_EXCEEDED

    pid = play.pid("m")
    await play.drain("m", 30.0)
    await play.unload("m")
    assert not psutil.pid_exists(pid)


async def test_killed_in_the_middle_it_fails_what_was_read_and_loads_again(
    play: Stage, tmp_path: Path
) -> None:
    path = tiny.make(tmp_path / "loop", says=("again ", "and "), loop=True, context=4096)
    await load(play, path, "m1")
    stream = play.gate.submit(request("m", "go", sampling=GREEDY))
    await stream.accepted()
    assert isinstance(await anext(stream), Text)
    os.kill(play.pid("m1"), signal.SIGKILL)
    assert isinstance((await events(stream))[-1], Failed)
    await play.until(lambda: any(v.phase is InstancePhase.DEAD for v in play.pool.snapshot()))
    await load(play, path, "m2")
    again = play.gate.submit(request("m", "go", sampling=GREEDY, max_tokens=4))
    assert text(await events(again))


async def test_a_folder_that_is_no_model_is_a_load_that_failed(play: Stage, tmp_path: Path) -> None:
    with pytest.raises(ActionError) as caught:
        await asyncio.wait_for(load(play, tmp_path), 60)
    assert caught.value.reason == "UnverifiedFiles"
    assert play.pool.snapshot() == ()
