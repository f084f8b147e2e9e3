"""Reading a whole answer: complete, or an error; and the generation is always given back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from lmxd.http import whole
from schemas.errors import Code, RequestError
from schemas.inference import Failed, Finish, Request, Text, Timings, Usage
from tests.kit.fake_gate import FakeGeneration

USAGE = Usage("r", 0, 7, 3, 0, Timings(0, 0, 0))


def generation() -> FakeGeneration:
    return FakeGeneration(Request("r", "auto"))


async def test_what_came_and_what_served_it() -> None:
    one = generation()
    one.accept().say("Hel", "lo").finish()
    answer, headers = await whole.read(one, choices=1)
    assert answer.choices[0].text == "Hello"
    assert headers == {"Lmxd-Model": "day-coder@4f0c8e1"}
    assert one.closed.is_set()


def dies_of_one_choice(one: FakeGeneration) -> None:
    one.accept().say("Hel").put(Finish("r", 1, "stop"))
    one.put(Failed("r", 0, "worker_died", "signal 9", "try again"))
    one.put(USAGE)
    one.put(None)


def lacks_a_choice(one: FakeGeneration) -> None:
    one.accept().put(Finish("r", 1, "stop"))
    one.put(USAGE)
    one.put(None)


def lacks_the_usage(one: FakeGeneration) -> None:
    one.accept().put(Text("r", 0, "a"))
    one.put(Finish("r", 0, "stop"))
    one.put(Finish("r", 1, "stop"))
    one.put(None)


def is_refused(one: FakeGeneration) -> None:
    one.refuse(RequestError(Code.QUEUE_FULL, "too many"))


@pytest.mark.parametrize(
    ("script", "code"),
    [
        (dies_of_one_choice, Code.WORKER_DIED),
        (lacks_a_choice, Code.INTERNAL),
        (lacks_the_usage, Code.INTERNAL),
        (is_refused, Code.QUEUE_FULL),
    ],
)
async def test_half_an_answer_is_an_error(
    script: Callable[[FakeGeneration], None], code: Code
) -> None:
    one = generation()
    script(one)
    with pytest.raises(RequestError) as caught:
        await whole.read(one, choices=2)
    assert caught.value.code is code
    assert one.closed.is_set()


async def test_a_client_that_goes_away_gives_the_generation_back() -> None:
    one = generation()
    one.accept().say("Hel")
    reader = asyncio.create_task(whole.read(one, choices=1))
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert one.closed.is_set()
