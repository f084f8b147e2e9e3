"""An alias moves between two models under 32 streams: nobody's answer fails or is cut."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from tests.kit.daemon import Daemon, running
from tests.kit.documents import loaded, write
from tests.kit.traffic import traffic

STREAMS = 32
MERGE = {"content-type": "application/merge-patch+json"}


async def patch(daemon: Daemon, body: dict[str, object]) -> None:
    """One PATCH, as a bot sends it."""
    async with httpx2.AsyncClient(base_url=daemon.url, trust_env=False, verify=False) as client:
        answer = await client.patch("/lmxd/v1/desired", json=body, headers=MERGE, timeout=60)
    assert answer.status_code == 200, answer.text


@pytest.mark.timeout(600)
async def test_a_hundred_switches_when_both_fit(model, document: Path, tmp_path: Path) -> None:
    """Both stay loaded; from each switch on, the other one answers."""
    texts = {"one": "abc", "two": "xyz"}
    models = {key: loaded(model(says=says), parallel=32) for key, says in texts.items()}
    write(document, models, {"auto": "one"})
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        async with traffic(daemon.url, "auto", streams=STREAMS) as seen:
            for number in range(100):
                key = ("two", "one")[number % 2]
                await patch(daemon, {"aliases": {"auto": key}})
                await seen.answer_from(texts[key])
        assert seen.failures == []
        assert seen.answers.keys() == {*texts.values()}
        assert len(daemon.events("instance gone")) == 0


@pytest.mark.timeout(600)
async def test_switches_when_only_one_fits(model, document: Path, tmp_path: Path) -> None:
    """The old one drains and leaves before the new one loads; whoever asks meanwhile waits."""
    texts = {"one": "abc", "two": "xyz"}
    models = {
        key: loaded(model(says=says), parallel=32, kv_memory="100MiB", state=state)
        for (key, says), state in zip(texts.items(), ("loaded", "downloaded"), strict=True)
    }
    write(document, models, {"auto": "one"}, limits={"memory": "450MiB"})
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        async with traffic(daemon.url, "auto", streams=STREAMS) as seen:
            for number in range(20):
                key, other = (("two", "one"), ("one", "two"))[number % 2]
                await patch(
                    daemon,
                    {
                        "models": {key: {"state": "loaded"}, other: {"state": "downloaded"}},
                        "aliases": {"auto": key},
                    },
                )
                await seen.answer_from(texts[key])
        assert seen.failures == []
        assert seen.answers.keys() == {*texts.values()}
