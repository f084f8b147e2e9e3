"""The official Anthropic client against a whole daemon and its built-in model."""

from __future__ import annotations

import json
from pathlib import Path

import anthropic
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import MessageParam, ToolParam, ToolResultBlockParam

from tests.kit.daemon import PATIENCE_S, running
from tests.kit.documents import write
from tests.kit.http_stage import NO_TLS

HELLO: list[MessageParam] = [{"role": "user", "content": "hello"}]


WEATHER: ToolParam = {
    "name": "weather",
    "description": "the weather of a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
SHAPE: dict[str, object] = {
    "type": "object",
    "properties": {"number": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["number"],
    "additionalProperties": False,
}


async def tools_go_round(client: AsyncAnthropic) -> None:
    """A call that is demanded, streamed, and its result sent back."""
    asked: list[MessageParam] = [{"role": "user", "content": "What is the weather in Rome?"}]
    async with client.messages.stream(
        model="tiny",
        max_tokens=128,
        messages=asked,
        tools=[WEATHER],
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
        extra_body={"temperature": 0},
    ) as stream:
        called = await stream.get_final_message()
    assert called.stop_reason == "tool_use"
    (call,) = [block for block in called.content if block.type == "tool_use"]
    assert (call.name, set(call.input)) == ("weather", {"city"})
    asked.append({"role": "assistant", "content": list(called.content)})  # type: ignore[typeddict-item]
    result: ToolResultBlockParam = {
        "type": "tool_result",
        "tool_use_id": call.id,
        "content": "sunny",
    }
    asked.append({"role": "user", "content": [result]})
    said = await client.messages.create(
        model="tiny",
        max_tokens=32,
        messages=asked,
        tools=[WEATHER],
        tool_choice={"type": "none"},
    )
    assert said.stop_reason in {"end_turn", "max_tokens"}
    assert {block.type for block in said.content} <= {"text"}


async def test_messages_of_a_real_model(tmp_path: Path) -> None:
    document = write(
        tmp_path / "desired-state.yaml",
        {"tiny": {"source": "builtin:tiny-chat", "state": "loaded"}},
        aliases={"claude-*": "tiny"},
    )
    http = anthropic.DefaultAsyncHttpxClient(verify=NO_TLS, trust_env=False)
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        async with AsyncAnthropic(
            base_url=daemon.url,
            api_key="none",
            max_retries=0,
            timeout=PATIENCE_S,
            http_client=http,
        ) as client:
            whole = await client.messages.create(
                model="claude-sonnet",
                max_tokens=24,
                system="Be brief.",
                messages=HELLO,
                extra_body={"temperature": 0},
            )
            async with client.messages.stream(
                model="claude-sonnet",
                max_tokens=24,
                system="Be brief.",
                messages=HELLO,
                extra_body={"temperature": 0},
            ) as stream:
                streamed = await stream.get_final_message()
            assert whole.content[0].type == streamed.content[0].type == "text"
            assert whole.content[0].text == streamed.content[0].text != ""
            assert streamed.stop_reason == whole.stop_reason
            assert streamed.usage.output_tokens == whole.usage.output_tokens > 0
            first = whole.content[0].text[:1]
            stopped = await client.messages.create(
                model="tiny",
                max_tokens=24,
                system="Be brief.",
                messages=HELLO,
                stop_sequences=[first],
                extra_body={"temperature": 0},
            )
            assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", first)
            short = await client.messages.create(
                model="tiny", max_tokens=1, messages=HELLO, extra_body={"temperature": 0}
            )
            assert (short.stop_reason, short.usage.output_tokens) == ("max_tokens", 1)
            counted = await client.messages.count_tokens(
                model="tiny", system="Be brief.", messages=HELLO
            )
            assert counted.input_tokens == whole.usage.input_tokens + (
                whole.usage.cache_read_input_tokens or 0
            )
            await tools_go_round(client)
            held = await client.messages.create(
                model="tiny",
                max_tokens=64,
                messages=HELLO,
                output_config={"format": {"type": "json_schema", "schema": SHAPE}},
            )
            assert held.content[0].type == "text"
            assert isinstance(json.loads(held.content[0].text)["number"], int)
            with pytest.raises(anthropic.BadRequestError, match="tokens"):
                await client.messages.create(
                    model="tiny",
                    max_tokens=9,
                    messages=[{"role": "user", "content": "word " * 50_000}],
                )
