"""Requests that are ended from another connection, or given up. Real processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from lmxd.serving.generation import Generation
from reconciler.state import Live, ModelKey
from schemas.errors import Code, RequestError
from schemas.inference import Failed, Finish, Text, Usage
from tests.kit.stage import PATIENCE_S, Stage, request, routes, stage, target, text

M = ModelKey("m")


@pytest.fixture
async def play() -> AsyncIterator[Stage]:
    async with stage() as play:
        play.gate.publish(routes(target("m", parallel=1)))
        yield play


def ask(play: Stage, says: str, *, tag: str = "") -> Generation:
    return play.gate.submit(request("m", says), tag=tag)


async def rest(generation: Generation) -> list[object]:
    async with asyncio.timeout(PATIENCE_S):
        got = [event async for event in generation]
    await generation.aclose()
    return got


def nothing_is_left(play: Stage) -> bool:
    return not play.gate.queued and not play.pool.in_flight(M) and not len(play.gate._open)


async def test_a_request_that_runs_stops_and_its_reader_gets_what_there_is(play: Stage) -> None:
    await play.load("m")
    generation = ask(play, "hold one two")
    await generation.accepted()
    assert play.gate.cancel(generation.request.id) == 1
    got = await rest(generation)
    assert text(got) == "one two "  # type: ignore[arg-type]
    assert [type(each) for each in got] == [Text, Text, Finish, Usage]
    assert got[2] == Finish(generation.request.id, 0, "cancelled")
    await play.until(lambda: nothing_is_left(play))


async def test_a_request_that_waits_is_refused(play: Stage) -> None:
    play.gate.publish(routes(target("m", Live.COMING)))
    generation = ask(play, "say hi", tag="mine")
    assert play.gate.cancel("mine") == 1
    with pytest.raises(RequestError) as caught:
        await generation.accepted()
    assert caught.value.code is Code.CANCELLED
    await generation.aclose()
    assert nothing_is_left(play)


async def test_one_that_its_worker_has_not_taken_yet_is_refused(play: Stage) -> None:
    await play.load("m")
    generation = ask(play, "withhold")
    await play.until(lambda: generation.claim is not None)
    assert play.gate.cancel(generation.request.id) == 1
    with pytest.raises(RequestError) as caught:
        await asyncio.wait_for(generation.accepted(), PATIENCE_S)
    assert caught.value.code is Code.CANCELLED
    await generation.aclose()
    await play.until(lambda: nothing_is_left(play))


async def test_all_of_a_tag_end_and_nobody_else(play: Stage) -> None:
    await play.load("m")
    mine = [ask(play, "hold a", tag="mine"), ask(play, "hold b", tag="mine")]
    other = ask(play, "hold c", tag="yours")
    await mine[0].accepted()
    await mine[1].accepted()
    assert play.gate.cancel("mine") == 2
    for generation in mine:
        assert (await rest(generation))[-2:-1] == [Finish(generation.request.id, 0, "cancelled")]
    await other.accepted()
    assert play.gate.cancel("mine") == 0
    assert play.gate.cancel("nobody's") == 0
    await other.aclose()
    await play.until(lambda: nothing_is_left(play))


async def test_thirty_that_are_given_up_leave_no_trace(play: Stage) -> None:
    await play.load("m")
    running = [ask(play, "flood") for _ in range(30)]
    await running[0].accepted()
    await asyncio.gather(*(each.aclose() for each in running))
    await play.until(lambda: nothing_is_left(play))
    assert await play.ask("m", "say still here") == "still here "


async def test_what_failed_in_one_choice_stops_the_others_when_it_is_closed(play: Stage) -> None:
    """The worker goes on with the rest of a request until its one `Usage`."""
    await play.load("m")
    generation = ask(play, "partly")
    await generation.accepted()
    async with asyncio.timeout(PATIENCE_S):
        got = [event async for event in generation]
    assert [type(each) for each in got] == [Failed]
    assert play.pool.in_flight(M) == 1
    await generation.aclose()
    await play.until(lambda: nothing_is_left(play))
