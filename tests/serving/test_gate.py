"""What a request meets at the gate. Real processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from reconciler.limits import FlowLimits
from reconciler.state import Live, ModelKey, ServingDefaults
from schemas.errors import Code, RequestError
from schemas.inference import Accepted, Failed, Finish, Sampling, Text, Usage
from tests.kit.stage import PATIENCE_S, Stage, events, request, routes, stage, target, text

M = ModelKey("m")


@pytest.fixture
async def play() -> AsyncIterator[Stage]:
    async with stage() as play:
        play.gate.publish(routes(target("m", parallel=1), auto="m"))
        yield play


async def refused(play: Stage, name: str, says: str) -> RequestError:
    generation = play.gate.submit(request(name, says))
    with pytest.raises(RequestError) as caught:
        await asyncio.wait_for(generation.accepted(), PATIENCE_S)
    await generation.aclose()
    return caught.value


async def test_a_request_is_answered_by_the_model_behind_its_name(play: Stage) -> None:
    await play.load("m")
    generation = play.gate.submit(request("auto", "say hello world"))
    accepted = await generation.accepted()
    assert isinstance(accepted, Accepted)
    assert accepted.prompt_tokens == 1
    got = [event async for event in generation]
    assert [type(event) for event in got] == [Text, Text, Finish, Usage]
    assert generation.name == "auto"
    assert generation.served is not None
    assert (generation.served.key, generation.served.revision) == ("m", "abc")


async def test_the_documents_defaults_reach_the_worker(play: Stage) -> None:
    serving = ServingDefaults(system="Be terse.", sampling=Sampling(top_k=3), stop=("END",))
    flow = FlowLimits(request_s=60.0)
    play.gate.publish(routes(target("m", serving=serving), flow=flow))
    await play.load("m")
    got = json.loads(await play.ask("m", "echo", stop=("MINE",)))
    assert got["messages"][0]["parts"] == [{"type": "text", "text": "Be terse."}]
    assert (got["sampling"], got["stop"]) == ({"top_k": 3}, ["MINE", "END"])
    assert got["deadline_ms"] == 60_000


async def test_a_waiter_is_served_when_the_model_is_there(play: Stage) -> None:
    play.gate.publish(routes(target("m", Live.COMING)))
    generation = play.gate.submit(request("m", "say hi"))
    assert (play.gate.queued, generation.served) == (1, None)
    await play.load("m")
    assert text(await events(generation)) == "hi "


async def test_a_waiter_holds_the_name_and_not_the_model(play: Stage) -> None:
    coming, other = target("m", Live.COMING), target("n")
    play.gate.publish(routes(coming, auto="m"))
    generation = play.gate.submit(request("auto", "say hi"))
    await play.load("n")
    play.gate.publish(routes(coming, other, auto=("m", "n")))
    assert text(await events(generation)) == "hi "
    assert generation.served is not None
    assert generation.served.key == "n"


async def test_a_waiter_fails_when_its_model_is_refused_or_gone(play: Stage) -> None:
    play.gate.publish(routes(target("m", Live.COMING), target("n", Live.COMING)))
    gone, refused = (play.gate.submit(request(name, "say hi")) for name in ("m", "n"))
    play.gate.publish(routes(target("n", Live.REFUSED, code=Code.NOT_ADMITTED, retry=False)))
    for generation, code in ((gone, Code.MODEL_NOT_FOUND), (refused, Code.NOT_ADMITTED)):
        with pytest.raises(RequestError) as caught:
            await generation.accepted()
        assert caught.value.code is code
    assert play.gate.queued == 0


async def test_what_is_known_now_is_said_now(play: Stage) -> None:
    stored = target("stored", Live.REFUSED, code=Code.MODEL_NOT_LOADED, retry=False)
    play.gate.publish(routes(stored))
    for name, code in (("stored", Code.MODEL_NOT_LOADED), ("nobody", Code.MODEL_NOT_FOUND)):
        with pytest.raises(RequestError) as caught:
            play.gate.submit(request(name, "say hi"))
        assert (caught.value.code, caught.value.retry) == (code, False)


async def test_the_workers_refusal_keeps_its_code(play: Stage) -> None:
    await play.load("m")
    error = await refused(play, "m", "refuse context_length_exceeded")
    assert error.code is Code.CONTEXT_LENGTH_EXCEEDED
    assert error.message == "scripted refusal"
    assert (await refused(play, "m", "refuse never_heard_of")).code is Code.INTERNAL


async def test_a_failure_in_the_middle_ends_the_stream_with_failed(play: Stage) -> None:
    await play.load("m")
    got = await events(play.gate.submit(request("m", "fail a b")))
    assert [type(event) for event in got] == [Text, Text, Failed]
    await play.until(lambda: not play.pool.in_flight(M))


async def test_waiting_ends_at_the_deadline() -> None:
    async with stage() as play:
        play.gate.publish(routes(target("m", Live.COMING), flow=FlowLimits(wait_s=0.05)))
        error = await refused(play, "m", "say hi")
        assert error.code is Code.DEADLINE_EXCEEDED
        assert error.message == "m did not answer within 0.05 s: m is coming"
        assert play.gate.queued == 0


async def test_a_worker_that_does_not_accept_in_time_is_told_to_cancel() -> None:
    async with stage() as play:
        play.gate.publish(routes(target("m"), flow=FlowLimits(wait_s=0.2)))
        await play.load("m")
        error = await refused(play, "m", "withhold")
        assert error.code is Code.DEADLINE_EXCEEDED
        await play.until(lambda: not play.pool._instances["m"]._claims)  # type: ignore[index]


async def test_an_accepted_request_outlives_the_wait(play: Stage) -> None:
    await play.load("m")
    generation = play.gate.submit(request("m", "hold a"))
    await generation.accepted()
    assert generation.timer is not None
    assert generation.timer.cancelled()
    await generation.aclose()


async def test_accepted_may_be_asked_in_slices(play: Stage) -> None:
    """Http asks for five seconds, sends headers, and asks again."""
    play.gate.publish(routes(target("m", Live.COMING)))
    generation = play.gate.submit(request("m", "say hi"))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(generation.accepted(), 0.02)
    assert play.gate.queued == 1
    await play.load("m")
    assert text(await events(generation)) == "hi "


async def test_closing_a_waiter_leaves_no_trace(play: Stage) -> None:
    play.gate.publish(routes(target("m", Live.COMING)))
    generation = play.gate.submit(request("m", "say hi"))
    await generation.aclose()
    await generation.aclose()
    assert play.gate.queued == 0
    assert play.gate._waiting._lines == {}
    assert generation.timer is not None
    assert generation.timer.cancelled()
    with pytest.raises(StopAsyncIteration):
        await anext(generation)
    await play.load("m")
    assert play.pool.in_flight(M) == 0


async def test_closing_a_running_one_stops_the_worker(play: Stage) -> None:
    await play.load("m")
    generation = play.gate.submit(request("m", "flood"))
    await generation.accepted()
    await generation.aclose()
    await generation.aclose()
    assert play.pool.in_flight(M) == 0
    await play.until(lambda: not play.pool._instances["m"]._claims)  # type: ignore[index]


async def test_a_slow_reader_loses_only_itself(play: Stage) -> None:
    """It never reads, so a MiB is soon unread; the other's answer is whole."""
    await play.load("m")
    slow = play.gate.submit(request("m", "flood"))
    await slow.accepted()
    await play.until(lambda: slow.over)
    assert await play.ask("m", "say fine") == "fine "
    got = await events(slow)
    last = got[-1]
    assert isinstance(last, Failed)
    assert "reads too slowly" in last.message
    kept = sum(len(event.text) for event in got if isinstance(event, Text))
    assert kept <= 1024 * 1024 + 65536, "the limit, and the event that went over it"


async def test_closing_refuses_the_new_and_the_waiting(play: Stage) -> None:
    await play.load("m")
    running = play.gate.submit(request("m", "hold a"))
    await running.accepted()
    others = [play.gate.submit(request("m", "hold a")) for _ in range(2)]
    play.gate.close()
    with pytest.raises(RequestError) as caught:
        play.gate.submit(request("m", "say hi"))
    assert caught.value.code is Code.SHUTTING_DOWN
    with pytest.raises(RequestError) as caught:
        await others[1].accepted()
    assert caught.value.code is Code.SHUTTING_DOWN
    assert not running.over
    for generation in (running, *others):
        await generation.aclose()


async def test_a_request_too_large_to_send_fails_alone(play: Stage) -> None:
    await play.load("m")
    error = await refused(play, "m", "x" * (65 * 1024 * 1024))
    assert error.code is Code.TOO_LARGE
    assert await play.ask("m", "say fine") == "fine "
