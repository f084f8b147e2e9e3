"""Formats and tools through a whole daemon, with OpenAI's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import jsonschema
import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from pydantic import BaseModel

from tests.kit import tiny
from tests.kit.daemon import PATIENCE_S, running
from tests.kit.documents import write
from tests.kit.http_stage import NO_TLS

pytestmark = pytest.mark.asyncio(loop_scope="module")

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Gets the weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
        },
    },
}
ASKED = [{"role": "user", "content": "What is the weather in Paris?"}]
BOOK = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "maxLength": 12},
        "pages": {"type": "integer", "minimum": 1, "maximum": 900},
        "kind": {"enum": ["novel", "poem"]},
    },
    "required": ["title", "pages", "kind"],
    "additionalProperties": False,
}


class Book(BaseModel):
    """What the client's own helper parses an answer into."""

    title: str
    pages: int


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncOpenAI]:
    folder = tmp_path_factory.mktemp("formats")
    weights = tiny.make(folder / "random")
    document = write(
        folder / "desired-state.yaml",
        {
            "tiny": {"source": "builtin:tiny-chat", "state": "loaded"},
            "random": {"source": f"file:{weights}", "state": "loaded"},
        },
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


async def chat(client: AsyncOpenAI, **fields: Any) -> Any:
    asked = {"model": "tiny", "messages": ASKED, "max_tokens": 200, **fields}
    return await client.chat.completions.create(**asked)


def schema(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": "x", "strict": True, "schema": document},
    }


async def test_answers_of_random_weights_validate_beside_free_ones(client: AsyncOpenAI) -> None:
    def bound(seed: int) -> Any:
        form = schema(BOOK)
        return chat(client, model="random", temperature=1, seed=seed, response_format=form)

    free = {"model": "random", "temperature": 1, "seed": 1, "max_tokens": 40}
    alone = await chat(client, **free)
    *answers, beside = await asyncio.gather(*map(bound, range(6)), chat(client, **free))
    assert beside.choices[0].message.content == alone.choices[0].message.content
    ended = [each.choices[0] for each in answers if each.choices[0].finish_reason == "stop"]
    assert len(ended) >= 4
    for choice in ended:
        jsonschema.validate(json.loads(choice.message.content), BOOK)
    assert {each.choices[0].finish_reason for each in answers} <= {"stop", "length"}


async def test_the_clients_helper_parses_and_any_json_is_an_object(client: AsyncOpenAI) -> None:
    parsed = await client.chat.completions.parse(
        model="tiny", messages=ASKED, max_tokens=200, temperature=0, response_format=Book
    )
    assert isinstance(parsed.choices[0].message.parsed, Book)
    answer = await chat(
        client, model="random", response_format={"type": "json_object"}, temperature=1, seed=4
    )
    choice = answer.choices[0]
    assert choice.finish_reason == "length" or isinstance(json.loads(choice.message.content), dict)


async def test_regular_expressions_and_grammars_are_extensions(client: AsyncOpenAI) -> None:
    answer = await chat(client, extra_body={"regex": "(yes|no)!"})
    assert answer.choices[0].message.content in ("yes!", "no!")
    answer = await chat(client, extra_body={"grammar": 'start: "maybe"'})
    assert answer.choices[0].message.content == "maybe"


async def test_a_keyword_that_cannot_be_enforced_is_named(client: AsyncOpenAI) -> None:
    form = schema({"type": "array", "items": {"type": "integer"}, "uniqueItems": True})
    with pytest.raises(openai.BadRequestError) as refused:
        await chat(client, response_format=form)
    assert "uniqueItems at /uniqueItems" in str(refused.value)


async def test_a_tool_is_called_and_its_result_told(client: AsyncOpenAI) -> None:
    answer = await chat(client, tools=[WEATHER], temperature=0)
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls"
    (call,) = choice.message.tool_calls
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Paris"}
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 C"}
    turn = [*ASKED, choice.message.model_dump(exclude_none=True), result]
    after = await chat(client, messages=turn, tools=[WEATHER], temperature=0)
    assert "sunny, 21 C" in after.choices[0].message.content


async def test_arguments_are_streamed_in_pieces(client: AsyncOpenAI) -> None:
    stream = await chat(client, tools=[WEATHER], temperature=0, stream=True)
    pieces = [
        call.function.arguments
        async for chunk in stream
        for choice in chunk.choices
        for call in choice.delta.tool_calls or ()
        if call.function.arguments
    ]
    assert len(pieces) > 2
    assert json.loads("".join(pieces)) == {"city": "Paris"}


@pytest.mark.parametrize(
    "choice", ["required", {"type": "function", "function": {"name": "get_weather"}}]
)
async def test_a_call_that_must_be_made_is_made(client: AsyncOpenAI, choice: object) -> None:
    hello = [{"role": "user", "content": "Hello!"}]
    answer = await chat(
        client, messages=hello, tools=[WEATHER], tool_choice=choice, temperature=2, seed=3
    )
    told = answer.choices[0]
    assert told.message.tool_calls or told.finish_reason == "length"
    for call in told.message.tool_calls or ():
        if told.finish_reason != "length":
            jsonschema.validate(
                json.loads(call.function.arguments), WEATHER["function"]["parameters"]
            )


async def test_a_model_that_knows_no_tools_says_so(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        await chat(client, model="random", tools=[WEATHER])
    assert "cannot call tools" in str(refused.value)
