"""Names that choose by task, at the gate. Real processes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from reconciler.state import Live, ModelKey, Routes
from schemas.alias import Route, alias_targets
from schemas.errors import Code, RequestError
from schemas.inference import Finish, ToolStart, Usage
from tests.kit.stage import (
    PATIENCE_S,
    Stage,
    events,
    load_action,
    request,
    routes,
    stage,
    target,
    text,
)

TOOL = "hand_over_to_larger_model"
CODE = "echo def f(x): return x"
LIGHT = "say hello"
HEAVY = "echo Write an essay about trams."


def table(*live: str, **more: object) -> Routes:
    """`auto` leads by task to small, big and coder, of which `live` are ready."""
    route = Route(route="task", light="small", heavy="big", **more)
    keys = ("small", "big", "coder")
    targets = [target(key, Live.READY if key in live else Live.COMING) for key in keys]
    plain = routes(*targets, auto=alias_targets(route))
    return replace(plain, tasks={"auto": route})


@pytest.fixture
async def play() -> AsyncIterator[Stage]:
    async with stage() as play:
        yield play


async def served(play: Stage, says: str, name: str = "auto", **more: object) -> tuple[str, str]:
    """The model that answered, and why it was chosen."""
    generation = play.gate.submit(request(name, says, **more))  # type: ignore[arg-type]
    try:
        await events(generation)
    finally:
        await generation.aclose()
    assert generation.served is not None
    return generation.served.key, generation.served.why


async def test_a_request_goes_to_the_model_of_its_task(play: Stage) -> None:
    play.gate.publish(table("small", "big", "coder", code="coder"))
    for key in ("small", "big", "coder"):
        await play.load(key)
    assert await served(play, CODE) == ("coder", "code: it is about code: 'def f('")
    assert (await served(play, LIGHT))[0] == "small"
    assert (await served(play, HEAVY))[0] == "big"
    assert (await served(play, LIGHT, name="big")) == ("big", "")
    assert [each.task for each in play.gate.decisions(2)] == ["heavy", "light"]
    assert [each.model for each in play.gate.decisions(9)] == ["big", "small", "coder"]


async def test_code_without_a_model_of_its_own_is_heavy_work(play: Stage) -> None:
    play.gate.publish(table("small", "big"))
    await play.load("small")
    await play.load("big")
    assert (await served(play, CODE))[0] == "big"


async def test_a_fallback_stands_in_for_a_model_that_is_not_live(play: Stage) -> None:
    play.gate.publish(table("small", fallback=("coder", "small")))
    await play.load("small")
    key, why = await served(play, HEAVY)
    assert key == "small"
    assert why.endswith("; big is not live")


async def test_without_a_fallback_it_waits_for_the_model_of_its_task(play: Stage) -> None:
    play.gate.publish(table("small"))
    await play.load("small")
    waiting = asyncio.create_task(served(play, HEAVY))
    short = asyncio.create_task(served(play, LIGHT))
    assert (await asyncio.wait_for(short, PATIENCE_S))[0] == "small"
    assert not waiting.done()
    await play.load("big")
    play.gate.publish(table("small", "big"))
    assert (await asyncio.wait_for(waiting, PATIENCE_S))[0] == "big"


async def test_who_waits_is_judged_when_the_name_begins_to_choose(play: Stage) -> None:
    play.gate.publish(routes(target("big", Live.COMING), target("small"), auto="big"))
    await play.load("small")
    waiting = asyncio.create_task(served(play, LIGHT))
    await play.until(lambda: play.gate.queued == 1)
    play.gate.publish(table("small"))
    assert (await asyncio.wait_for(waiting, PATIENCE_S))[0] == "small"


async def test_a_refused_request_is_among_the_decisions(play: Stage) -> None:
    dead = target("big", Live.REFUSED, code=Code.MODEL_FAILED, retry=False)
    good = table("small")
    play.gate.publish(replace(good, targets={**good.targets, ModelKey("big"): dead}))
    with pytest.raises(RequestError, match="big"):
        play.gate.submit(request("auto", HEAVY))
    (decision,) = play.gate.decisions(1)
    assert (decision.chosen, decision.model) == ("big", None)


async def test_a_light_model_may_hand_a_request_on(play: Stage) -> None:
    play.gate.publish(table("small", "big", delegate=True))
    await play.load("small")
    await play.load("big")
    generation = play.gate.submit(request("auto", f"call {TOOL} done"))
    got = await events(generation)
    await generation.aclose()
    assert text(got) == "done"
    assert [type(each) for each in got[-2:]] == [Finish, Usage]
    assert not any(isinstance(each, ToolStart) for each in got)
    assert generation.served is not None
    assert generation.served.key == "big"
    (decision,) = play.gate.decisions(1)
    assert (decision.task, decision.delegated, decision.model) == ("heavy", True, "big")
    await play.until(lambda: play.pool.in_flight(ModelKey("small")) == 0)


async def test_a_heavy_model_that_is_away_hands_it_back_without_the_tool(play: Stage) -> None:
    play.gate.publish(table("small", delegate=True, fallback=("small",)))
    await play.load("small")
    assert await play.ask("auto", f"call {TOOL} alone") == "alone"


@pytest.mark.parametrize(
    ("offered", "more"),
    [(True, {"delegate": True}), (False, {"delegate": False}), (False, {})],
)
async def test_the_tool_is_there_only_where_the_document_says_so(
    play: Stage, offered: bool, more: dict[str, bool]
) -> None:
    play.gate.publish(table("small", "big", **more))
    await play.load("small")
    got = json.loads(await play.ask("auto", "echo hello"))
    assert [tool["name"] for tool in got.get("tools", [])] == ([TOOL] if offered else [])


async def test_a_model_that_cannot_call_tools_is_not_given_it(play: Stage) -> None:
    play.gate.publish(table("small", "big", delegate=True))
    await play.pool.load(load_action("small", "small", "no-tools"))
    play.promote("small")
    got = json.loads(await play.ask("auto", "echo hello"))
    assert "tools" not in got
