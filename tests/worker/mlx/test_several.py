"""One request, several answers: each as if it were alone, and the whole told once."""

import pytest

from schemas.inference import Accepted, Failed, Finish, Sampling, Text, Usage
from tests.kit import mlx_engine, tiny
from tests.kit.worker_client import GREEDY, chat

HOT = {"temperature": 1.0, "top_p": 0.95}
LONG = "the world of hello " * 12


@pytest.fixture(scope="module")
def model(models):
    return mlx_engine.open_model(tiny.cached(models))


def by_index(answer):
    """Index to text and how it ended."""
    found = {}
    for event in answer.events:
        if isinstance(event, Text):
            text, end = found.get(event.index, ("", None))
            assert end is None, "text after the end"
            found[event.index] = (text + event.text, None)
        if isinstance(event, Finish | Failed):
            text, end = found.get(event.index, ("", None))
            assert end is None, "two ends"
            found[event.index] = (text, event.reason if isinstance(event, Finish) else event.code)
    return found


def check_whole(answer):
    assert sum(isinstance(event, Accepted) for event in answer.events) == 1
    assert sum(isinstance(event, Usage) for event in answer.events) == 1
    assert isinstance(answer.events[0], Accepted)
    assert isinstance(answer.events[-1], Usage)


def alone(model, text, seed, **fields):
    engine = mlx_engine.engine(model)
    sampling = Sampling(**HOT, seed=seed)
    return mlx_engine.texts(engine, chat("a", text, sampling=sampling, **fields))["a"]


@pytest.mark.parametrize("text", ["short", LONG])
@pytest.mark.parametrize("arch", ["llama", "gemma3_text"])
def test_answer_i_is_what_seed_plus_i_answers_alone(models, arch, text):
    """`LONG` is processed once for all, and is longer than the window of gemma's layers."""
    model = mlx_engine.open_model(tiny.cached(models, arch=arch))
    engine = mlx_engine.engine(model, kv_bytes=1 << 30)
    others = [chat(f"other{n}", "hello " * n, max_tokens=30) for n in (1, 30)]
    several = chat("n", text, n=3, max_tokens=12, sampling=Sampling(**HOT, seed=40))
    mlx_engine.submit(engine, others[0], several, others[1])
    answers = mlx_engine.run(engine)
    check_whole(answers["n"])
    wanted = [alone(model, text, 40 + i, max_tokens=12) for i in range(3)]
    assert [by_index(answers["n"])[i][0] for i in range(3)] == wanted
    assert len(set(wanted)) == 3
    usage, accepted = answers["n"].usage, answers["n"].events[0]
    assert (usage.prompt, usage.completion) == (accepted.prompt_tokens, 36)
    for other in others:
        assert answers[other.id].text == mlx_engine.texts(mlx_engine.engine(model), other)[other.id]


def seen_inputs(model, seen):
    from dataclasses import replace  # noqa: PLC0415

    from mlx import nn  # noqa: PLC0415

    class Watched(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner
            self.layers = inner.layers

        def __call__(self, inputs, cache=None):
            seen(inputs)
            return self.inner(inputs, cache=cache)

    return replace(model, module=Watched(model.module))


def test_a_prompt_is_processed_once_for_all_answers(model):
    sizes = []
    watched = seen_inputs(model, lambda inputs: sizes.append(inputs.size))
    engine = mlx_engine.engine(watched, kv_bytes=1 << 30)
    request = chat("n", LONG, n=6, max_tokens=2, sampling=GREEDY)
    prompt = len(engine.prepare(request, 0.0).openings[0].tokens)
    mlx_engine.submit(engine, request)
    answer = mlx_engine.run(engine)["n"]
    assert len({text for text, _ in by_index(answer).values()}) == 1
    assert prompt <= sum(sizes) <= prompt + 6 * 4


@pytest.mark.parametrize(("room", "parallel"), [(1.4, 8), (2.1, 8), (3.1, 8), (3.1, 2)])
def test_a_pool_without_room_for_all_changes_no_text(model, room, parallel):
    request = chat("n", LONG, n=4, max_tokens=40, sampling=Sampling(**HOT, seed=3))
    roomy = mlx_engine.engine(model, kv_bytes=1 << 30)
    mlx_engine.submit(roomy, request)
    wanted = by_index(mlx_engine.run(roomy)["n"])
    tokens = len(roomy.prepare(request, 0.0).openings[0].tokens)
    capacity = int(model.cost.size(tokens + 20) * room)
    tight = mlx_engine.engine(model, kv_bytes=capacity, parallel=parallel)
    mlx_engine.submit(tight, chat("first", LONG, max_tokens=60), request, chat("other"))

    def watch(engine):
        rows = [sequence.length - 1 for sequence in engine._running.values()]
        waiting = engine._waiting[0].prefill if engine._waiting else None
        rows += [waiting.held] if waiting is not None and waiting.held else []
        assert len(rows) < 2 or len(rows) * model.cost.size(max(rows)) <= capacity

    answers = mlx_engine.run(tight, watch=watch)
    assert by_index(answers["n"]) == wanted
    check_whole(answers["n"])


def test_a_cancel_ends_all_answers_also_those_that_wait(model):
    engine = mlx_engine.engine(model, parallel=2)
    request = chat("n", n=5, max_tokens=500)
    mlx_engine.submit(engine, request, chat("other", max_tokens=5))

    def cancel(engine):
        if any(len(sequence.generated) > 3 for sequence in engine._running.values()):
            engine.cancel("n")

    answers = mlx_engine.run(engine, watch=cancel)
    check_whole(answers["n"])
    assert {end for _, end in by_index(answers["n"]).values()} == {"cancelled"}
    assert sorted(by_index(answers["n"])) == list(range(5))
    assert answers["other"].finish == "length"


def test_one_that_fails_fails_alone(model):
    class Broken:
        trims = False

        def feed(self, token):
            raise ValueError("no such token")

    engine = mlx_engine.engine(model)
    mlx_engine.submit(engine, chat("n", n=3, max_tokens=6, sampling=Sampling(**HOT, seed=1)))
    engine._waiting[1]._text = Broken()
    answer = mlx_engine.run(engine)["n"]
    check_whole(answer)
    ends = by_index(answer)
    assert ends[1][1] == "internal"
    assert [ends[0], ends[2]] == [
        (alone(model, "hello world", 1 + i, max_tokens=6), "length") for i in (0, 2)
    ]


def test_a_prompt_that_makes_the_model_raise_fails_all_its_answers_and_no_others(model):
    def poison(inputs):
        if (inputs == 3 + 7).any().item():
            raise RuntimeError("poisoned")

    engine = mlx_engine.engine(seen_inputs(model, poison))
    good = [chat(f"good{n}", max_tokens=20) for n in range(2)]
    mlx_engine.submit(engine, good[0], chat("n", LONG + "\x07", n=3), good[1])
    answers = mlx_engine.run(engine)
    check_whole(answers["n"])
    assert [end for _, end in by_index(answers["n"]).values()] == ["internal"] * 3
    assert {answers[each.id].finish for each in good} == {"length"}


def test_a_deadline_ends_every_answer_with_its_own_error(model):
    engine = mlx_engine.engine(model, parallel=2)
    mlx_engine.submit(engine, chat("n", n=3, deadline_ms=0))
    answer = mlx_engine.run(engine)["n"]
    check_whole(answer)
    assert [end for _, end in by_index(answer).values()] == ["deadline_exceeded"] * 3
