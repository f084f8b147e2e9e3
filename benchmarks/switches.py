"""A hundred alias switches under concurrent streams, when two models fit and when one does.

    python -m benchmarks.switches [--switches 100] [--streams 32]

Counts answers and failures at the client, and says how long a switch takes: from the PATCH until
a question that was asked after it has been answered by the other model.
"""

from __future__ import annotations

import argparse
import asyncio
import platform
import statistics
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import httpx2

from tests.kit import tiny
from tests.kit.daemon import running
from tests.kit.documents import loaded, write
from tests.kit.traffic import Traffic, traffic

MERGE = {"content-type": "application/merge-patch+json"}
TEXTS = {"one": "abc", "two": "xyz"}
LIMITS = {"both fit": "90%", "one fits": "450MiB"}


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--switches", type=int, default=100)
    arguments.add_argument("--streams", type=int, default=32)
    options = arguments.parse_args()
    print(f"{platform.platform()}, Python {platform.python_version()}, lmxd {version('lmxd')}")
    for name, memory in LIMITS.items():
        with tempfile.TemporaryDirectory() as folder:
            run = _switched(Path(folder), memory, options.switches, options.streams)
            seen, seconds = asyncio.run(run)
        print(
            f"{name}: {len(seconds)} switches, {options.streams} streams, "
            f"{seen.answers.total()} answers, {len(seen.failures)} failed, "
            f"{seen.waited} with keep-alives; a switch {statistics.median(seconds):.2f} s "
            f"(worst {max(seconds):.2f})"
        )
        for failure in seen.failures[:5]:
            print(f"    {failure}")


async def _switched(
    folder: Path, memory: str, switches: int, streams: int
) -> tuple[Traffic, list[float]]:
    """What the clients saw, and the seconds of each switch."""
    alone = memory != LIMITS["both fit"]
    models = {
        key: loaded(
            tiny.make(folder / key, says=says),
            parallel=streams,
            kv_memory="100MiB",
            state="downloaded" if alone and key == "two" else "loaded",
        )
        for key, says in TEXTS.items()
    }
    document = folder / "desired-state.yaml"
    write(document, models, {"auto": "one"}, limits={"memory": memory})
    seconds = []
    async with (
        running(document, folder) as daemon,
        httpx2.AsyncClient(base_url=daemon.url, trust_env=False, verify=False) as client,
    ):
        await daemon.ready()
        async with traffic(daemon.url, "auto", streams=streams) as seen:
            for number in range(switches):
                key, other = (("two", "one"), ("one", "two"))[number % 2]
                body: dict[str, object] = {"aliases": {"auto": key}}
                if alone:
                    body["models"] = {key: {"state": "loaded"}, other: {"state": "downloaded"}}
                began = time.perf_counter()
                answer = await client.patch(
                    "/lmxd/v1/desired", json=body, headers=MERGE, timeout=60
                )
                answer.raise_for_status()
                await seen.answer_from(TEXTS[key])
                seconds.append(time.perf_counter() - began)
    return seen, seconds


if __name__ == "__main__":
    main()
