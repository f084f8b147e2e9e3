"""A real worker: requests join, leave, stop and are cancelled, and none disturbs another."""

import pytest

from schemas.frames import Loaded, Submit
from schemas.inference import Accepted, Finish, Sampling, Text
from tests.kit import tiny
from tests.kit.worker_client import WorkerClient, chat

BROKEN = "\N{REPLACEMENT CHARACTER}"
PIECES = ["Hel", "lo", " wor", "ld", "! It", " is", " nine", " o'", "clock."]


@pytest.fixture(scope="module")
def random_worker(models):
    """A llama that says anything; two rows at once would be too few for these tests."""
    with WorkerClient() as worker:
        assert isinstance(worker.load(tiny.cached(models)), Loaded)
        yield worker


@pytest.fixture(scope="module")
def parrot(models):
    """Says PIECES over and over, two requests at a time."""
    with WorkerClient() as worker:
        worker.load(tiny.cached(models, says=PIECES, loop=True), parallel=2, kv_bytes=1 << 30)
        yield worker


@pytest.fixture(scope="module")
def short_answer(models):
    with WorkerClient() as worker:
        worker.load(tiny.cached(models, says="aü👋日z"))
        yield worker


def started(worker, request_id):
    """Waits until the request has text."""

    def seen(_):
        answer = worker.answers.get(request_id)
        return answer is not None and bool(answer.text)

    worker.until(seen)


@pytest.mark.parametrize("arch", tiny.ARCHITECTURES)
def test_every_architecture_gives_the_same_text_alone_and_in_a_batch(models, arch):
    # Two of the prompts are longer than the sliding window.
    prompts = ["hi", "the world of " * 20, "one two three four", "hello " * 60 + "x"]
    with WorkerClient() as worker:
        loaded = worker.load(tiny.cached(models, arch=arch))
        assert isinstance(loaded, Loaded)
        assert loaded.capabilities == ("chat", "completion", "structured")
        alone = [worker.ask(chat(f"alone{n}", p, max_tokens=70))[0] for n, p in enumerate(prompts)]
        batch = worker.ask(*(chat(f"b{n}", p, max_tokens=70) for n, p in enumerate(prompts)))
        log = worker.stderr().splitlines()
    assert [line.split()[1] for line in log] == ["load", "loaded"], "libraries talk into the log"
    assert [answer.text for answer in batch] == [answer.text for answer in alone]
    assert all(answer.usage.completion > 1 and answer.text for answer in alone)
    assert len({answer.text for answer in alone}) == len(prompts)


def test_requests_join_and_leave_a_running_batch(random_worker):
    worker = random_worker
    alone = worker.ask(chat("long-alone", max_tokens=300), chat("short-alone", "x", max_tokens=5))
    worker.send(Submit(chat("long", max_tokens=300)))
    started(worker, "long")
    for n in range(3):  # one after the other, while the long one runs
        (short,) = worker.ask(chat(f"short{n}", "x", max_tokens=5))
        assert short.text == alone[1].text
    assert worker.answers["long"].usage is None, "the short ones waited for the long one"
    (long,) = worker.wait_answers(["long"])
    assert long.text == alone[0].text


def test_events_come_in_order_and_count_tokens(random_worker):
    (answer,) = random_worker.ask(chat("order", "count me", max_tokens=7))
    first, *texts, finish, usage = answer.events
    assert isinstance(first, Accepted)
    assert all(isinstance(event, Text) and event.text for event in texts)
    assert finish == Finish("order", 0, "length")
    assert (usage.prompt, usage.completion, usage.cached) == (first.prompt_tokens, 7, 0)
    timings = usage.timings
    assert min(timings.queued_s, timings.prefill_s, timings.decode_s) >= 0


def test_an_exactly_repeated_prompt_is_answered_again(random_worker):
    requests = [chat(f"repeat{n}", "again", max_tokens=6) for n in range(4)]
    first = random_worker.ask(requests[0])
    rest = random_worker.ask(*requests[1:])
    assert {answer.text for answer in first + rest} == {first[0].text}
    assert all(answer.finish for answer in rest)


def test_equal_seeds_give_equal_text_alone_and_in_a_batch(random_worker):
    def hot(request_id, seed, **fields):
        sampling = Sampling(temperature=1.0, seed=seed, **fields)
        return chat(request_id, "roll the dice", max_tokens=25, sampling=sampling)

    (alone,) = random_worker.ask(hot("alone", 5))
    together = random_worker.ask(
        hot("same", 5),
        hot("other", 6),
        hot("filtered", 5, top_p=0.5),
        chat("greedy", max_tokens=9),
        hot("twin", 5),
    )
    assert together[0].text == together[4].text == alone.text
    assert together[1].text != alone.text
    assert together[2].text != alone.text


def test_a_refused_request_fails_alone(random_worker):
    good, bad, empty, long = random_worker.ask(
        chat("good", max_tokens=8),
        chat("bad", template="{{ raise_exception('no such role') }}"),
        chat("empty", messages=()),
        chat("long", "x" * 5000),
    )
    assert good.finish == "length"
    assert (bad.failed.code, "no such role" in bad.failed.message) == ("invalid_request", True)
    assert empty.failed.code == "invalid_request"
    assert long.failed.code == "context_length_exceeded"
    assert "5019 tokens" in long.failed.message
    assert "takes 2048" in long.failed.message
    for answer in (bad, empty, long):
        assert answer.usage.completion == 0


@pytest.mark.parametrize(
    ("stops", "text"),
    [
        (["lo wo"], "Hel"),
        (["Hello"], ""),
        (["wor", "lo w"], "Hel"),
        (["! It is nine!", " nine"], "Hello world! It is"),
        (["o'clock.Hel"], "Hello world! It is nine "),
        (["never"], None),
    ],
)
def test_stop_strings_split_over_tokens_end_the_text_and_never_show(parrot, stops, text):
    request_id = f"stop-{stops}"
    (answer,) = parrot.ask(chat(request_id, stop=tuple(stops), max_tokens=20))
    whole = "".join(PIECES * 3)
    if text is None:
        assert (answer.text, answer.finish) == ("".join((PIECES * 3)[:20]), "length")
    else:
        assert (answer.text, answer.finish) == (text, "stop")
        assert whole.startswith(answer.text)


def test_a_cancelled_request_ends_and_its_neighbour_goes_on(parrot):
    parrot.send(Submit(chat("gone")), Submit(chat("stays", max_tokens=400)))
    started(parrot, "gone")
    parrot.cancel("gone")
    (gone,) = parrot.wait_answers(["gone"])
    assert gone.finish == "cancelled"
    assert gone.usage.completion < 400
    (stays,) = parrot.wait_answers(["stays"])
    assert stays.text == "".join((PIECES * 50)[:400])


def test_a_request_over_parallel_waits_its_turn_and_can_be_cancelled_there(parrot):
    parrot.send(*(Submit(chat(f"full{n}")) for n in range(2)))
    started(parrot, "full1")
    parrot.send(Submit(chat("waits", max_tokens=3)), Submit(chat("tired")))
    parrot.until(lambda _: "tired" in parrot.answers)  # accepted, not started
    parrot.cancel("tired")
    (tired,) = parrot.wait_answers(["tired"])
    assert (tired.finish, tired.text) == ("cancelled", "")
    assert parrot.answers["waits"].text == ""
    parrot.cancel("full0")
    (waits,) = parrot.wait_answers(["waits"])
    assert waits.text == "Hello wor"
    parrot.cancel("full1")
    parrot.wait_answers(["full0", "full1"])


def test_a_cancel_sent_right_behind_its_request_counts(parrot):
    requests = [chat(f"hasty{n}") for n in range(5)]
    for request in requests:
        parrot.send(Submit(request))
        parrot.cancel(request.id)
    answers = parrot.wait_answers([request.id for request in requests])
    assert {answer.finish for answer in answers} == {"cancelled"}


def test_cancelling_what_is_not_there_is_nothing(parrot):
    parrot.cancel("nobody")
    (answer,) = parrot.ask(chat("after-nobody", max_tokens=2))
    assert answer.text == "Hello"


def test_a_deadline_ends_a_request_with_an_error(parrot):
    (answer,) = parrot.ask(chat("late", deadline_ms=50))
    assert answer.failed.code == "deadline_exceeded"
    assert "50 ms" in answer.failed.message


def test_characters_arrive_whole_and_the_end_token_ends(short_answer):
    (answer,) = short_answer.ask(chat("uni"))
    texts = [event.text for event in answer.events if isinstance(event, Text)]
    assert texts == ["a", "ü", "👋", "日", "z"]
    assert answer.finish == "stop"
    assert answer.usage.completion == len("aü👋日z".encode()) + 1


def test_a_character_cut_by_max_tokens_is_marked_broken_only_at_the_end(short_answer):
    (answer,) = short_answer.ask(chat("cut", max_tokens=4))
    assert answer.text == "aü" + BROKEN
    assert answer.finish == "length"


def test_a_stop_string_of_several_bytes_matches(short_answer):
    (answer,) = short_answer.ask(chat("wave", stop=("👋日",)))
    assert (answer.text, answer.finish) == ("aü", "stop")
