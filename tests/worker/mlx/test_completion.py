"""Completions: texts and tokens as prompts, several of them, echoed, and around a gap."""

import mlx.core as mx
import numpy as np
import pytest

from schemas.errors import RequestError
from schemas.inference import Finish, Request, Sampling, Text
from tests.kit import mlx_engine, tiny
from tests.kit.worker_client import GREEDY

FIM = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>")


@pytest.fixture(scope="module", params=["bytes", "spm"])
def model(request, models):
    return mlx_engine.open_model(tiny.cached(models, tokenizer=request.param, chat=False))


@pytest.fixture(scope="module")
def bos_model(models):
    return mlx_engine.open_model(tiny.cached(models, bos=True, control=FIM))


def completion(request_id, *prompts, **fields):
    fields.setdefault("sampling", GREEDY)
    fields.setdefault("max_tokens", 8)
    return Request(request_id, "m", kind="completion", prompts=prompts, **fields)


def run(engine, *asked):
    mlx_engine.submit(engine, *asked)
    return mlx_engine.run(engine)


def indexed(answer, index):
    return [event for event in answer.events if isinstance(event, Text) and event.index == index]


def text_of(answer, index=0):
    return "".join(event.text for event in indexed(answer, index))


def test_a_text_and_its_tokens_are_answered_alike(model):
    ids = tuple(model.tokenizer.encode("hello the world"))
    engine = mlx_engine.engine(model)
    answers = run(engine, completion("text", "hello the world"), completion("ids", ids))
    assert answers["text"].text == answers["ids"].text != ""
    assert answers["text"].usage.prompt == len(ids)


def test_the_answer_goes_on_from_the_text_without_a_cut(models):
    """The vocabulary's first space is part of an answer that continues a text."""
    model = mlx_engine.open_model(
        tiny.cached(models, tokenizer="spm", says=[" the", " of", "x"], chat=False)
    )
    assert run(mlx_engine.engine(model), completion("a", "\n"))["a"].text == " the ofx"


def test_the_tokenizer_decides_what_a_text_begins_with(bos_model):
    engine = mlx_engine.engine(bos_model)

    def tokens(prompt):
        return engine.prepare(completion("a", prompt), 0.0).openings[0].tokens

    begin = bos_model.tokenizer.bos_token_id
    assert tokens("hello")[0] == begin
    assert tokens("<|endoftext|>hello") == tokens("hello"), "one is enough"
    assert tokens((40, 41)) == [40, 41], "tokens are taken as they are"
    assert tokens("") == [begin]


def test_answer_i_to_prompt_p_has_the_index_p_n_plus_i(model):
    hot = Sampling(temperature=1.0, seed=10)
    engine = mlx_engine.engine(model)
    answer = run(engine, completion("a", "one", "two more", (40, 41), n=2, sampling=hot))["a"]
    for p, prompt in enumerate(("one", "two more", (40, 41))):
        for i in range(2):
            seeded = Sampling(temperature=1.0, seed=10 + i)
            (single,) = run(
                mlx_engine.engine(model), completion("s", prompt, sampling=seeded)
            ).values()
            assert text_of(answer, 2 * p + i) == single.text
    assert sorted(e.index for e in answer.events if isinstance(e, Finish)) == list(range(6))
    assert answer.usage.completion == 6 * 8


@pytest.mark.parametrize("logprobs", [None, 0, 3])
def test_an_echo_comes_before_the_answer(model, logprobs):
    engine = mlx_engine.engine(model)
    plain = run(engine, completion("a", "hello world"))["a"].text
    answer = run(engine, completion("a", "hello world", echo=True, logprobs=logprobs, n=2))["a"]
    for index in range(2):
        first, *rest = indexed(answer, index)
        assert first.text == "hello world"
        assert "".join(event.text for event in rest) == plain
        assert (first.logprobs is None) == (logprobs is None)


def test_an_echo_of_tokens_is_their_text(model):
    ids = tuple(model.tokenizer.encode("grüß dich 👋", add_special_tokens=False))
    answer = run(mlx_engine.engine(model), completion("a", ids, echo=True, max_tokens=0))["a"]
    assert answer.text == "grüß dich 👋"
    assert (answer.finish, answer.usage.completion) == ("length", 0)


def test_a_prompts_logprobs_are_those_of_the_model(model):
    """A prompt of several pieces, in a running batch, with nothing generated after it."""
    text = "the world of hello 日本 " * 40
    engine = mlx_engine.engine(model)
    asked = completion("a", text, echo=True, logprobs=4, max_tokens=0)
    tokens = engine.prepare(asked, 0.0).openings[0].tokens
    answers = run(engine, completion("other", "x", max_tokens=60), asked)
    assert len(tokens) > 256
    told = answers["a"].events[1].logprobs
    assert [each.token for each in told] == list(tokens)
    logits = np.array(model.module(mx.array([tokens]))[0].astype(mx.float32), dtype=np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    wanted = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    assert (told[0].logprob, told[0].top) == (None, ())
    for place, each in enumerate(told[1:]):
        assert each.logprob == pytest.approx(wanted[place, each.token], abs=2e-4)
        assert [rival.logprob for rival in each.top] == pytest.approx(
            sorted(wanted[place], reverse=True)[:4], abs=2e-4
        )
    assert b"".join(each.raw for each in told).decode() == text


def test_the_token_that_a_tokenizer_adds_is_not_echoed(bos_model):
    answer = run(
        mlx_engine.engine(bos_model), completion("a", "hi", echo=True, logprobs=0, max_tokens=0)
    )["a"]
    (event,) = indexed(answer, 0)
    assert event.text == "hi"
    assert [each.text for each in event.logprobs] == ["h", "i"]
    assert event.logprobs[0].logprob is not None, "the added token foretold it"


def test_a_gap_is_asked_for_with_the_models_own_tokens(bos_model):
    engine = mlx_engine.engine(bos_model)
    (opening,) = engine.prepare(completion("a", "def f(", suffix=" return"), 0.0).openings
    text = bos_model.tokenizer.decode(opening.tokens)
    assert text == "<|endoftext|><|fim_prefix|>def f(<|fim_suffix|> return<|fim_middle|>"
    assert engine.capabilities == ("chat", "completion", "suffix", "structured")


@pytest.mark.parametrize(
    "marks",
    [
        ("<fim_prefix>", "<fim_suffix>", "<fim_middle>"),
        ("▁<PRE>", "▁<SUF>", "▁<MID>"),
        ("<\uff5cfim▁begin\uff5c>", "<\uff5cfim▁hole\uff5c>", "<\uff5cfim▁end\uff5c>"),
    ],
)
@pytest.mark.parametrize("kind", ["bytes", "spm"])
def test_every_family_writes_a_gap_in_its_own_way(models, marks, kind):
    model = mlx_engine.open_model(tiny.cached(models, control=marks, tokenizer=kind))
    engine = mlx_engine.engine(model)
    (opening,) = engine.prepare(completion("a", "x =", suffix="\n+ 1"), 0.0).openings
    places = [opening.tokens.index(model.tokenizer.convert_tokens_to_ids(mark)) for mark in marks]
    assert places[0] == 0
    assert places[2] == len(opening.tokens) - 1
    before = opening.tokens[1 : places[1]]
    after = opening.tokens[places[1] + 1 : -1]
    assert before == model.tokenizer.encode("x =", add_special_tokens=False)
    assert model.tokenizer.decode(after) == "\n+ 1"


def test_a_token_that_ends_a_gap_ends_the_answer(bos_model):
    pad = bos_model.tokenizer.convert_tokens_to_ids("<|fim_pad|>")
    only = Sampling(temperature=0.0, logit_bias={pad: 100.0})
    engine = mlx_engine.engine(bos_model)
    answer = run(engine, completion("a", "x", suffix="y", sampling=only))["a"]
    assert (answer.text, answer.finish, answer.usage.completion) == ("", "stop", 1)
    answer = run(engine, completion("a", "x", sampling=only))["a"]
    assert (answer.finish, answer.usage.completion) == ("length", 8)


BAD = [
    ((), {}, "invalid_request", "the number of prompts times n is 0, it must be between"),
    (("a",) * 100, {"n": 21}, "invalid_request", "prompts times n is 2100, .* 1 and 2048"),
    (
        ((40,) * 1500,),
        {"echo": True, "logprobs": 19, "n": 10},
        "invalid_request",
        "of 1500 tokens is 300000 values, the limit is 250000",
    ),
    (("",), {}, "invalid_request", "the prompt is empty"),
    (((),), {}, "invalid_request", "the prompt is empty"),
    (((1, 10**6, -4),), {}, "invalid_request", "prompt has tokens .*: 1000000, -4"),
    (("a",), {"max_tokens": 0}, "invalid_request", "max_tokens is 0"),
    (("a",), {"max_tokens": -1, "echo": True}, "invalid_request", "max_tokens is -1"),
    (("a",), {"n": 0}, "invalid_request", "n is 0, it must be between 1 and 128"),
    (("a",), {"n": 129}, "invalid_request", "n is 129"),
    (("a",), {"suffix": "b"}, "unsupported_parameter", "suffix: the model of 'm' has no tokens"),
    (("x " * 3000,), {}, "context_length_exceeded", "this model takes 2048"),
]


@pytest.mark.parametrize(("prompts", "fields", "code", "text"), BAD)
def test_bad_completions_are_refused(model, prompts, fields, code, text):
    with pytest.raises(RequestError, match=text) as caught:
        mlx_engine.engine(model).prepare(completion("a", *prompts, **fields), 0.0)
    assert caught.value.code == code


def test_echo_and_suffix_do_not_go_together(bos_model):
    with pytest.raises(RequestError, match="echo and suffix"):
        mlx_engine.engine(bos_model).prepare(completion("a", "b", suffix="c", echo=True), 0.0)


def test_a_prompt_that_fills_the_context_can_still_be_scored(model):
    engine = mlx_engine.engine(model, context=30)
    asked = completion("a", tuple(range(30, 60)), echo=True, logprobs=0, max_tokens=0)
    assert len(run(engine, asked)["a"].events[1].logprobs) == 30
    with pytest.raises(RequestError, match="the prompt has 30 tokens, this model takes 30"):
        engine.prepare(completion("a", tuple(range(30, 60))), 0.0)
