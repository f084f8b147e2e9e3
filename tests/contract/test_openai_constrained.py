"""Structured answers and tools of a whole daemon with its built-in model, by the OpenAI client."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any, Literal

import jsonschema
import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from pydantic import BaseModel

from tests.kit.daemon import PATIENCE_S, running
from tests.kit.documents import write
from tests.kit.http_stage import NO_TLS

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}, "days": {"enum": [1, 7]}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "weather", "parameters": WEATHER}},
    {"type": "function", "function": {"name": "clock"}},
]


class Fair(BaseModel):
    kind: Literal["market", "book"]
    day: Literal[1, 2, 3]
    open: bool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncOpenAI]:
    folder = tmp_path_factory.mktemp("constrained")
    document = write(
        folder / "desired-state.yaml",
        {"tiny": {"source": "builtin:tiny-chat", "state": "loaded"}},
    )
    http = openai.DefaultAsyncHttpxClient(verify=NO_TLS, trust_env=False)
    async with running(document, folder) as daemon:
        await daemon.ready()
        async with AsyncOpenAI(
            base_url=f"{daemon.url}/v1",
            api_key="none",
            max_retries=0,
            timeout=PATIENCE_S,
            http_client=http,
        ) as made:
            yield made


async def choice(client: AsyncOpenAI, **fields: Any) -> Any:
    asked = {"messages": HELLO, "max_tokens": 96, "temperature": 1.2, "seed": 5, **fields}
    return (await client.chat.completions.create(model="tiny", **asked)).choices[0]


async def text(client: AsyncOpenAI, **fields: Any) -> str:
    got = await choice(client, **fields)
    assert got.finish_reason == "stop"
    return str(got.message.content)


async def test_a_model_of_the_clients_is_filled_in(client: AsyncOpenAI) -> None:
    async def parsed(seed: int) -> Fair | None:
        got = await client.chat.completions.parse(
            model="tiny",
            messages=HELLO,
            response_format=Fair,
            max_tokens=96,
            temperature=2,
            seed=seed,
        )
        return got.choices[0].message.parsed

    found = await asyncio.gather(*(parsed(seed) for seed in range(6)))
    assert all(isinstance(each, Fair) for each in found)
    assert len({str(each) for each in found}) > 1
    responded = await client.responses.parse(
        model="tiny", input="hello", text_format=Fair, max_output_tokens=96
    )
    assert isinstance(responded.output_parsed, Fair)


async def test_any_json_and_streams_of_it(client: AsyncOpenAI) -> None:
    assert isinstance(
        json.loads(await text(client, response_format={"type": "json_object"}, seed=3)), dict
    )
    async with client.chat.completions.stream(
        model="tiny", messages=HELLO, response_format=Fair, max_tokens=96
    ) as stream:
        final = await stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Fair)


@pytest.mark.parametrize("odd", ['a "quoted" \\ word', "tab\there\nand a line", "Ünï 👩‍👩‍👧"])
async def test_one_of_some_texts(client: AsyncOpenAI, odd: str) -> None:
    assert await text(client, extra_body={"guided_choice": [odd]}) == odd
    either = {"structured_outputs": {"choice": ["yes", "no"]}}
    assert await text(client, extra_body=either) in {"yes", "no"}


@pytest.mark.parametrize("name", ["regex", "guided_regex"])
async def test_a_regular_expression(client: AsyncOpenAI, name: str) -> None:
    said = await text(client, extra_body={name: r"[a-c]{3}-\d{2}"})
    assert re.fullmatch(r"[a-c]{3}-\d{2}", said)


async def test_a_grammar_also_for_plain_text(client: AsyncOpenAI) -> None:
    grammar = 'start: "a" ("b" | "c") "d"'
    assert await text(client, extra_body={"grammar": grammar}) in {"abd", "acd"}
    got = await client.completions.create(
        model="tiny", prompt="x", max_tokens=9, n=2, extra_body={"guided_grammar": grammar}
    )
    assert {each.text for each in got.choices} <= {"abd", "acd"}


@pytest.mark.parametrize(
    "fields",
    [
        {"extra_body": {"grammar": "start: ((("}},
        {"extra_body": {"regex": "(["}},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "schema": {"not": {"type": "string"}}},
            }
        },
    ],
)
async def test_what_cannot_be_enforced_is_refused(
    client: AsyncOpenAI, fields: dict[str, Any]
) -> None:
    with pytest.raises(openai.BadRequestError):
        await choice(client, **fields)


async def test_an_answer_that_is_cut_off_says_so(client: AsyncOpenAI) -> None:
    got = await choice(client, response_format={"type": "json_object"}, max_tokens=2)
    assert got.finish_reason == "length"


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize("stream", [True, False])
async def test_a_call_that_is_asked_for_fits_its_schema(client: AsyncOpenAI, stream: bool) -> None:
    asked: dict[str, Any] = {"tools": TOOLS, "tool_choice": named("weather"), "temperature": 2}
    if stream:
        async with client.chat.completions.stream(
            model="tiny", messages=HELLO, seed=5, max_tokens=200, **asked
        ) as events:
            got = (await events.get_final_completion()).choices[0]
    else:
        got = await choice(client, max_tokens=200, **asked)
    assert got.finish_reason == "tool_calls"
    calls = got.message.tool_calls
    assert calls is not None
    (call,) = calls
    assert call.function.name == "weather"
    jsonschema.validate(json.loads(call.function.arguments), WEATHER)


async def test_whether_tools_are_called(client: AsyncOpenAI) -> None:
    required = await choice(
        client, tools=TOOLS, tool_choice="required", parallel_tool_calls=False, max_tokens=200
    )
    assert required.finish_reason == "tool_calls"
    assert len(required.message.tool_calls) == 1
    none = await choice(client, tools=TOOLS, tool_choice="none")
    assert none.message.tool_calls is None
    some: dict[str, Any] = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "required", "tools": [named("clock")]},
    }
    allowed = await choice(client, tools=TOOLS, tool_choice=some, max_tokens=200)
    assert {call.function.name for call in allowed.message.tool_calls} == {"clock"}


async def test_a_result_is_told(client: AsyncOpenAI) -> None:
    question = {"role": "user", "content": "What is the weather in Rome?"}
    tools: list[Any] = [
        {
            "type": "function",
            "function": {
                "name": "get_weather",
                "parameters": {
                    "type": "object",
                    "properties": {"city": {"type": "string"}},
                    "required": ["city"],
                },
            },
        }
    ]
    asked = await choice(client, messages=[question], tools=tools, temperature=0)
    (call,) = asked.message.tool_calls
    assert json.loads(call.function.arguments) == {"city": "Rome"}
    result = {"role": "tool", "tool_call_id": call.id, "content": '{"temp": 21}'}
    said = await choice(
        client,
        messages=[question, asked.message.model_dump(exclude_none=True), result],
        tools=tools,
        temperature=0,
    )
    assert "21" in said.message.content


async def test_a_response_calls_and_goes_on(client: AsyncOpenAI) -> None:
    tools: list[Any] = [{"type": "function", "name": "clock"}]
    first = await client.responses.create(
        model="tiny", input="hello", tools=tools, tool_choice="required", max_output_tokens=200
    )
    calls = [item for item in first.output if item.type == "function_call"]
    assert calls
    outputs: list[Any] = [
        {"type": "function_call_output", "call_id": call.call_id, "output": "noon"}
        for call in calls
    ]
    done = await client.responses.create(
        model="tiny",
        input=outputs,
        previous_response_id=first.id,
        tools=tools,
        tool_choice="none",
        max_output_tokens=24,
        temperature=0,
    )
    assert done.output_text
