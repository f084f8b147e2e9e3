"""Stopping: nothing new, running requests may end, the rest is cut and cleaned up."""

from __future__ import annotations

import asyncio

import httpx2
import pytest
from sanic import Sanic

from lmxd.http.ports import Timing
from tests.kit.fake_gate import DEADLINE_S
from tests.kit.http_stage import stage


async def test_a_running_request_ends_within_the_grace() -> None:
    async with stage() as on:
        raw = await on.raw()
        await raw.post(stream=True)
        generation = (await on.gate.nth(0)).accept()
        stopping = asyncio.create_task(on.server.stop(DEADLINE_S))
        await asyncio.sleep(0)
        generation.say("the end").finish()
        rest = await raw.rest()
        await stopping
        await raw.close()
    assert b"the end" in rest
    assert rest.endswith(b"[DONE]\n\n\r\n0\r\n\r\n")


async def test_after_the_grace_connections_are_cut_and_generations_closed() -> None:
    async with stage(timing=Timing(drain_s=DEADLINE_S)) as on:
        raw, other = await on.raw(), await on.raw()
        await raw.post(stream=True)
        await other.post(stream=False)
        first, second = await on.gate.nth(0), await on.gate.nth(1)
        first.accept()
        await on.server.stop(0)
        assert first.closed.is_set()
        assert second.closed.is_set()
        await asyncio.gather(raw.close(), other.close())


async def test_nothing_listens_afterwards_and_idle_connections_are_closed() -> None:
    async with stage() as on:
        raw = await on.raw()
        await raw.send("GET /health HTTP/1.1\nHost: localhost")
        await raw.until(b"}")
        await on.server.stop(DEADLINE_S)
        assert await raw.rest() == b""
        await raw.close()
        with pytest.raises(httpx2.ConnectError):
            await on.get("/health")
    assert on.server.addresses


async def test_servers_come_and_go_without_a_trace_in_sanics_registry() -> None:
    before = set(Sanic._app_registry)
    for _ in range(2):
        async with stage() as one, stage() as two:
            assert (await one.get("/health")).status_code == 200
            assert (await two.get("/health")).status_code == 200
    assert set(Sanic._app_registry) == before
