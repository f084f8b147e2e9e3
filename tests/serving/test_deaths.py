"""What a worker's death does to its model and its requests. Real processes, really killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from reconciler.state import InstancePhase, InstanceUid, ModelKey
from schemas.errors import Code, RequestError
from schemas.inference import Failed, Text
from tests.kit.stage import PATIENCE_S, Stage, events, request, routes, stage, target, text


@pytest.fixture
async def play() -> AsyncIterator[Stage]:
    async with stage() as play:
        play.gate.publish(routes(target("m", parallel=2)))
        yield play


async def kill(play: Stage, uid: str) -> None:
    os.kill(play.pid(uid), signal.SIGKILL)
    await play.until(lambda: dead(play, uid))


def dead(play: Stage, uid: str) -> bool:
    view = play.view(uid)
    return view is None or view.phase is InstancePhase.DEAD


async def test_an_idle_death_is_reported_until_forgotten_and_pokes_the_loop(play: Stage) -> None:
    await play.load("m")
    pokes = play.pokes
    await kill(play, "m")
    view = play.view("m")
    assert view is not None
    assert view.exit is not None
    assert view.exit.reason == "UnloadedExternally", "nobody waited for it: somebody ended it"
    assert "killed by SIGKILL (out of memory?)" in view.exit.message
    assert play.pokes > pokes
    assert not play.pool.resident(ModelKey("m"))
    play.pool.forget(InstanceUid("m"))
    assert play.pool.snapshot() == ()


async def test_what_was_not_read_runs_again_at_its_old_place(play: Stage) -> None:
    """Two run and one waits when the worker dies; the next worker gets them in order of arrival."""
    await play.load("m", "m1")
    asked = [play.gate.submit(request("m", f"hold {n}")) for n in range(4)]
    asked += [play.gate.submit(request("m", "say later"))]
    await asked[0].accepted()
    await kill(play, "m1")
    assert play.gate.queued == 5
    assert [generation.number for generation in play.gate._waiting] == [0, 1, 2, 3, 4]
    await play.load("m", "m2")
    assert play.gate.queued == 1, "the one that came last waits again"
    for n, generation in enumerate(asked[:4]):
        await asyncio.wait_for(generation.accepted(), PATIENCE_S)
        first = await asyncio.wait_for(anext(generation), PATIENCE_S)
        assert isinstance(first, Text)
        assert first.text == f"{n} "
    await asked[0].aclose()
    assert text(await events(asked[4])) == "later "
    for generation in asked[1:4]:
        await generation.aclose()


async def test_what_was_read_fails_with_worker_died(play: Stage) -> None:
    await play.load("m")
    generation = play.gate.submit(request("m", "hold a"))
    await generation.accepted()
    await anext(generation)
    await kill(play, "m")
    view = play.view("m")
    assert view is not None
    assert view.exit is not None
    assert view.exit.reason == "WorkerCrashed", "a request ran: it may be its doing"
    (last,) = await events(generation)
    assert isinstance(last, Failed)
    assert (last.code, last.message, last.retryable) == (
        "worker_died",
        "the worker of m died",
        True,
    )
    assert play.gate.queued == 0


async def test_a_request_is_given_a_second_worker_only_once(play: Stage) -> None:
    """A request that kills every worker must not kill them for ever."""
    await play.load("m", "m1")
    generation = play.gate.submit(request("m", "die-early"))
    await play.until(lambda: dead(play, "m1"))
    assert play.gate.queued == 1
    await play.load("m", "m2")
    with pytest.raises(RequestError) as caught:
        await asyncio.wait_for(generation.accepted(), PATIENCE_S)
    assert caught.value.code is Code.WORKER_DIED
    await play.until(lambda: dead(play, "m2"))


async def test_it_is_accepted_once_and_nothing_is_told_twice(play: Stage) -> None:
    """The first worker's text lies unread when it dies; the second one's takes its place."""
    await play.load("m", "m1")
    generation = play.gate.submit(request("m", "hold a"))
    before = await generation.accepted()
    await play.until(lambda: generation._unread > 0)
    await kill(play, "m1")
    await play.load("m", "m2")
    assert isinstance(await asyncio.wait_for(anext(generation), PATIENCE_S), Text)
    assert await generation.accepted() is before
    await play.ask("m", "release")
    assert text(await events(generation)) == ""


async def test_those_that_ran_keep_their_turn(play: Stage) -> None:
    """Four identities run and one waits; there is room for two on the next worker."""
    await play.load("m", "m1")
    asked = [play.gate.submit(request("m", "hold", identity=name)) for name in "abcde"]
    await kill(play, "m1")
    play.gate.publish(routes(target("m", parallel=1)))
    await play.load("m", "m2")
    assert [generation.claim is not None for generation in asked] == [True, True, *[False] * 3]
    for generation in asked:
        await generation.aclose()


async def test_waiting_again_has_an_end_too() -> None:
    async with stage() as play:
        table = routes(target("m"))
        play.gate.publish(table)
        await play.load("m")
        generation = play.gate.submit(request("m", "hold a"))
        await generation.accepted()
        play.gate.publish(replace(table, flow=replace(table.flow, wait_s=0.05)))
        await kill(play, "m")
        (last,) = await events(generation)
        assert isinstance(last, Failed)
        assert last.code == "deadline_exceeded"
        assert play.gate.queued == 0


async def test_a_hung_worker_is_killed_and_its_request_runs_on_the_next(play: Stage) -> None:
    await play.load("m", "m1")
    generation = play.gate.submit(request("m", "withhold"))
    muting = play.gate.submit(request("m", "mute"))
    await play.until(lambda: dead(play, "m1"))
    view = play.view("m1")
    assert view is not None
    assert view.exit is not None
    assert view.exit.reason == "WorkerHung"
    await muting.aclose()
    await play.load("m", "m2")
    assert generation.served is not None
    await generation.aclose()


async def test_a_death_while_draining_is_an_end_without_a_report(play: Stage) -> None:
    await play.load("m")
    generation = play.gate.submit(request("m", "hold a"))
    await generation.accepted()
    await anext(generation)
    draining = play.drain("m", float("inf"))
    await play.until(lambda: not play.pool.resident(ModelKey("m")))
    await kill(play, "m")
    await asyncio.wait_for(draining, PATIENCE_S)
    assert play.pool.snapshot() == ()
    assert isinstance((await events(generation))[-1], Failed)


async def test_the_others_do_not_notice(play: Stage) -> None:
    play.gate.publish(routes(target("m"), target("n")))
    await play.load("m")
    await play.load("n")
    running = play.gate.submit(request("n", "hold a"))
    await running.accepted()
    await kill(play, "m")
    assert await play.ask("n", "release") == "released"
    assert text(await events(running)) == "a "


async def test_when_the_new_instance_is_there_the_orphans_go_to_it_at_once(play: Stage) -> None:
    await play.load("m", "m1")
    generation = play.gate.submit(request("m", "withhold"))
    await play.load("m", "m2")
    await kill(play, "m1")
    assert generation.claim is not None
    assert generation.claim.uid == "m2"
    await generation.aclose()
