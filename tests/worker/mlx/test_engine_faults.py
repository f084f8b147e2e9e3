"""Whatever raises inside a step, only the request that can be blamed fails.

These drive the engine in this process, because the faults are made by replacing a row or the
model; the engine itself has no hook for it.
"""

import pytest

from schemas.inference import Accepted, Sampling
from tests.kit import mlx_engine, tiny
from tests.kit.worker_client import chat

REQUESTS = [
    chat("a", "one", max_tokens=24),
    chat("b", "two words", max_tokens=30),
    chat("c", "and three more", max_tokens=18, sampling=Sampling(temperature=1.0, seed=7)),
    chat("d", "the world is in the hello", max_tokens=25, sampling=Sampling(top_p=0.9, seed=1)),
]
# A byte no other prompt has: the model of these tests raises when it sees it.
POISON = chat("poison", "a\x07b", max_tokens=10)
POISON_TOKEN = 3 + 7


@pytest.fixture(scope="module")
def model(models):
    return mlx_engine.open_model(tiny.cached(models))


@pytest.fixture(scope="module")
def undisturbed(model):
    return mlx_engine.texts(mlx_engine.engine(model), *REQUESTS)


def flaky(model, raises):
    """The same model, but `raises(inputs)` is called before each forward pass."""
    from dataclasses import replace  # noqa: PLC0415

    from mlx import nn  # noqa: PLC0415

    class Flaky(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner
            self.layers = inner.layers

        def __call__(self, inputs, cache=None):
            raises(inputs)
            return self.inner(inputs, cache=cache)

    return replace(model, module=Flaky(model.module))


def poison(inputs):
    if (inputs == POISON_TOKEN).any().item():
        raise RuntimeError("poisoned")


def check_events(answers):
    for answer in answers.values():
        assert isinstance(answer.events[0], Accepted)
        assert sum(isinstance(event, Accepted) for event in answer.events) == 1
        assert (answer.finish is None) != (answer.failed is None)
        assert answer.usage is not None


def test_a_row_whose_draw_raises_fails_alone(model, undisturbed):
    from lmxd.worker.mlx.sampling import Row  # noqa: PLC0415

    class Broken(Row):
        def draw(self):
            if self.position >= 5:
                raise ArithmeticError("no number today")
            return super().draw()

    engine = mlx_engine.engine(model)
    hot = Sampling(temperature=1.0, seed=1)
    mlx_engine.submit(engine, *REQUESTS[:2], chat("broken", max_tokens=50, sampling=hot))
    engine._waiting[2].row = Broken(hot, 1)
    mlx_engine.submit(engine, *REQUESTS[2:])
    answers = mlx_engine.run(engine)
    check_events(answers)
    assert answers["broken"].failed.code == "internal"
    assert "no number today" in answers["broken"].failed.message
    assert answers["broken"].usage.completion == 4
    assert {i: answers[i].text for i in "abcd"} == undisturbed


@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_prompt_that_makes_the_model_raise_fails_alone(model, undisturbed, place):
    engine = mlx_engine.engine(flaky(model, poison))
    mlx_engine.submit(engine, *REQUESTS[:place], POISON, *REQUESTS[place:])
    answers = mlx_engine.run(engine)
    check_events(answers)
    assert "poisoned" in answers["poison"].failed.message
    assert {i: answers[i].text for i in "abcd"} == undisturbed


def test_one_that_joins_a_running_batch_and_raises_leaves_it_running(model, undisturbed):
    engine = mlx_engine.engine(flaky(model, poison))
    mlx_engine.submit(engine, *REQUESTS)

    def join(engine):
        if [s.id for s in engine._running.values() if s.proven] == list("abcd") and not joined:
            joined.append(True)
            mlx_engine.submit(engine, POISON)

    joined = []
    answers = mlx_engine.run(engine, watch=join)
    check_events(answers)
    assert joined
    assert answers["poison"].failed is not None
    assert {i: answers[i].text for i in "abcd"} == undisturbed


def test_a_step_that_raises_once_is_not_seen_by_anyone(model, undisturbed):
    calls = []

    def once(_):
        calls.append(1)
        if len(calls) == 12:
            raise RuntimeError("a hiccup")

    engine = mlx_engine.engine(flaky(model, once))
    mlx_engine.submit(engine, *REQUESTS)
    answers = mlx_engine.run(engine)
    check_events(answers)
    assert len(calls) > 12
    assert {i: answer.text for i, answer in answers.items()} == undisturbed


def test_a_model_that_always_raises_fails_every_request_and_ends(model):
    def always(_):
        raise RuntimeError("broken for good")

    engine = mlx_engine.engine(flaky(model, always))
    mlx_engine.submit(engine, *REQUESTS)
    answers = mlx_engine.run(engine, most_steps=100)
    check_events(answers)
    assert all("broken for good" in answer.failed.message for answer in answers.values())


def test_a_model_that_keeps_raising_in_batches_is_not_tried_for_ever(model):
    calls, raised = [], []

    def often(inputs):
        if inputs.shape[0] > 1:
            calls.append(1)
            if len(calls) % 4 == 0:
                raised.append(1)
                raise RuntimeError("too many rows")

    engine = mlx_engine.engine(flaky(model, often))
    mlx_engine.submit(engine, *(chat(f"r{n}", max_tokens=200) for n in range(3)))
    answers = mlx_engine.run(engine, most_steps=2000)
    check_events(answers)
    assert len(answers) == 3
    assert 1 < len(raised) <= 9, "no request lives through more than three failed steps"


def test_a_detokenizer_that_raises_fails_its_own_request(model, undisturbed):
    class Broken:
        def feed(self, token):
            raise ValueError("no such token")

    engine = mlx_engine.engine(model)
    mlx_engine.submit(engine, *REQUESTS, chat("broken"))
    engine._waiting[4]._text = Broken()
    answers = mlx_engine.run(engine)
    check_events(answers)
    assert "no such token" in answers["broken"].failed.message
    assert {i: answers[i].text for i in "abcd"} == undisturbed


def test_a_model_that_cannot_take_a_step_does_not_load(model):
    from schemas.errors import ActionError  # noqa: PLC0415

    def always(_):
        raise RuntimeError("no kernel for this")

    with pytest.raises(ActionError, match=r"takes no step.*no kernel for this"):
        mlx_engine.engine(flaky(model, always)).warm_up()
