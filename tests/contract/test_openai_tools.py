"""Calls, thoughts, logprobs and structured answers as the official OpenAI client reads them.

What a model would generate is scripted, so that every shape is sure to come.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel

from schemas.inference import (
    Alternative,
    Event,
    Failed,
    Finish,
    Grammar,
    Text,
    Thinking,
    TokenLogprob,
    ToolArgs,
    ToolCallPart,
    ToolEnd,
    ToolResultPart,
    ToolStart,
    ToolUse,
    Usage,
)
from tests.kit.fake_gate import DEADLINE_S, TIMINGS, FakeGate, FakeGeneration, Script, answer
from tests.kit.http_stage import NO_TLS, Stage, stage

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]
PARAMETERS: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS: list[ChatCompletionToolParam] = [
    {
        "type": "function",
        "function": {"name": "weather", "parameters": PARAMETERS, "strict": True},
    }
]


@pytest.fixture
async def on() -> AsyncIterator[Stage]:
    async with stage(FakeGate()) as running:
        yield running


@pytest.fixture
async def client(on: Stage) -> AsyncIterator[AsyncOpenAI]:
    http = openai.DefaultAsyncHttpxClient(verify=NO_TLS, trust_env=False)
    async with AsyncOpenAI(
        base_url=f"{on.url}/v1",
        api_key="none",
        max_retries=0,
        timeout=DEADLINE_S,
        http_client=http,
    ) as made:
        yield made


def scripted(*made: Callable[[str], Event]) -> Script:
    def script(one: FakeGeneration) -> None:
        one.accept()
        for make in made:
            one.put(make(one.request.id))
        one.put(Usage(one.request.id, 0, 7, 4, 0, TIMINGS, reasoning=1))
        one.put(None)

    return script


CALLS = scripted(
    lambda r: Thinking(r, 0, "Two cities."),
    lambda r: ToolStart(r, 0, 0, "weather"),
    lambda r: ToolArgs(r, 0, 0, '{"city": '),
    lambda r: ToolArgs(r, 0, 0, '"Rome"}'),
    lambda r: ToolEnd(r, 0, 0),
    lambda r: ToolStart(r, 0, 1, "weather"),
    lambda r: ToolArgs(r, 0, 1, '{"city": "Oslo"}'),
    lambda r: ToolEnd(r, 0, 1),
    lambda r: Finish(r, 0, "tool_calls"),
)


@pytest.mark.parametrize("stream", [True, False])
async def test_calls_and_their_results(on: Stage, client: AsyncOpenAI, stream: bool) -> None:
    on.gate.script = CALLS
    if stream:
        async with client.chat.completions.stream(
            model="m", messages=HELLO, tools=TOOLS, tool_choice="required"
        ) as events:
            got = await events.get_final_completion()
        message: Any = got.choices[0].message
        finish = got.choices[0].finish_reason
    else:
        whole = await client.chat.completions.create(
            model="m", messages=HELLO, tools=TOOLS, tool_choice="required"
        )
        message, finish = whole.choices[0].message, whole.choices[0].finish_reason
        assert whole.usage is not None
        assert whole.usage.completion_tokens_details is not None
        assert whole.usage.completion_tokens_details.reasoning_tokens == 1
    assert finish == "tool_calls"
    assert message.reasoning_content == "Two cities."
    arguments = [call.function.arguments for call in message.tool_calls]
    assert arguments == ['{"city": "Rome"}', '{"city": "Oslo"}']
    assert on.gate.last.tool_use == ToolUse("required")

    on.gate.script = answer("Sun and snow.")
    results: list[Any] = [
        {"role": "tool", "tool_call_id": call.id, "content": "fine"} for call in message.tool_calls
    ]
    said = message.model_dump(exclude_none=True)
    said.pop("parsed", None)
    await client.chat.completions.create(model="m", messages=[*HELLO, said, *results], tools=TOOLS)
    _, again, first, second = on.gate.last.messages
    parts = [part for part in again.parts if isinstance(part, ToolCallPart)]
    assert [part.arguments for part in parts] == arguments
    for message_, part in ((first, parts[0]), (second, parts[1])):
        assert message_.parts == (ToolResultPart(part.call, "fine"),)
        assert message_.name == "weather"


class Fair(BaseModel):
    name: str
    day: int


async def test_a_parsed_answer(on: Stage, client: AsyncOpenAI) -> None:
    on.gate.script = answer('{"name": "fair", ', '"day": 3}')
    got = await client.chat.completions.parse(model="m", messages=HELLO, response_format=Fair)
    assert got.choices[0].message.parsed == Fair(name="fair", day=3)
    asked = on.gate.last.format
    assert isinstance(asked, Grammar)
    assert asked.kind == "schema"
    responded = await client.responses.parse(model="m", input="hello", text_format=Fair)
    assert responded.output_parsed == Fair(name="fair", day=3)


async def test_parsed_arguments(on: Stage, client: AsyncOpenAI) -> None:
    on.gate.script = CALLS
    got = await client.chat.completions.parse(model="m", messages=HELLO, tools=TOOLS)
    calls = got.choices[0].message.tool_calls
    assert calls is not None
    assert [call.function.parsed_arguments for call in calls] == [
        {"city": "Rome"},
        {"city": "Oslo"},
    ]


def told(text: str, value: float) -> TokenLogprob:
    rival = Alternative("x", b"x", -3.0, 9)
    return TokenLogprob(text, text.encode(), value, 1, (rival,))


async def test_logprobs_accumulate_in_a_stream(on: Stage, client: AsyncOpenAI) -> None:
    on.gate.script = scripted(
        lambda r: Text(r, 0, "Hel", (told("Hel", -0.5),)),
        lambda r: Text(r, 0, "lo", (told("lo", -0.25),)),
        lambda r: Finish(r, 0, "stop"),
    )
    async with client.chat.completions.stream(
        model="m", messages=HELLO, logprobs=True, top_logprobs=1
    ) as events:
        got = await events.get_final_completion()
    found = got.choices[0].logprobs
    assert found is not None
    assert found.content is not None
    assert [(token.token, token.logprob) for token in found.content] == [
        ("Hel", -0.5),
        ("lo", -0.25),
    ]
    assert found.content[0].top_logprobs[0].bytes == [120]


async def test_calls_of_a_response(on: Stage, client: AsyncOpenAI) -> None:
    on.gate.script = CALLS
    tools: list[Any] = [
        {"type": "function", "name": "weather", "parameters": PARAMETERS, "strict": True}
    ]
    async with client.responses.stream(model="m", input="hello", tools=tools) as events:
        kinds = [event.type async for event in events]
        got = await events.get_final_response()
    assert kinds.count("response.function_call_arguments.delta") == 3
    thought, *calls = got.output
    assert thought.type == "reasoning"
    assert [call.type for call in calls] == ["function_call", "function_call"]
    on.gate.script = answer("Sun and snow.")
    outputs: list[Any] = [
        {"type": "function_call_output", "call_id": call.call_id, "output": "fine"}
        for call in calls
        if call.type == "function_call"
    ]
    done = await client.responses.create(
        model="m", input=outputs, previous_response_id=got.id, tools=tools
    )
    assert done.output_text == "Sun and snow."
    roles = [message.role for message in on.gate.last.messages]
    assert roles == ["user", "assistant", "tool", "tool"]


async def test_a_failed_response_raises(on: Stage, client: AsyncOpenAI) -> None:
    def script(one: FakeGeneration) -> None:
        one.accept().say("Hel").fail(Failed(one.request.id, 0, "worker_died", "signal 9"))

    on.gate.script = script
    said: list[str] = []

    async def listen() -> None:
        async for event in await client.responses.create(model="m", input="a", stream=True):
            said.append(event.type)

    with pytest.raises(openai.APIError, match="signal 9"):
        await listen()
    assert said[-1] == "response.failed"
