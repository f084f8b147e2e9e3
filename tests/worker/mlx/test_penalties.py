"""Bias and penalties do to logits what a plain model of them does, row by row and step by step."""

import mlx.core as mx
import numpy as np
import pytest

from lmxd.worker.mlx.penalties import Penalties
from lmxd.worker.mlx.sampling import Row
from schemas.inference import Sampling, Text
from tests.kit import mlx_engine, tiny
from tests.kit.worker_client import GREEDY, chat

VOCABULARY = 30
OPTIONS = {
    "none": {},
    "presence": {"presence": 1.5},
    "frequency": {"frequency": 0.7},
    "negative": {"frequency": -0.5, "presence": -0.25},
    "repetition": {"repetition": 1.4},
    "praise": {"repetition": 0.8},
    "bias": {"logit_bias": {3: 5.0, 20: -100.0, 7: 2.5}},
    "all": {
        "presence": 0.5,
        "frequency": 0.25,
        "repetition": 1.2,
        "logit_bias": {4: 3.0, 5: 3.0},
    },
}


def model_of(logits, sampling, prompt, answer):
    """What the penalties are, for one row, with plain loops."""
    logits = np.array(logits, dtype=np.float64)
    for token, bias in (sampling.logit_bias or {}).items():
        logits[token] += bias
    for token in {*prompt, *answer}:
        factor = sampling.repetition or 1.0
        logits[token] = logits[token] / factor if logits[token] > 0 else logits[token] * factor
    for token in set(answer):
        logits[token] -= sampling.presence or 0.0
    for token in answer:
        logits[token] -= sampling.frequency or 0.0
    return logits


class Case:
    """One row with its tokens, driven as the batch drives it."""

    def __init__(self, sampling, rng):
        self.sampling = sampling
        self.row = Row(sampling, 1)
        self.prompt = [int(t) for t in rng.integers(0, VOCABULARY, rng.integers(1, 6))]
        self.answer: list[int] = []

    @property
    def all(self):
        return self.prompt + self.answer


def step(penalties, cases, rng):
    logits = rng.normal(size=(len(cases), VOCABULARY)).astype(np.float32) * 3
    inputs = mx.array([case.all[-1] for case in cases], dtype=mx.uint32)
    before = [case.all[:-1] for case in cases]
    got = np.array(penalties.apply(mx.array(logits), [c.row for c in cases], inputs, before))
    for line, case, raw in zip(got, cases, logits, strict=True):
        wanted = model_of(raw, case.sampling, case.prompt, case.answer)
        np.testing.assert_allclose(line, wanted, rtol=1e-4, atol=1e-4)
        case.answer.append(int(rng.integers(0, 8)))  # few, so that they come again
        case.row.position += 1


@pytest.mark.parametrize("name", OPTIONS)
def test_a_row_alone_is_as_the_model_says(name):
    rng = np.random.default_rng(7)
    penalties, case = Penalties(), Case(Sampling(**OPTIONS[name]), rng)
    for _ in range(20):
        step(penalties, [case], rng)


def test_rows_join_and_leave_in_any_step():
    rng = np.random.default_rng(8)
    penalties = Penalties()
    pool = [Case(Sampling(**fields), rng) for fields in OPTIONS.values()]
    cases = pool[:3]
    for turn in range(60):
        if turn % 3 == 0:
            cases = [case for case in pool if rng.random() < 0.6] or pool[:1]
        step(penalties, cases, rng)
    assert max(len(case.answer) for case in pool) > 30


def test_the_last_token_of_the_prompt_is_no_answer():
    case = Case(Sampling(presence=2.0), np.random.default_rng(1))
    got = Penalties().apply(mx.zeros((1, VOCABULARY)), [case.row], mx.array([3]), [[1, 2]])
    assert not np.array(got).any()


def test_rows_that_want_none_cost_nothing_and_keep_their_very_logits():
    penalties, rows = Penalties(), [Row(GREEDY), Row(GREEDY)]
    logits = mx.array(np.random.default_rng(2).normal(size=(2, 40))).astype(mx.bfloat16)
    inputs, before = mx.array([1, 2]), [[0], [0]]
    assert penalties.apply(logits, rows, inputs, before) is logits
    raw = np.array(logits.astype(mx.float32))
    rows[1] = Row(Sampling(repetition=2.0))
    changed = np.array(penalties.apply(logits, rows, inputs, before))
    assert (changed[0] == raw[0]).all()
    assert (changed[1] != raw[1]).any()
    assert (np.array(logits.astype(mx.float32)) == raw).all(), "logprobs are of the model's own"


@pytest.fixture(scope="module")
def model(models):
    return mlx_engine.open_model(tiny.cached(models))


def requests(**more):
    """One of each kind, greedy; the logprobs tell which tokens they are."""
    return [
        chat(name, "the world " * n, max_tokens=18, logprobs=0, sampling=sampling)
        for n, (name, fields) in enumerate(OPTIONS.items(), start=1)
        for sampling in [Sampling(**{"temperature": 0.0, **fields, **more})]
    ]


def tokens_of(answer):
    events = [event for event in answer.events if isinstance(event, Text)]
    return [each.token for event in events for each in event.logprobs]


def run(engine, asked, watch=lambda engine: None):
    mlx_engine.submit(engine, *asked)
    answers = mlx_engine.run(engine, watch=watch)
    assert all(answer.finish == "length" for answer in answers.values())
    return {name: tokens_of(answer) for name, answer in answers.items()}


def test_a_running_batch_chooses_what_the_model_of_each_row_chooses(model):
    """Every token, recomputed by mlx-lm in one pass over prompt and answer, without a pipeline."""
    engine = mlx_engine.engine(model)
    asked = requests()
    prompts = {
        request.id: list(engine.prepare(request, 0.0).openings[0].tokens) for request in asked
    }
    got = run(engine, asked)
    assert len({tuple(tokens) for tokens in got.values()}) > 4, "the penalties change nothing"
    for request in asked:
        prompt, answer = prompts[request.id], got[request.id]
        logits = np.array(model.module(mx.array([prompt + answer]))[0].astype(mx.float32))
        for place, token in enumerate(answer):
            raw = logits[len(prompt) + place - 1]
            wanted = model_of(raw, request.sampling, prompt, answer[:place])
            assert wanted[token] == pytest.approx(wanted.max(), abs=1e-3)


@pytest.mark.parametrize(
    "more",
    [{}, {"temperature": 1.2, "seed": 9}, {"temperature": 0.9, "top_p": 0.9, "seed": 4}],
)
def test_alone_in_a_batch_and_after_a_fault_the_tokens_are_the_same(model, more):
    together = run(mlx_engine.engine(model), requests(**more))
    alone: dict[str, list[int]] = {}
    for request in requests(**more):
        alone |= run(mlx_engine.engine(model), [request])
    assert together == alone

    def fault(engine):
        lengths = [len(sequence.generated) for sequence in engine._running.values()]
        if not faults and lengths and min(lengths) > 6:
            faults.append(1)
            engine._recover(RuntimeError("a hiccup"))

    faults: list[int] = []
    assert run(mlx_engine.engine(model), requests(**more), fault) == alone
    assert faults


def test_a_ban_and_a_command_are_obeyed(model):
    letter = 40
    engine = mlx_engine.engine(model)
    free = run(engine, [chat("a", max_tokens=20, logprobs=0)])["a"]
    banned = Sampling(temperature=0.0, logit_bias=dict.fromkeys(set(free), -100.0))
    assert not set(run(engine, [chat("a", max_tokens=20, logprobs=0, sampling=banned)])["a"]) & set(
        free
    )
    only = Sampling(temperature=1.0, logit_bias={letter: 100.0})
    assert run(engine, [chat("a", max_tokens=20, logprobs=0, sampling=only)])["a"] == [letter] * 20
