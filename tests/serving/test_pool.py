"""The life of instances: load, promote, drain, unload. Real processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psutil
import pytest

from reconciler.actions import Unload
from reconciler.state import InstancePhase, InstanceUid, ModelKey
from schemas.errors import ActionError
from schemas.inference import Failed, Finish
from tests.kit.stage import PATIENCE_S, Stage, events, load_action, request, routes, stage, target


@pytest.fixture
async def play() -> AsyncIterator[Stage]:
    async with stage() as play:
        play.gate.publish(routes(target("m"), target("n")))
        yield play


def phase(play: Stage, uid: str) -> InstancePhase | None:
    view = play.view(uid)
    return view.phase if view else None


async def test_a_loaded_instance_is_ready_and_measured(play: Stage) -> None:
    clock = asyncio.get_running_loop().time
    begun = clock()
    await play.load("m", promote=False)
    view = play.view("m")
    assert view is not None
    assert (view.phase, view.measured) == (InstancePhase.READY, 4096)
    assert view.load_s is not None
    assert 0 < view.load_s <= clock() - begun
    assert view.load_s != 0.25  # what the worker says, which began to count when it ran
    assert (view.reserved, view.context, view.kv_bytes) == (1000, 256, 1 << 20)
    assert not play.pool.resident(ModelKey("m"))


async def test_progress_is_seen_and_cancelling_a_load_ends_its_worker(play: Stage) -> None:
    loading = asyncio.create_task(play.pool.load(load_action("m", "m", "hold")))
    async with asyncio.timeout(PATIENCE_S):
        while (view := play.view("m")) is None or view.progress is None:
            await asyncio.wait({loading}, timeout=0.01)
    assert (view.phase, view.progress) == (InstancePhase.LOADING, (1, 2))
    pid = play.pid("m")
    loading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await loading
    assert play.pool.snapshot() == ()
    assert not psutil.pid_exists(pid)


@pytest.mark.parametrize(
    ("script", "reason"), [("fail OutOfMemory", "OutOfMemory"), ("die", "WorkerCrashed")]
)
async def test_a_failed_load_leaves_nothing(play: Stage, script: str, reason: str) -> None:
    with pytest.raises(ActionError) as caught:
        await play.pool.load(load_action("m", "m", script))
    assert caught.value.reason == reason
    assert play.pool.snapshot() == ()


async def test_loading_a_uid_again_is_nothing(play: Stage) -> None:
    await play.load("m")
    pid = play.pid("m")
    await play.pool.load(load_action("m", "m"))
    assert play.pid("m") == pid


async def test_the_newly_promoted_answers_and_the_old_keeps_its_claims(play: Stage) -> None:
    await play.load("m", "m1")
    running = play.gate.submit(request("m", "hold a"))
    await running.accepted()
    await play.load("m", "m2")
    assert (phase(play, "m1"), phase(play, "m2")) == (InstancePhase.READY, InstancePhase.CURRENT)
    assert await play.ask("m", "say new") == "new "
    old = play.view("m1")
    assert old is not None
    assert old.in_flight == 1
    assert not running.over
    await running.aclose()


async def test_stale_actions_have_no_effect(play: Stage) -> None:
    await play.load("m")
    play.promote("m", "gone")
    await play.drain("m", 0.0, "gone")
    await play.unload("m", "gone")
    play.pool.forget(InstanceUid("gone"))
    play.pool.forget(InstanceUid("m"))
    await play.unload("m")  # it was not drained
    assert phase(play, "m") is InstancePhase.CURRENT
    assert await play.ask("m", "say still") == "still "


async def test_unload_waits_until_the_process_is_gone(play: Stage) -> None:
    await play.load("m")
    pid = play.pid("m")
    await play.drain("m", 0.0)
    assert phase(play, "m") is InstancePhase.DRAINED
    await play.unload("m")
    assert not psutil.pid_exists(pid)
    assert play.pool.snapshot() == ()
    await play.unload("m")


async def test_a_cancelled_unload_goes_on(play: Stage) -> None:
    await play.pool.load(load_action("m", "m", "slow-end"))
    pid = play.pid("m")
    action = Unload(ModelKey("m"), InstanceUid("m"), 1000)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await play.pool.unload(action)
    assert phase(play, "m") is InstancePhase.STOPPING
    await play.pool.unload(action)
    assert not psutil.pid_exists(pid)


async def test_a_drain_ends_when_the_last_running_request_ends(play: Stage) -> None:
    await play.load("m")
    running = play.gate.submit(request("m", "hold a"))
    releasing = play.gate.submit(request("m", "withhold"))
    await running.accepted()
    draining = play.drain("m", float("inf"))
    await play.until(lambda: phase(play, "m") is InstancePhase.DRAINING)
    await releasing.aclose()
    play.pool._instances[InstanceUid("m")].worker.submit(request("m", "release"))  # type: ignore[union-attr]
    await asyncio.wait_for(draining, PATIENCE_S)
    assert [type(event) for event in await events(running)][-2] is Finish
    assert phase(play, "m") is InstancePhase.DRAINED


async def test_a_draining_instance_takes_nothing_new(play: Stage) -> None:
    await play.load("m")
    running = play.gate.submit(request("m", "hold a"))
    draining = play.drain("m", float("inf"))
    await play.until(lambda: phase(play, "m") is InstancePhase.DRAINING)
    waiting = play.gate.submit(request("m", "say later"))
    assert (play.gate.queued, waiting.served) == (1, None)
    await running.aclose()
    await asyncio.wait_for(draining, PATIENCE_S)
    await play.load("m", "m2")
    assert len(await events(waiting)) == 3


async def test_at_the_deadline_the_rest_fails_with_model_draining(play: Stage) -> None:
    await play.load("m")
    running = play.gate.submit(request("m", "hold a"))
    await running.accepted()
    await asyncio.wait_for(play.drain("m", 0.05), PATIENCE_S)
    last = (await events(running))[-1]
    assert isinstance(last, Failed)
    assert (last.code, last.retryable) == ("model_draining", True)
    view = play.view("m")
    assert view is not None
    assert (view.phase, view.in_flight, view.drain_left_s) == (InstancePhase.DRAINED, 0, None)


async def test_a_cancelled_drain_makes_it_current_again(play: Stage) -> None:
    await play.load("m")
    running = play.gate.submit(request("m", "hold a"))
    draining = play.drain("m", float("inf"))
    await play.until(lambda: phase(play, "m") is InstancePhase.DRAINING)
    waiting = play.gate.submit(request("m", "say again"))
    draining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await draining
    assert phase(play, "m") is InstancePhase.CURRENT
    assert len(await events(waiting)) == 3
    assert not running.over
    await running.aclose()


async def test_a_cancelled_drain_does_not_displace_the_new_one(play: Stage) -> None:
    await play.load("m", "m1")
    running = play.gate.submit(request("m", "hold a"))
    await play.load("m", "m2")
    draining = play.drain("m", float("inf"), "m1")
    await play.until(lambda: phase(play, "m1") is InstancePhase.DRAINING)
    draining.cancel()
    with pytest.raises(asyncio.CancelledError):
        await draining
    assert (phase(play, "m1"), phase(play, "m2")) == (InstancePhase.READY, InstancePhase.CURRENT)
    await running.aclose()


async def test_a_drained_instance_can_be_promoted_again(play: Stage) -> None:
    await play.load("m")
    await play.drain("m", 0.0)
    play.promote("m")
    assert await play.ask("m", "say back") == "back "


async def test_close_lets_running_requests_finish_and_then_fails_them() -> None:
    async with stage() as play:
        play.gate.publish(routes(target("m")))
        await play.load("m")
        running = play.gate.submit(request("m", "hold a"))
        await running.accepted()
        pid = play.pid("m")
        play.gate.close()
        await play.pool.close(grace_s=0.05)
        last = (await events(running))[-1]
        assert isinstance(last, Failed)
        assert last.code == "shutting_down"
        assert not psutil.pid_exists(pid)
        assert play.pool.snapshot() == ()
