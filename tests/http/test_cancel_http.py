"""`POST /v1/requests/{id}/cancel`."""

from __future__ import annotations

import asyncio

from tests.kit.fake_gate import FakeGate, hang
from tests.kit.http_stage import stage


async def test_a_request_is_cancelled_by_its_id_or_by_what_its_client_calls_it() -> None:
    gate = FakeGate(script=hang)
    async with stage(gate) as on:
        asked = asyncio.create_task(
            on.client.post(
                "/v1/chat/completions",
                json={"model": "m", "messages": [{"role": "user", "content": "hi"}]},
                headers={"x-request-id": "mine/1"},
            )
        )
        other = asyncio.create_task(
            on.client.post(
                "/v1/chat/completions",
                json={"model": "m", "messages": [{"role": "user", "content": "hi"}]},
                headers={"x-request-id": "mine-1"},
            )
        )
        first, second = await gate.nth(0), await gate.nth(1)
        by_tag = await on.client.post("/v1/requests/mine-1/cancel")
        by_id = await on.client.post(f"/v1/requests/{first.request.id}/cancel")
        for each in (first, second):
            each.accept().finish("cancelled", completion=0)
        await asyncio.gather(asked, other)
    assert (by_tag.status_code, by_tag.json()) == (200, {"id": "mine-1", "cancelled": 1})
    assert by_id.json()["cancelled"] == 1


async def test_an_unknown_request_is_404() -> None:
    async with stage() as on:
        got = await on.client.post("/v1/requests/chatcmpl-none/cancel")
    assert got.status_code == 404
    assert "may have ended" in got.json()["error"]["message"]
