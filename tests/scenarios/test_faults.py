"""What breaks, breaks alone: a clear condition or error, and the rest keeps serving."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
from pathlib import Path

import httpx2
import openai
import pytest

from tests.kit.daemon import Daemon, condition, running, summary
from tests.kit.documents import client, instance, loaded, say, workers, write


async def test_a_worker_killed_while_idle_comes_back(model, document: Path, tmp_path: Path) -> None:
    """A dead worker is noticed and loaded again; the other model never stops."""
    models = {"one": loaded(model(says="abc")), "two": loaded(model(says="xyz"))}
    write(document, models)
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        before = await daemon.status()
        os.kill(min(workers(daemon)), signal.SIGKILL)  # of whichever model was loaded first
        died = await daemon.until_logged("instance died")
        assert died["reason"] == "UnloadedExternally"
        lost = died["model"]
        (other,) = models.keys() - {lost}
        after = await daemon.until(
            lambda s: instance(s, lost) not in (None, instance(before, lost)), f"{lost} is back"
        )
        assert instance(after, other) == instance(before, other)
        assert await say(daemon, lost) == {"one": "abc", "two": "xyz"}[lost]


async def test_a_stream_whose_worker_dies_ends_with_an_error(
    model, document: Path, tmp_path: Path
) -> None:
    """A stream that has begun ends with an error event, never as if it were complete."""
    write(document, {"one": loaded(model(says="abc", loop=True), context=2048)})
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        victim = min(workers(daemon))
        with pytest.raises((openai.APIError, httpx2.HTTPError)) as caught:
            await _stream_and_kill(daemon, victim)
        assert "died" in str(caught.value)
        await daemon.until(lambda s: summary(s, "one") == "Ready", "one is back")


async def _stream_and_kill(daemon: Daemon, victim: int) -> None:
    """Read a stream, and kill its worker at each piece of text that still comes."""
    async with client(daemon) as talk:
        stream = await talk.chat.completions.create(
            model="one", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)


async def test_a_model_that_cannot_be_loaded_stalls_alone(
    document: Path, model, tmp_path: Path
) -> None:
    """A file that cannot be loaded stalls its model with the worker's own words, and only it."""
    broken = tmp_path / "broken"
    broken.mkdir()
    for source in model(says="abc").iterdir():
        (broken / source.name).write_bytes(source.read_bytes())
    config = json.loads((broken / "config.json").read_text())
    (broken / "config.json").write_text(json.dumps({**config, "model_type": "no_such_thing"}))
    write(document, {"broken": loaded(broken), "one": loaded(model(says="abc"))})
    async with running(document, tmp_path) as daemon:
        status = await daemon.until(
            lambda s: condition(s, "Stalled", "broken")["status"] == "True", "it is stalled"
        )
        assert condition(status, "Stalled", "broken")["reason"] == "UnsupportedArchitecture"
        assert "no_such_thing" in condition(status, "Stalled", "broken")["message"]
        await daemon.until(lambda s: summary(s, "one") == "Ready", "one is Ready")
        assert await say(daemon, "one") == "abc"
        with pytest.raises(openai.InternalServerError) as refused:
            await say(daemon, "broken")
        assert refused.value.status_code == 503
        assert refused.value.code == "model_failed"
        assert refused.value.response.headers["x-should-retry"] == "false"


async def test_a_model_larger_than_the_budget_is_refused_with_numbers(
    model, document: Path, tmp_path: Path
) -> None:
    """NeverFits names what it needs and what there is; smaller models are served."""
    big, small = model(mib=400), model(says="abc")
    write(
        document,
        {"big": loaded(big, priority=90), "small": loaded(small)},
        limits={"memory": "350MiB"},
    )
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        status = await daemon.status()
        admitted = condition(status, "Admitted", "big")
        assert admitted["reason"] == "NeverFits"
        assert "350 MiB" in admitted["message"]
        assert await say(daemon, "small") == "abc"
        with pytest.raises(openai.InternalServerError) as refused:
            await say(daemon, "big")
        assert refused.value.code == "not_admitted"


async def test_an_on_demand_model_is_loaded_by_a_request_and_leaves_again(
    model, document: Path, tmp_path: Path
) -> None:
    """The request waits for the load; after keep_alive without requests it is unloaded."""
    write(document, {"one": loaded(model(says="abc"), state="on-demand", keep_alive="1s")})
    async with running(document, tmp_path) as daemon:
        await daemon.until(lambda s: summary(s, "one") == "Idle", "one is idle")
        assert await say(daemon, "one") == "abc"
        await daemon.until(lambda s: summary(s, "one") == "Idle", "one is idle again")
        assert daemon.events("instance gone")


async def test_a_killed_daemon_leaves_no_worker_and_starts_again(
    model, document: Path, tmp_path: Path
) -> None:
    """SIGKILL of the daemon ends its workers; the next start serves the same generation."""
    write(document, {"one": loaded(model(says="abc"))})
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        orphans = list(workers(daemon).values())
        await daemon.kill()
        for orphan in orphans:
            await asyncio.to_thread(orphan.wait, 30)
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        status = await daemon.status()
        assert status["generation"] == 1
        assert condition(status, "Admitted", "one")["status"] == "True"
        measured = next(m for m in status["models"] if m["key"] == "one")["memory"]
        assert measured["basis"] == "measured"
        assert await say(daemon, "one") == "abc"


async def test_a_daemon_killed_while_loading_starts_again(
    model, document: Path, tmp_path: Path
) -> None:
    """A load cut short by a kill is simply done by the next daemon."""
    write(document, {"one": loaded(model(says="abc"))})
    async with running(document, tmp_path) as daemon:
        await daemon.until(lambda s: summary(s, "one") == "Loading", "one is loading")
        await daemon.kill()
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        assert await say(daemon, "one") == "abc"


async def test_a_locked_state_folder_names_its_holder(
    model, document: Path, tmp_path: Path
) -> None:
    """The second daemon on one state folder exits with 1 and says who holds it."""
    write(document, {})
    async with running(document, tmp_path) as first:
        with pytest.raises(AssertionError) as caught:
            async with running(document, tmp_path):
                pass
        notes = " ".join(caught.value.__notes__)
        assert f"in use by the daemon with pid {first.process.pid}" in notes
        assert "Traceback" not in notes
        await first.get("/health")


async def test_a_port_in_use_is_one_sentence(document: Path, tmp_path: Path) -> None:
    """The daemon exits with 1 and names the address."""
    write(document, {})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(AssertionError) as caught:
            async with running(document, tmp_path, "--listen", f"127.0.0.1:{port}"):
                pass
    notes = " ".join(caught.value.__notes__)
    assert str(port) in notes
    assert "in use" in notes
    assert "Traceback" not in notes


async def test_without_a_document_it_starts_empty_and_says_so(tmp_path: Path) -> None:
    """No file anywhere: nothing is served, health is green, the condition explains."""
    async with running(None, tmp_path) as daemon:
        await daemon.get("/health")
        status = await daemon.until(
            lambda s: condition(s, "ConfigValid")["reason"] == "NoLastGood", "it is known"
        )
        assert status["models"] == []
        assert "desired-state.yaml" in status["document"]
