"""What needs only a tokenizer is answered by the preparation, without the engine."""

import pytest

from lmxd.worker.engine import Answered
from schemas.errors import RequestError
from schemas.inference import Accepted, Message, Request, Text, TextPart, Tokens, Usage
from tests.kit import mlx_engine, tiny
from tests.kit.worker_client import GREEDY, WorkerClient, chat

HELLO = (Message("user", (TextPart("hello world"),)),)


@pytest.fixture(scope="module")
def engine(models):
    return mlx_engine.engine(mlx_engine.open_model(tiny.cached(models, bos=True)), context=64)


def events(engine, kind, **fields):
    answered = engine.prepare(Request("a", "m", kind=kind, **fields), 0.0)
    assert isinstance(answered, Answered)
    first, *rest, usage = answered.events
    assert isinstance(first, Accepted)
    assert isinstance(usage, Usage)
    assert (usage.prompt, usage.completion) == (first.prompt_tokens, 0)
    return first.prompt_tokens, rest


def test_a_text_becomes_tokens_and_tokens_a_text(engine):
    text = "hello 日本 <|im_end|> ,x"
    count, (tokens,) = events(engine, "tokenize", prompts=(text,), special=False)
    assert isinstance(tokens, Tokens)
    assert count == len(tokens.tokens) < len(text.encode())
    back, (shown,) = events(engine, "detokenize", prompts=(tokens.tokens,))
    assert shown == Text("a", 0, text)
    assert back == count


def test_special_says_whether_the_tokenizer_adds_its_own(engine):
    _, (with_,) = events(engine, "tokenize", prompts=("hi",))
    _, (without,) = events(engine, "tokenize", prompts=("hi",), special=False)
    assert with_.tokens[1:] == without.tokens
    assert with_.tokens[0] == engine._model.tokenizer.bos_token_id


def test_a_count_is_that_of_the_prompt_of_a_chat(engine):
    count, rest = events(engine, "count", messages=HELLO)
    assert rest == []
    tokens = engine.prepare(chat("a"), 0.0).openings[0].tokens
    assert count == len(tokens)
    assert events(engine, "tokenize", messages=HELLO) == (count, [Tokens("a", 0, tuple(tokens))])


def test_what_is_longer_than_the_context_is_counted_all_the_same(engine):
    count, _ = events(engine, "tokenize", prompts=("x" * 1000,))
    assert count == 1001
    long = (Message("user", (TextPart("x" * 1000),)),)
    assert events(engine, "count", messages=long)[0] > 1000


def test_a_text_that_would_take_minutes_is_refused(engine):
    with pytest.raises(RequestError, match=r"more than 163904 tokens, .* 131072 to be counted"):
        events(engine, "tokenize", prompts=("x" * 20_000_000,))


@pytest.mark.parametrize(
    ("kind", "fields", "code", "text"),
    [
        ("embed", {"prompts": ("a",)}, "wrong_task", "'m' generates text and cannot embed"),
        ("rerank", {"prompts": ("a",), "documents": ("b",)}, "wrong_task", "cannot rerank"),
        ("tokenize", {}, "invalid_request", "messages is empty"),
        ("tokenize", {"prompts": ("a", "b")}, "invalid_request", "exactly one text"),
        ("tokenize", {"prompts": ((1, 2),)}, "invalid_request", "exactly one text"),
        ("detokenize", {"prompts": ("a",)}, "invalid_request", "exactly one list of tokens"),
        ("detokenize", {"prompts": ((1, 10**6),)}, "invalid_request", "tokens has .*: 1000000"),
        ("count", {}, "invalid_request", "messages is empty"),
    ],
)
def test_what_cannot_be_is_refused(engine, kind, fields, code, text):
    with pytest.raises(RequestError, match=text) as caught:
        engine.prepare(Request("a", "m", kind=kind, **fields), 0.0)
    assert caught.value.code == code


def test_a_worker_answers_while_it_generates(models):
    completion = Request(
        "text", "m", kind="completion", prompts=("hello", "x"), n=2, max_tokens=5, sampling=GREEDY
    )
    with WorkerClient() as worker:
        worker.load(tiny.cached(models))
        count, tokens, answer, wrong = worker.ask(
            Request("count", "m", kind="count", messages=HELLO),
            Request("tokens", "m", kind="tokenize", prompts=("hello world",)),
            completion,
            Request("wrong", "m", kind="embed", prompts=("hello",)),
        )
    assert [type(event) for event in count.events] == [Accepted, Usage]
    assert [type(event) for event in tokens.events] == [Accepted, Tokens, Usage]
    assert answer.usage.completion == 20
    assert wrong.failed.code == "wrong_task"
