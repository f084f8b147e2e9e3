"""The official OpenAI client against a whole daemon and its built-in model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from tests.kit.daemon import PATIENCE_S, running
from tests.kit.documents import write
from tests.kit.http_stage import NO_TLS

pytestmark = pytest.mark.asyncio(loop_scope="module")

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AsyncOpenAI]:
    folder = tmp_path_factory.mktemp("openai")
    document = write(
        folder / "desired-state.yaml",
        {"tiny": {"source": "builtin:tiny-chat", "state": "loaded"}},
        aliases={"gpt-4o-mini": "tiny"},
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


async def said(client: AsyncOpenAI, **fields: Any) -> str:
    """What is said to hello, streamed."""
    asked = {"model": "tiny", "messages": HELLO, "max_tokens": 24, "temperature": 0, **fields}
    stream = await client.chat.completions.create(stream=True, **asked)
    return "".join(
        [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
    )


async def test_streamed_and_whole_are_the_same(client: AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(
        model="gpt-4o-mini", messages=HELLO, max_tokens=24, temperature=0
    )
    assert whole.model == "gpt-4o-mini"
    assert whole.choices[0].message.content == await said(client) != ""
    assert whole.usage is not None
    assert whole.usage.completion_tokens > 0


async def test_seeds_and_several_answers(client: AsyncOpenAI) -> None:
    async def three() -> list[str | None]:
        got = await client.chat.completions.create(
            model="tiny", messages=HELLO, n=3, seed=7, temperature=1.5, max_tokens=12
        )
        assert [choice.index for choice in got.choices] == [0, 1, 2]
        return [choice.message.content for choice in got.choices]

    first, again = await asyncio.gather(three(), three())
    assert first == again
    assert len(set(first)) > 1


async def test_several_answers_streamed(client: AsyncOpenAI) -> None:
    texts = {0: "", 1: ""}
    stream = await client.chat.completions.create(
        model="tiny", messages=HELLO, n=2, seed=7, max_tokens=8, stream=True
    )
    finished: list[int] = []
    async for chunk in stream:
        choice = chunk.choices[0]
        texts[choice.index] += choice.delta.content or ""
        finished += [choice.index] if choice.finish_reason else []
    assert sorted(finished) == [0, 1]
    assert all(texts.values())


async def test_logprobs_are_of_the_text(client: AsyncOpenAI) -> None:
    got = await client.chat.completions.create(
        model="tiny",
        messages=HELLO,
        max_tokens=8,
        temperature=0,
        logprobs=True,
        top_logprobs=3,
    )
    choice = got.choices[0]
    assert choice.logprobs is not None
    content = choice.logprobs.content
    assert content is not None
    raw = b"".join(bytes(token.bytes or ()) for token in content)
    assert raw.decode() == choice.message.content
    for token in content:
        assert len(token.top_logprobs) == 3
        assert token.token == token.top_logprobs[0].token  # greedy takes the likeliest
        assert token.logprob == token.top_logprobs[0].logprob <= 0


async def test_a_bias_rules_a_token_out(client: AsyncOpenAI) -> None:
    got = await client.chat.completions.create(
        model="tiny", messages=HELLO, max_tokens=1, temperature=0, logprobs=True
    )
    content = got.choices[0].logprobs and got.choices[0].logprobs.content
    assert content
    first = content[0].token
    ids = (await tokens(client, prompt=first, add_special_tokens=False))["tokens"]
    assert len(ids) == 1
    other = await said(client, max_tokens=1, logit_bias={str(ids[0]): -100})
    assert other != first


async def tokens(client: AsyncOpenAI, **fields: Any) -> Any:
    return await client.post("/tokenize", body={"model": "tiny", **fields}, cast_to=object)


async def test_tokens_of_texts_and_messages(client: AsyncOpenAI) -> None:
    text = "The quick brown fox. Ünïcode 👩‍👩‍👧"
    found = await tokens(client, prompt=text)
    assert found["count"] == len(found["tokens"]) > 3
    assert found["max_model_len"] >= 512
    back: Any = await client.post(
        "/detokenize", body={"model": "tiny", "tokens": found["tokens"]}, cast_to=object
    )
    assert back == {"prompt": text}
    chat = await tokens(client, messages=HELLO)
    got = await client.chat.completions.create(model="tiny", messages=HELLO, max_tokens=1)
    assert got.usage is not None
    assert chat["count"] == got.usage.prompt_tokens


async def test_stop_strings_are_not_shown(client: AsyncOpenAI) -> None:
    whole = await said(client)
    stop = whole[2:5]
    assert await said(client, stop=[stop]) == whole[: whole.index(stop)]


async def test_the_beginning_of_an_answer_is_gone_on_with(client: AsyncOpenAI) -> None:
    whole = await said(client)
    end = whole.index(" ")  # in the middle of a token another answer would be likelier
    begun = [*HELLO, {"role": "assistant", "content": whole[:end]}]
    assert await said(client, messages=begun) == whole[end:]


async def test_completions_of_texts_and_tokens(client: AsyncOpenAI) -> None:
    ids = (await tokens(client, prompt="Once upon"))["tokens"]
    got = await client.completions.create(
        model="tiny", prompt=["Once upon", "Twice"], max_tokens=6, temperature=0, n=2
    )
    same = await client.completions.create(model="tiny", prompt=ids, max_tokens=6, temperature=0)
    assert [choice.index for choice in got.choices] == [0, 1, 2, 3]
    assert got.choices[0].text == got.choices[1].text == same.choices[0].text
    stream = await client.completions.create(
        model="tiny", prompt="Once upon", max_tokens=6, temperature=0, stream=True
    )
    streamed = "".join([chunk.choices[0].text async for chunk in stream if chunk.choices])
    assert streamed == same.choices[0].text


async def test_a_prompt_is_scored(client: AsyncOpenAI) -> None:
    got = await client.completions.create(
        model="tiny", prompt="Once upon a time", max_tokens=0, echo=True, logprobs=1
    )
    choice = got.choices[0]
    assert choice.text == "Once upon a time"
    told = choice.logprobs
    assert told is not None
    assert told.tokens is not None
    assert told.token_logprobs is not None
    assert told.text_offset is not None
    assert "".join(told.tokens) == choice.text
    assert told.token_logprobs[0] is None
    assert all(value <= 0 for value in told.token_logprobs[1:])
    assert [choice.text[at:][:1] for at in told.text_offset] == [token[:1] for token in told.tokens]


async def test_responses_made_continued_and_deleted(client: AsyncOpenAI) -> None:
    first = await client.responses.create(
        model="tiny", input="hello", max_output_tokens=24, temperature=0
    )
    assert first.output_text != ""
    async with client.responses.stream(
        model="tiny",
        input="What did I say?",
        previous_response_id=first.id,
        max_output_tokens=24,
        temperature=0,
    ) as stream:
        events = [event async for event in stream]
        second = await stream.get_final_response()
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(deltas) == second.output_text
    assert second.usage is not None
    assert first.usage is not None
    assert second.usage.input_tokens > first.usage.input_tokens
    assert (await client.responses.retrieve(second.id)).output_text == second.output_text
    items = await client.responses.input_items.list(second.id, order="asc")
    assert [item.type for item in items.data] == ["message", "message", "message"]
    await client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(first.id)


async def test_a_response_that_is_cut_off_says_so(client: AsyncOpenAI) -> None:
    got = await client.responses.create(model="tiny", input="hello", max_output_tokens=1)
    assert got.status == "incomplete"
    assert got.incomplete_details is not None
    assert got.incomplete_details.reason == "max_output_tokens"


async def test_models(client: AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == ["tiny", "gpt-4o-mini"]


@pytest.mark.parametrize(
    ("fields", "kind", "code"),
    [
        ({"model": "gpt-9"}, openai.NotFoundError, "model_not_found"),
        ({"temperature": 9}, openai.BadRequestError, "invalid_request"),
        ({"logit_bias": {"999999999": 1}}, openai.BadRequestError, "invalid_request"),
        (
            {"messages": [{"role": "user", "content": "word " * 50_000}]},
            openai.BadRequestError,
            "context_length_exceeded",
        ),
        ({"modalities": ["audio"]}, openai.BadRequestError, "unsupported_parameter"),
    ],
)
async def test_errors_are_the_clients_own(
    client: AsyncOpenAI, fields: dict[str, Any], kind: type[openai.APIStatusError], code: str
) -> None:
    with pytest.raises(kind) as caught:
        await said(client, **fields)
    assert caught.value.code == code
