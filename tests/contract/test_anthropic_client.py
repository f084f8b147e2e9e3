"""The official Anthropic client against a real server: what its users see and catch."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anthropic
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import MessageParam, ToolParam

from reconciler.state import Live
from schemas.errors import Code, RequestError
from schemas.inference import (
    Failed,
    Finish,
    Text,
    Thinking,
    ToolArgs,
    ToolEnd,
    ToolStart,
    Usage,
)
from tests.kit.fake_gate import DEADLINE_S, TIMINGS, FakeGate, FakeGeneration, answer, routes
from tests.kit.http_stage import NO_TLS, Stage, stage

HELLO: list[MessageParam] = [{"role": "user", "content": "hello"}]
WEATHER: ToolParam = {
    "name": "weather",
    "description": "of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}},
}


@pytest.fixture
async def on() -> AsyncIterator[Stage]:
    gate = FakeGate(routes({"auto": ["day-coder"]}, day_coder=Live.READY), answer("Hel", "lo"))
    async with stage(gate) as running:
        yield running


@pytest.fixture
async def client(on: Stage) -> AsyncIterator[AsyncAnthropic]:
    http = anthropic.DefaultAsyncHttpxClient(verify=NO_TLS, trust_env=False)
    async with AsyncAnthropic(
        base_url=on.url, api_key="none", max_retries=0, timeout=DEADLINE_S, http_client=http
    ) as made:
        yield made


def busy(one: FakeGeneration) -> None:
    """Think, say something, call two tools."""
    name = one.request.id
    one.accept()
    for event in (
        Thinking(name, 0, "look "),
        Thinking(name, 0, "it up"),
        Text(name, 0, "One moment."),
        ToolStart(name, 0, 0, "weather"),
        ToolArgs(name, 0, 0, '{"city": "R'),
        ToolArgs(name, 0, 0, 'ome"}'),
        ToolEnd(name, 0, 0),
        ToolStart(name, 0, 1, "weather"),
        ToolArgs(name, 0, 1, '{"city": "Oslo"}'),
        ToolEnd(name, 0, 1),
        Finish(name, 0, "tool_calls"),
        Usage(name, 0, 7, 9, 2, TIMINGS, reasoning=4),
        None,
    ):
        one.put(event)


async def test_a_message(on: Stage, client: AsyncAnthropic) -> None:
    raw = await client.messages.with_raw_response.create(
        model="auto",
        max_tokens=64,
        system=[{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        messages=HELLO,
        stop_sequences=["END"],
        extra_body={"temperature": 0},
    )
    got = await raw.parse()
    assert [block.type for block in got.content] == ["text"]
    assert got.content[0].type == "text"
    assert got.content[0].text == "Hello"
    assert (got.model, got.stop_reason, got.role) == ("auto", "end_turn", "assistant")
    assert (got.usage.input_tokens, got.usage.cache_read_input_tokens) == (5, 2)
    assert got.usage.output_tokens == 2
    assert raw.request_id == raw.headers["request-id"]
    assert on.gate.last.stop == ("END",)


async def test_a_stream_is_accumulated(client: AsyncAnthropic) -> None:
    async with client.messages.stream(model="auto", max_tokens=64, messages=HELLO) as stream:
        texts = [text async for text in stream.text_stream]
        final = await stream.get_final_message()
        assert stream.request_id
    assert texts == ["Hel", "lo"]
    assert final.stop_reason == "end_turn"
    assert final.usage.output_tokens == 2


@pytest.mark.parametrize("streamed", [True, False])
async def test_thoughts_and_calls_go_round(
    on: Stage, client: AsyncAnthropic, streamed: bool
) -> None:
    """What was answered can be sent back with the results of the calls."""
    on.gate.script = busy
    asked: list[MessageParam] = [*HELLO]
    if streamed:
        async with client.messages.stream(
            model="auto",
            max_tokens=64,
            messages=asked,
            tools=[WEATHER],
            thinking={"type": "enabled", "budget_tokens": 1024},
        ) as stream:
            got = await stream.get_final_message()
        content = list(got.content)
        reason = got.stop_reason
    else:
        whole = await client.messages.create(
            model="auto",
            max_tokens=64,
            messages=asked,
            tools=[WEATHER],
            thinking={"type": "enabled", "budget_tokens": 1024},
        )
        content, reason = list(whole.content), whole.stop_reason
    assert [block.type for block in content] == ["thinking", "text", "tool_use", "tool_use"]
    assert reason == "tool_use"
    calls = [block for block in content if block.type == "tool_use"]
    assert [call.input for call in calls] == [{"city": "Rome"}, {"city": "Oslo"}]
    assert len({call.id for call in calls}) == 2
    asked.append({"role": "assistant", "content": content})  # type: ignore[typeddict-item]
    asked.append(
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}
                for call in calls
            ],
        }
    )
    on.gate.script = answer("It is sunny.")
    await client.messages.create(model="auto", max_tokens=64, messages=asked, tools=[WEATHER])
    roles = [message.role for message in on.gate.last.messages]
    assert roles == ["user", "assistant", "tool", "tool"]


async def test_tokens_are_counted(on: Stage, client: AsyncAnthropic) -> None:
    def script(one: FakeGeneration) -> None:
        one.accept().put(Usage(one.request.id, 0, 7, 0, 2, TIMINGS))
        one.put(None)

    on.gate.script = script
    got = await client.messages.count_tokens(model="auto", messages=HELLO, tools=[WEATHER])
    assert got.input_tokens == 7


async def test_models_are_listed_and_found(client: AsyncAnthropic) -> None:
    listed = [model.id async for model in client.models.list(limit=1)]
    assert listed == ["day-coder", "auto"]
    assert (await client.models.retrieve("auto")).display_name == "auto"
    with pytest.raises(anthropic.NotFoundError) as caught:
        await client.models.retrieve("claude-9")
    assert caught.value.error_code == "model_not_found"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Code.INVALID_REQUEST, anthropic.BadRequestError),
        (Code.MODEL_NOT_FOUND, anthropic.NotFoundError),
        (Code.TOO_LARGE, anthropic.APIStatusError),
        (Code.QUEUE_FULL, anthropic.InternalServerError),
        (Code.DEADLINE_EXCEEDED, anthropic.APIStatusError),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_errors_are_the_clients_own_exceptions(
    on: Stage,
    client: AsyncAnthropic,
    code: Code,
    kind: type[anthropic.APIStatusError],
    stream: bool,
) -> None:
    on.gate.script = lambda one: one.refuse(RequestError(code, "no such luck"))
    with pytest.raises(kind, match="no such luck") as caught:
        await client.messages.create(model="auto", max_tokens=9, messages=HELLO, stream=stream)
    assert caught.value.request_id


async def test_a_failure_midway_is_raised_after_the_text_before_it(
    on: Stage, client: AsyncAnthropic
) -> None:
    def script(one: FakeGeneration) -> None:
        one.accept().say("Hel").fail(Failed(one.request.id, 0, "worker_died", "signal 9"))

    on.gate.script = script
    said: list[str] = []

    async def listen() -> None:
        async with client.messages.stream(model="auto", max_tokens=9, messages=HELLO) as stream:
            async for text in stream.text_stream:
                said.append(text)

    with pytest.raises(anthropic.APIStatusError, match="signal 9"):
        await listen()
    assert said == ["Hel"]
