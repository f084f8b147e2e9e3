"""A whole daemon with twenty models: how soon it acts on a saved file, and answers a PATCH."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import httpx2

from tests.kit import tiny
from tests.kit.daemon import Daemon, running, summary

MODELS = 20
MERGE = {"content-type": "application/merge-patch+json"}


def measured(rounds: int) -> dict[str, list[float]]:
    """Seconds by what was measured, one a round."""
    return asyncio.run(_measured(rounds))


async def _measured(rounds: int) -> dict[str, list[float]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        document = folder / "desired-state.yaml"
        source = tiny.make(folder / "model")
        document.write_text(_text(source, "downloaded"))
        found: dict[str, list[float]] = {
            "file save -> first action": [],
            "PATCH of one field -> answer, document of 20 models": [],
        }
        saves, patches = found.values()
        async with running(document, folder, env={"OPENBLAS_NUM_THREADS": "1"}) as daemon:
            await daemon.ready()
            for _ in range(rounds):
                saves.append(await _save(daemon, source))
            async with httpx2.AsyncClient(
                base_url=daemon.url, trust_env=False, verify=False
            ) as client:
                for n in range(rounds):
                    patches.append(await _patch(client, n))
    return found


async def _save(daemon: Daemon, source: Path) -> float:
    """One model is to be loaded, by an edit of the file; then everything as it was."""
    before = len(daemon.events("action started"))
    began = time.perf_counter()
    daemon.document.write_text(_text(source, "loaded"))
    while len(daemon.events("action started")) == before:  # noqa: ASYNC110 - 1 ms is precise enough
        await asyncio.sleep(0.001)
    seconds = time.perf_counter() - began
    await daemon.until(lambda status: summary(status, "m0") == "Ready", "m0 is Ready")
    daemon.document.write_text(_text(source, "downloaded"))
    await daemon.until(lambda status: summary(status, "m0") == "Downloaded", "m0 is unloaded")
    return seconds


async def _patch(client: httpx2.AsyncClient, n: int) -> float:
    """A field that moves nothing is changed, and is in the file when the answer comes."""
    patch = {"models": {"m1": {"priority": 1 + n % 90}}}
    began = time.perf_counter()
    answer = await client.patch("/lmxd/v1/desired", json=patch, headers=MERGE, timeout=60)
    answer.raise_for_status()
    return time.perf_counter() - began


def _text(source: Path, state: str) -> str:
    others = (f"  m{n}: {{source: 'file:{source}', state: downloaded}}\n" for n in range(1, MODELS))
    return (
        "version: 1\ndefaults: {context: 1k}\nmodels:\n"
        f"  m0: {{source: 'file:{source}', state: {state}}}\n{''.join(others)}"
    )
