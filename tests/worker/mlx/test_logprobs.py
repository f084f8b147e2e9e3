"""The logprobs that are told are those of the model, whatever else is in the batch."""

import mlx.core as mx
import numpy as np
import pytest

from lmxd.worker.mlx.logprobs import LEAST, Told
from lmxd.worker.mlx.sampling import Row, Sampler
from schemas.inference import Sampling, Text
from tests.kit import mlx_engine, tiny
from tests.kit.worker_client import GREEDY, chat

HOT = Sampling(temperature=1.3, top_p=0.8, seed=3)


@pytest.fixture(scope="module", params=["bytes", "spm"])
def model(request, models):
    return mlx_engine.open_model(tiny.cached(models, tokenizer=request.param))


def told_of(answer):
    events = [event for event in answer.events if isinstance(event, Text)]
    return [each for event in events for each in event.logprobs or ()]


def check_against_the_model(model, prompt, told):
    """Every value, recomputed by mlx-lm in one pass over prompt and answer."""
    tokens = [*prompt, *(each.token for each in told)]
    logits = np.array(model.module(mx.array([tokens]))[0].astype(mx.float32), dtype=np.float64)
    logits -= logits.max(axis=-1, keepdims=True)
    wanted = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    for place, each in enumerate(told, start=len(prompt) - 1):
        assert each.logprob == pytest.approx(wanted[place, each.token], abs=2e-4)
        assert [rival.logprob for rival in each.top] == pytest.approx(
            sorted(wanted[place], reverse=True)[: len(each.top)], abs=2e-4
        )
        for rival in each.top:
            assert rival.logprob == pytest.approx(wanted[place, rival.token], abs=2e-4)


def test_values_are_the_models_own_also_beside_rows_that_want_none(model):
    engine = mlx_engine.engine(model)
    wanting = [
        chat("greedy", "one", max_tokens=12, logprobs=0),
        chat("hot", "two words", max_tokens=20, sampling=HOT, logprobs=20),
        chat("five", "the third", max_tokens=9, sampling=HOT, logprobs=5),
    ]
    others = [chat(f"none{n}", "x" * n, max_tokens=5 * n) for n in range(1, 4)]
    prepared = {request.id: engine.prepare(request, 0.0) for request in [*wanting, *others]}
    for request in (wanting[0], others[0], wanting[1], *others[1:], wanting[2]):
        engine.submit(prepared[request.id])
    answers = mlx_engine.run(engine)
    for request in wanting:
        told = told_of(answers[request.id])
        assert len(told) == answers[request.id].usage.completion
        assert {len(each.top) for each in told} == {request.logprobs}
        check_against_the_model(model, prepared[request.id].openings[0].tokens, told)
    for request in others:
        texts = [event for event in answers[request.id].events if isinstance(event, Text)]
        assert texts
        assert all(event.logprobs is None for event in texts)


def test_wanting_logprobs_changes_no_text(model):
    def asked(**fields):
        return [
            chat(f"r{n}", max_tokens=15, sampling=s, **fields) for n, s in enumerate((HOT, GREEDY))
        ]

    plain = mlx_engine.texts(mlx_engine.engine(model), *asked())
    assert mlx_engine.texts(mlx_engine.engine(model), *asked(logprobs=3)) == plain


def test_the_whole_vocabulary_sums_to_one():
    logits = mx.array(np.random.default_rng(5).normal(size=(3, 300)).astype(np.float32) * 4)
    told = Told(logits, mx.array([0, 7, 299]), 300)
    for place in range(3):
        chosen, likely = told.at(place)
        assert sum(np.exp(value) for _, value in likely) == pytest.approx(1, abs=1e-5)
        assert sorted(token for token, _ in likely) == list(range(300))
        assert chosen == dict(likely)[[0, 7, 299][place]]


def test_a_token_without_probability_has_a_number_that_json_knows():
    chosen, likely = Told(mx.array([[1.0, -np.inf]]), mx.array([1]), 2).at(0)
    assert chosen == LEAST
    assert likely == [(0, 0.0), (1, LEAST)]


def test_rows_that_want_none_cost_nothing():
    rows = [Row(GREEDY), Row(HOT, 1)]
    sampler, logits = Sampler(), mx.zeros((2, 30))
    tokens = sampler.choose(logits, rows)
    assert sampler.tell(logits, tokens) == (None, [None, None])


def test_bytes_of_tokens_inside_a_character_are_told_with_it(models):
    says = "aü👋日z"
    model = mlx_engine.open_model(tiny.cached(models, says=says))
    engine = mlx_engine.engine(model)
    mlx_engine.submit(engine, chat("a", logprobs=2))
    answer = mlx_engine.run(engine)["a"]
    events = [event for event in answer.events if isinstance(event, Text)]
    assert [event.text for event in events] == list(says)
    for event in events:
        raws = [each.raw for each in event.logprobs]
        assert b"".join(raws) == event.text.encode()
        assert all(len(raw) == 1 for raw in raws)
    assert answer.usage.completion == len(told_of(answer)) + 1, "the end token is not told"


@pytest.mark.parametrize(
    ("stop", "told"),
    [("world", ["Hel", "lo"]), (" wor", ["Hel", "lo"]), ("lo w", ["Hel"]), ("Hel", [])],
)
def test_no_token_is_told_whose_text_was_cut_away(models, stop, told):
    pieces = ["Hel", "lo", " wor", "ld", "! It", " is"]
    model = mlx_engine.open_model(tiny.cached(models, says=pieces, loop=True))
    engine = mlx_engine.engine(model)
    mlx_engine.submit(engine, chat("a", stop=(stop,), logprobs=1, max_tokens=20))
    answer = mlx_engine.run(engine)["a"]
    assert [each.text for each in told_of(answer)] == told
    assert answer.events[-2].matched == stop


def test_raw_bytes_add_up_to_the_text_also_where_a_vocabulary_writes_a_first_space(models):
    model = mlx_engine.open_model(
        tiny.cached(models, tokenizer="spm", says=["▁the", "▁of", "x"], loop=False)
    )
    engine = mlx_engine.engine(model)
    mlx_engine.submit(engine, chat("a", logprobs=0))
    answer = mlx_engine.run(engine)["a"]
    assert b"".join(each.raw for each in told_of(answer)).decode() == answer.text != ""


def test_a_fault_changes_no_value(model):
    """The sequence joins again with what it has, and goes on telling."""
    plain = mlx_engine.engine(model)
    request = chat("a", "again", max_tokens=20, sampling=HOT, logprobs=2)
    mlx_engine.submit(plain, request)
    wanted = told_of(mlx_engine.run(plain)["a"])
    engine = mlx_engine.engine(model)
    mlx_engine.submit(engine, request)
    faults = []

    def fault(engine):
        if not faults and any(s.generated[5:] for s in engine._running.values()):
            faults.append(1)
            engine._recover(RuntimeError("a hiccup"))

    again = told_of(mlx_engine.run(engine, watch=fault)["a"])
    assert faults
    assert [each.token for each in again] == [each.token for each in wanted]
    assert [each.logprob for each in again] == pytest.approx(
        [each.logprob for each in wanted], abs=1e-4
    )
