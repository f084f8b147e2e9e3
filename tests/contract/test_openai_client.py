"""The official OpenAI client against a real server: what its users see and catch."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam

from lmxd.http.ports import Timing
from reconciler.state import Live
from schemas.errors import Code, RequestError
from schemas.inference import Failed
from tests.kit.fake_gate import DEADLINE_S, FakeGate, FakeGeneration, answer, routes
from tests.kit.http_stage import NO_TLS, Stage, stage

T = TypeVar("T")
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hello"}]


@pytest.fixture
async def on() -> AsyncIterator[Stage]:
    gate = FakeGate(routes({"auto": ["day-coder"]}, day_coder=Live.READY), answer("Hel", "lo"))
    async with stage(gate) as running:
        yield running


def connect(on: Stage, *, retries: int) -> AsyncOpenAI:
    return AsyncOpenAI(
        base_url=f"{on.url}/v1",
        api_key="none",
        max_retries=retries,
        timeout=DEADLINE_S,
        http_client=openai.DefaultAsyncHttpxClient(verify=NO_TLS, trust_env=False),
    )


@pytest.fixture
async def client(on: Stage) -> AsyncIterator[AsyncOpenAI]:
    async with connect(on, retries=0) as made:
        yield made


def begin(one: FakeGeneration) -> None:
    """Accept, say a word, and leave it at that."""
    one.accept().say("once")


async def in_thread(on: Stage, use: Callable[[OpenAI], T]) -> T:
    """Run the blocking client beside the server's loop."""

    def run() -> T:
        http = openai.DefaultHttpxClient(verify=NO_TLS, trust_env=False)
        with OpenAI(
            base_url=f"{on.url}/v1",
            api_key="none",
            max_retries=0,
            timeout=DEADLINE_S,
            http_client=http,
        ) as made:
            return use(made)

    return await asyncio.to_thread(run)


async def test_a_completion(client: AsyncOpenAI) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model="auto",
        messages=HELLO,
        temperature=0,
        stop=["\n"],
        seed=7,
    )
    got = raw.parse()
    assert got.choices[0].message.content == "Hello"
    assert got.choices[0].message.role == "assistant"
    assert got.choices[0].finish_reason == "stop"
    assert got.model == "auto"
    assert got.id.startswith("chatcmpl-")
    assert got.usage is not None
    assert got.usage.total_tokens == 9
    assert got.usage.prompt_tokens_details is not None
    assert got.usage.prompt_tokens_details.cached_tokens == 2
    assert raw.headers["lmxd-model"] == "day-coder@4f0c8e1"
    assert raw.request_id == raw.headers["x-request-id"]


async def test_a_stream_with_usage(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="auto",
        messages=HELLO,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = [chunk async for chunk in stream]
    said = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert said == "Hello"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 2
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1


async def test_the_streaming_helper_accumulates(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(
        model="auto",
        messages=HELLO,
    ) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "Hello"


async def test_the_blocking_client_whole_and_streamed(on: Stage) -> None:
    whole = await in_thread(
        on,
        lambda client: client.chat.completions.create(
            model="auto",
            messages=HELLO,
        ),
    )
    said = await in_thread(
        on,
        lambda client: "".join(
            chunk.choices[0].delta.content or ""
            for chunk in client.chat.completions.create(
                model="auto",
                messages=HELLO,
                stream=True,
            )
        ),
    )
    assert whole.choices[0].message.content == said == "Hello"


async def test_models_are_listed_and_found(client: AsyncOpenAI) -> None:
    listed = [model.id async for model in client.models.list()]
    one = await client.models.retrieve("auto")
    assert listed == ["day-coder", "auto"]
    assert one.id == "auto"
    assert one.model_extra == {"lmxd": {"state": "ready", "ready": True, "key": "day-coder"}}
    with pytest.raises(openai.NotFoundError) as caught:
        await client.models.retrieve("gpt-9")
    assert caught.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Code.INVALID_REQUEST, openai.BadRequestError),
        (Code.CONTEXT_LENGTH_EXCEEDED, openai.BadRequestError),
        (Code.MODEL_NOT_FOUND, openai.NotFoundError),
        (Code.MODEL_NOT_LOADED, openai.NotFoundError),
        (Code.QUEUE_FULL, openai.InternalServerError),
        (Code.DEADLINE_EXCEEDED, openai.InternalServerError),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_errors_are_the_clients_own_exceptions(
    on: Stage, client: AsyncOpenAI, code: Code, kind: type[openai.APIStatusError], stream: bool
) -> None:
    on.gate.script = lambda one: one.refuse(RequestError(code, "no such luck", param="model"))
    with pytest.raises(kind) as caught:
        await client.chat.completions.create(
            model="auto",
            messages=HELLO,
            stream=stream,
        )
    assert caught.value.code == code
    assert caught.value.param == "model"
    assert "no such luck" in str(caught.value)


async def test_a_failure_midway_is_raised_after_the_text_before_it(
    on: Stage, client: AsyncOpenAI
) -> None:
    def script(one: FakeGeneration) -> None:
        one.accept().say("Hel").fail(Failed(one.request.id, 0, "worker_died", "signal 9"))

    on.gate.script = script
    said: list[str | None] = []

    async def listen() -> None:
        async for chunk in await client.chat.completions.create(
            model="auto",
            messages=HELLO,
            stream=True,
        ):
            said.append(chunk.choices[0].delta.content)

    with pytest.raises(openai.APIError, match="signal 9") as caught:
        await listen()
    assert said == ["", "Hel"]
    assert caught.value.code == "worker_died"


async def test_comments_while_waiting_are_not_seen(client: AsyncOpenAI) -> None:
    gate = FakeGate()
    async with stage(gate, timing=Timing(hold_s=0.01, keep_alive_s=0.01)) as slow:
        other = client.with_options(base_url=f"{slow.url}/v1")
        stream = await other.chat.completions.create(
            model="auto",
            messages=HELLO,
            stream=True,
        )
        (await gate.nth(0)).accept().say("late").finish()
        said = [chunk.choices[0].delta.content async for chunk in stream if chunk.choices]
    assert "".join(text or "" for text in said) == "late"


async def test_retries_follow_the_headers(on: Stage) -> None:
    """Useful retries are made, useless ones are not."""
    turns: list[RequestError | None] = [
        RequestError(Code.MODEL_LOADING, "loading", retry_after_s=0),
        None,
        RequestError(Code.NOT_ADMITTED, "does not fit", retry=False),
    ]

    def script(one: FakeGeneration) -> None:
        error = turns.pop(0)
        if error is None:
            answer("now")(one)
        else:
            one.refuse(error)

    on.gate.script = script
    async with connect(on, retries=2) as client:
        got = await client.chat.completions.create(
            model="auto",
            messages=HELLO,
        )
        assert got.choices[0].message.content == "now"
        with pytest.raises(openai.InternalServerError):
            await client.chat.completions.create(
                model="auto",
                messages=HELLO,
            )
    assert turns == []


async def test_leaving_a_stream_early_ends_the_generation(on: Stage, client: AsyncOpenAI) -> None:
    on.gate.script = begin
    stream = await client.chat.completions.create(
        model="auto",
        messages=HELLO,
        stream=True,
    )
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    await asyncio.wait_for(on.gate.taken[0].closed.wait(), DEADLINE_S)


async def test_what_is_not_supported_is_refused_by_name(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(
            model="auto",
            messages=HELLO,
            modalities=["text", "audio"],
        )
    assert (caught.value.code, caught.value.param) == ("unsupported_parameter", "modalities")


async def test_ignored_fields_are_named(client: AsyncOpenAI) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model="auto",
        messages=HELLO,
        extra_body={"mood": "good"},
        store=True,
    )
    assert raw.headers["lmxd-ignored"] == "mood"
