"""The question asked of an instance before it is promoted: of a real model, and of bad workers."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from lmxd.serving.canary import ask
from lmxd.store.files import BUILTIN
from lmxd.supervisor.limits import WatchLimits
from lmxd.supervisor.supervisor import WORKER_COMMAND
from reconciler.actions import Promote
from reconciler.canary import Canary
from reconciler.state import InstancePhase, InstanceUid, ModelKey
from schemas.errors import ActionError
from tests.kit import tiny
from tests.kit.stage import PATIENCE_S, Stage, events, load_action, request, routes, stage, target
from tests.kit.stage import text as text_of

M = ModelKey("m")
REAL = WatchLimits(stop_s=10.0)


@pytest.fixture
async def real() -> AsyncIterator[Stage]:
    environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    async with stage(command=WORKER_COMMAND, limits=REAL, environ=environ) as play:
        play.gate.publish(routes(target("m")))
        yield play


@pytest.fixture
async def scripted() -> AsyncIterator[Stage]:
    async with stage() as play:
        play.gate.publish(routes(target("m")))
        yield play


async def load(play: Stage, canary: Canary, path: Path | str = "/model", uid: str = "m") -> None:
    script = "ok" if path == "/model" else ""
    action = load_action("m", uid, script, path=str(path))
    await asyncio.wait_for(play.pool.load(replace(action, canary=canary)), PATIENCE_S)


async def fails(play: Stage, canary: Canary, path: Path | str = "/model") -> ActionError:
    with pytest.raises(ActionError) as caught:
        await load(play, canary, path, "new")
    assert play.view("new") is None, "the instance is gone, and its worker with it"
    return caught.value


async def test_a_real_model_that_answers_right_is_ready_and_then_answers_clients(
    real: Stage, tmp_path: Path
) -> None:
    path = tiny.make(tmp_path / "tiny", says=("Hel", "lo", "!"))
    await load(real, Canary("hi", "Hello", system="Be polite."), path)
    view = real.view("m")
    assert view is not None
    assert (view.phase, view.in_flight) == (InstancePhase.READY, 0)
    real.pool.promote(Promote(M, InstanceUid("m")))
    assert text_of(await events(real.gate.submit(request("m", "hi")))) == "Hello!"


async def test_a_real_model_that_answers_wrong_is_ended_and_the_one_before_serves_on(
    real: Stage, tmp_path: Path
) -> None:
    await load(real, Canary("hello", "ello"), tiny.make(tmp_path / "old", says=("h", "ello")))
    real.pool.promote(Promote(M, InstanceUid("m")))
    error = await fails(
        real, Canary("2+2=", "4"), tiny.make(tmp_path / "new", says=("Hel", "lo", "!"))
    )
    assert (error.reason, error.terminal) == ("CanaryFailed", True)
    assert 'asked "2+2=", it has to say "4" and said "Hello!"' in str(error)
    assert text_of(await events(real.gate.submit(request("m", "hi")))) == "hello"


async def test_the_built_in_model_passes_a_canary(real: Stage) -> None:
    await load(real, Canary("Hello!", "o"), BUILTIN / "tiny-chat")
    assert real.view("m") is not None


async def test_a_model_that_refuses_the_question_fails_with_its_reason(
    real: Stage, tmp_path: Path
) -> None:
    error = await fails(real, Canary("hi", "x"), tiny.make(tmp_path / "tiny", chat=False))
    assert error.reason == "CanaryFailed"
    assert "chat template" in str(error)


async def test_an_answer_that_does_not_end_is_late(scripted: Stage) -> None:
    await load(scripted, Canary("say a", "a"))
    instance = scripted.pool._instances[InstanceUid("m")]
    with pytest.raises(ActionError) as caught:
        await ask(instance, Canary("hold 4 5", "6"), patience_s=0.2)
    assert caught.value.reason == "CanaryFailed"
    assert "no answer within 0.2 s" in str(caught.value)
    await scripted.until(lambda: not instance._claims)
    assert instance.in_flight == 0


async def test_a_worker_that_dies_of_the_question_is_a_crash_and_may_be_tried_again(
    scripted: Stage,
) -> None:
    error = await fails(scripted, Canary("die 4", "4"))
    assert (error.reason, error.terminal) == ("WorkerCrashed", False)


async def test_a_load_that_is_cancelled_while_it_is_asked_leaves_nothing(scripted: Stage) -> None:
    task = asyncio.create_task(load(scripted, Canary("hold 4", "5"), uid="new"))
    await scripted.until(lambda: (view := scripted.view("new")) is not None and view.in_flight == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await scripted.until(lambda: scripted.view("new") is None)
