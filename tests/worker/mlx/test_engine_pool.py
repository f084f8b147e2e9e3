"""Sequences share the KV pool: it is never over full, and nobody's text tells that it was small."""

import pytest

from tests.kit import mlx_engine, tiny
from tests.kit.worker_client import chat

REQUESTS = [chat(f"r{n}", "hello " * n, max_tokens=60 + 10 * n) for n in range(1, 7)]


@pytest.fixture(scope="module")
def model(models):
    return mlx_engine.open_model(tiny.cached(models))


@pytest.fixture(scope="module")
def roomy(model):
    return mlx_engine.texts(mlx_engine.engine(model, kv_bytes=1 << 30), *REQUESTS)


def test_a_small_pool_makes_requests_wait_and_step_back_but_changes_no_text(model, roomy):
    capacity = model.cost.size(300)
    engine = mlx_engine.engine(model, kv_bytes=capacity)
    mlx_engine.submit(engine, *REQUESTS)
    most, stepped_back, was_running = 0, set(), set()

    def watch(engine):
        nonlocal most, was_running
        lengths = [sequence.length - 1 for sequence in engine._running.values()]
        most = max(most, len(lengths))
        if len(lengths) > 1:
            assert len(lengths) * model.cost.size(max(lengths)) <= capacity
        waiting = {sequence.id for sequence in engine._waiting}
        stepped_back.update(waiting & was_running)
        was_running = {sequence.id for sequence in engine._running.values()}

    answers = mlx_engine.run(engine, watch=watch)
    assert {i: answer.text for i, answer in answers.items()} == roomy
    assert all(answer.finish for answer in answers.values())
    assert most > 1
    assert stepped_back, "the pool was never too small: this test tests nothing"


def test_parallel_is_a_ceiling(model, roomy):
    engine = mlx_engine.engine(model, parallel=2, kv_bytes=1 << 30)
    mlx_engine.submit(engine, *REQUESTS)
    counts = set()
    answers = mlx_engine.run(engine, watch=lambda engine: counts.add(len(engine._running)))
    assert max(counts) == 2
    assert {i: answer.text for i, answer in answers.items()} == roomy


def test_a_pool_smaller_than_the_context_is_the_context(model):
    engine = mlx_engine.engine(model, kv_bytes=model.cost.size(100))
    assert engine.context == 100
    mlx_engine.submit(engine, chat("a", "hello"))
    answer = mlx_engine.run(engine)["a"]
    assert answer.usage.prompt + answer.usage.completion == 100
    assert answer.finish == "length"


def test_requests_start_in_the_order_they_came(model):
    engine = mlx_engine.engine(model, parallel=1)
    mlx_engine.submit(engine, *REQUESTS)
    seen = []

    def watch(engine):
        seen.extend(s.id for s in engine._running.values() if s.id not in seen)

    mlx_engine.run(engine, watch=watch)
    assert seen == [request.id for request in REQUESTS]


def test_windows_do_not_count_beyond_their_size(models):
    cost = mlx_engine.open_model(tiny.cached(models, arch="gemma3_text")).cost
    step = cost.size(tiny.WINDOW + 1) - cost.size(tiny.WINDOW)
    assert step * 2 == cost.size(2) - cost.size(1)
