"""`GET /lmxd/v1/routing/decisions`, and the header that says the same of one answer."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from lmxd.serving.decisions import Decision
from lmxd.serving.tasks import Judgement
from reconciler.state import ModelKey
from tests.kit.fake_gate import FakeGate, Served, answer
from tests.kit.http_stage import stage

PATH = "/lmxd/v1/routing/decisions"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def decision(number: int) -> Decision:
    judgement = Judgement("code", "it is about code: 'def'")
    return Decision(AT, f"r{number}", "auto", judgement, ModelKey("coder"), ModelKey("coder"))


async def test_decisions_are_told_newest_first() -> None:
    gate = FakeGate()
    gate.decided = (decision(2), decision(1))
    async with stage(gate) as on:
        got = await on.get(PATH)
        few = await on.get(f"{PATH}?limit=1")
    assert got.status_code == 200
    assert [each["request"] for each in got.json()["decisions"]] == ["r2", "r1"]
    assert few.json()["decisions"] == [
        {
            "at": "2026-03-01T12:00:00.000Z",
            "request": "r2",
            "name": "auto",
            "task": "code",
            "reason": "it is about code: 'def'",
            "expected_tokens": None,
            "chosen": "coder",
            "model": "coder",
            "delegated": False,
        }
    ]


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=1001", "more=1"])
async def test_a_wrong_query_is_refused(query: str) -> None:
    async with stage() as on:
        got = await on.get(f"{PATH}?{query}")
    assert got.status_code == 400


async def test_an_answer_says_why_this_model_gave_it() -> None:
    def script(generation):  # type: ignore[no-untyped-def]
        generation.accept(Served("coder", "abc", "code: it is about code: 'def'"))
        generation.say("ok").finish("stop", completion=1)

    async with stage(FakeGate(script=script)) as on:
        got = await on.chat()
        async with stage(FakeGate(script=answer("ok"))) as plain:
            without = await plain.chat()
    assert got.headers["lmxd-route"] == "code: it is about code: 'def'"
    assert "lmxd-route" not in without.headers
