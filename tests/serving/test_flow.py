"""Bounds, fairness, demand and switching. Real processes."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from lmxd.serving.generation import Generation
from lmxd.supervisor.limits import WatchLimits
from reconciler.limits import FlowLimits
from reconciler.state import Live, ModelKey
from schemas.errors import Code, RequestError
from schemas.inference import Failed
from tests.kit.stage import PATIENCE_S, Stage, events, request, routes, stage, target, text

M = ModelKey("m")


@pytest.fixture
async def play() -> AsyncIterator[Stage]:
    async with stage() as play:
        play.gate.publish(routes(target("m", parallel=1), flow=FlowLimits(queue=3)))
        yield play


def ask(play: Stage, identity: str, says: str = "hold") -> Generation:
    return play.gate.submit(request("m", says, identity=identity))


async def fill(play: Stage) -> list[Generation]:
    """Takes all places of the model."""
    await play.load("m")
    return [ask(play, "first") for _ in range(2)]


async def close(*generations: Generation) -> None:
    for generation in generations:
        await generation.aclose()


async def test_twice_the_parallel_sequences_are_at_the_worker(play: Stage) -> None:
    running = await fill(play)
    assert (play.pool.in_flight(M), play.gate.queued) == (2, 0)
    waiting = ask(play, "first")
    assert (play.pool.in_flight(M), play.gate.queued) == (2, 1)
    await close(*running, waiting)


async def test_the_queue_is_bounded(play: Stage) -> None:
    running = await fill(play)
    waiting = [ask(play, "many") for _ in range(3)]
    with pytest.raises(RequestError) as caught:
        ask(play, "one more")
    error = caught.value
    assert error.code is Code.QUEUE_FULL
    assert error.message == "3 requests wait already, the limit is 3"
    assert error.retry_after_s is not None
    assert 1.0 <= error.retry_after_s <= 60.0
    await close(waiting.pop())
    await close(ask(play, "one more"), *waiting, *running)


async def test_retry_after_is_at_most_a_minute(play: Stage) -> None:
    running = await fill(play)
    waiting = [ask(play, "many") for _ in range(3)]
    waiting[0].since -= 3600
    with pytest.raises(RequestError) as caught:
        ask(play, "one more")
    assert caught.value.retry_after_s == 60.0
    await close(*running, *waiting)


async def test_a_queue_of_none_still_serves_who_need_not_wait() -> None:
    async with stage() as play:
        play.gate.publish(routes(target("m"), flow=FlowLimits(queue=0)))
        await play.load("m")
        assert await play.ask("m", "say hi") == "hi "


async def test_a_free_place_goes_to_identities_in_turn() -> None:
    """One asks six times before another asks once; the other is second, not seventh."""
    async with stage() as play:
        play.gate.publish(routes(target("m", parallel=1)))
        running = await fill(play)
        many = [ask(play, "many", "say many") for _ in range(6)]
        one = ask(play, "one", "say one")
        order: list[str] = []

        async def read(generation: Generation, label: str) -> None:
            await generation.accepted()
            order.append(label)
            async for _ in generation:
                pass

        reading = [
            asyncio.create_task(read(generation, f"many {n}")) for n, generation in enumerate(many)
        ]
        reading.append(asyncio.create_task(read(one, "one")))
        await close(*running)
        await asyncio.wait_for(asyncio.gather(*reading), PATIENCE_S)
        assert order == ["many 0", "one", "many 1", "many 2", "many 3", "many 4", "many 5"]


async def test_a_place_is_free_only_when_the_worker_has_stopped(play: Stage) -> None:
    """A cancelled request counts until its worker confirms, so cancelling cannot flood it."""
    running = await fill(play)
    waiting = ask(play, "next")
    await close(*running)
    assert play.pool.in_flight(M) == 0
    assert waiting.claim is None
    await play.until(lambda: waiting.claim is not None)
    await close(waiting)


async def test_a_worker_that_does_not_read_gets_no_more_than_its_buffer() -> None:
    """Requests of a MiB wait in line, where they can be cancelled, and not in a socket."""
    async with stage(limits=WatchLimits()) as play:
        play.gate.publish(routes(target("m", parallel=100)))
        await play.load("m")
        deaf = ask(play, "first", "deaf")
        await deaf.accepted()
        large = "x" * (1 << 20)
        asked = [play.gate.submit(request("m", "say hi", template=large)) for _ in range(20)]
        assert 10 < play.gate.queued < 20
        os.kill(play.pid("m"), signal.SIGUSR1)
        for generation in asked:
            assert text(await events(generation)) == "hi "
        await close(deaf, *asked)


async def test_a_request_wakes_an_on_demand_model() -> None:
    async with stage() as play:
        play.gate.publish(routes(target("m", Live.ON_DEMAND)))
        assert play.gate.demands() == {}
        pokes = play.pokes
        generation = play.gate.submit(request("m", "hold a"))
        assert play.pokes == pokes + 1
        assert play.gate.demands()[M].waiting == 1
        assert play.gate.demands()[M].quiet_s == 0.0
        pokes = play.pokes
        play.gate.publish(routes(target("m", Live.ON_DEMAND)))
        assert play.pokes == pokes, "publishing must not poke the loop that publishes"
        await play.load("m")
        await generation.accepted()
        demand = play.gate.demands()[M]
        assert (demand.waiting, demand.quiet_s) == (0, 0.0), "in flight is in use"
        await generation.aclose()
        await play.until(lambda: not play.pool._instances["m"]._claims)  # type: ignore[index]
        before = play.gate.demands()[M].quiet_s
        assert play.gate.demands()[M].quiet_s > before >= 0.0
        play.gate.publish(routes())
        assert play.gate.demands() == {}


async def test_a_waiter_that_left_still_counts_as_asked_until_quiet() -> None:
    async with stage() as play:
        play.gate.publish(routes(target("m", Live.ON_DEMAND)))
        await play.gate.submit(request("m", "say hi")).aclose()
        demand = play.gate.demands()[M]
        assert demand.waiting == 0
        assert 0.0 < demand.quiet_s < PATIENCE_S


async def test_a_hundred_switches_fail_nobody() -> None:
    """Sixteen clients ask without a pause while an alias moves between two live models."""
    async with stage() as play:
        targets = (target("m", parallel=2), target("n", parallel=2))
        play.gate.publish(routes(*targets, auto="m"))
        await play.load("m")
        await play.load("n")
        switched = asyncio.Event()
        served: list[str] = []

        async def client(number: int) -> None:
            while not switched.is_set():
                generation = play.gate.submit(
                    request("auto", "say a b c", identity=f"client {number}")
                )
                got = await events(generation)
                assert text(got) == "a b c "
                assert not any(isinstance(event, Failed) for event in got)
                assert generation.served is not None
                served.append(generation.served.key)
                await generation.aclose()

        clients = [asyncio.create_task(client(number)) for number in range(16)]
        for n in range(100):
            play.gate.publish(routes(*targets, auto="nm"[n % 2]))
            goal = len(served) + 3
            await play.until(lambda goal=goal: len(served) >= goal)  # type: ignore[misc]
        switched.set()
        await asyncio.wait_for(asyncio.gather(*clients), PATIENCE_S)
        assert set(served) == {"m", "n"}
        assert (play.gate.queued, play.pool.in_flight(M)) == (0, 0)


async def test_a_reload_under_load_fails_nobody() -> None:
    """Make before break, ten times: load, promote, drain, unload, under sixteen clients."""
    async with stage() as play:
        play.gate.publish(routes(target("m", parallel=2)))
        await play.load("m", "m0")
        done = asyncio.Event()

        async def client() -> int:
            count = 0
            while not done.is_set():
                assert await play.ask("m", "say a b c") == "a b c "
                count += 1
            return count

        clients = [asyncio.create_task(client()) for _ in range(16)]
        for n in range(10):
            await play.load("m", f"m{n + 1}")
            await play.drain("m", 30.0, f"m{n}")
            await play.unload("m", f"m{n}")
        done.set()
        counts = await asyncio.wait_for(asyncio.gather(*clients), PATIENCE_S)
        assert all(counts)
        assert [view.uid for view in play.pool.snapshot()] == ["m10"]
