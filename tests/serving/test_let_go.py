"""Demand that is let go of before its `keep_alive` is over."""

from __future__ import annotations

from reconciler.state import Live, ModelKey
from tests.kit.stage import events, request, routes, stage, target, text

M = ModelKey("m")


async def test_what_was_asked_for_is_forgotten_until_somebody_asks_again() -> None:
    async with stage() as play:
        play.gate.publish(routes(target("m")))
        await play.load("m")
        await play.ask("m", "say hello")
        assert set(play.gate.demands()) == {M}
        play.gate.let_go(M)
        assert not play.gate.demands()
        play.gate.let_go(M)
        await play.ask("m", "say hello")
        assert set(play.gate.demands()) == {M}


async def test_who_waits_goes_on_waiting() -> None:
    async with stage() as play:
        play.gate.publish(routes(target("m", Live.ON_DEMAND)))
        generation = play.gate.submit(request("m", "say hello"))
        play.gate.let_go(M)
        assert play.gate.demands()[M].waiting == 1
        play.gate.publish(routes(target("m")))
        await play.load("m")
        assert text(await events(generation)).strip() == "hello"
