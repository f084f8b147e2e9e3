"""Raw mlx-lm, mlx_lm.server and lmxd on the same weights, in interleaved rounds of one run.

    python -m benchmarks.serving [--rounds 5] [--tokens 128]

The model is a random f32 llama of about 10 M parameters, small enough for two CPU cores to batch.
On Linux OpenBLAS is interposed for all three when it is installed: the reference BLAS in the
wheel of MLX is an order of magnitude slower. Prints medians and the ratios of docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import platform
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from glob import glob
from importlib.metadata import version
from pathlib import Path

from benchmarks import client
from tests.kit import tiny

STREAMS = (1, 8, 16)
BLAS = "/usr/lib/*/libopenblas.so.0"
Round = dict[str, dict[int, tuple[float, float]]]
"""candidate -> streams -> (tokens a second, median seconds to the first text)."""


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--tokens", type=int, default=128)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        place = Path(folder)
        weights = tiny.make(place / "model", hidden=384, layers=8, context=4096)
        blas = next(iter(glob(BLAS)), None)
        environment = {**os.environ, **({"LD_PRELOAD": blas} if blas else {})}
        raw = stack.enter_context(_raw(weights, environment))
        ports = {
            "mlx_lm.server": stack.enter_context(_mlx_server(weights, environment)),
            "lmxd": stack.enter_context(_lmxd(place, weights, environment)),
        }
        names = {"mlx_lm.server": str(weights), "lmxd": "bench"}
        _one_round(raw, ports, names, 8, 0)  # warm
        rounds = [_one_round(raw, ports, names, options.tokens, n) for n in range(options.rounds)]
    print(f"{platform.platform()}, {os.cpu_count()} cores, BLAS: {blas or 'as in the wheel'}")
    print(", ".join(f"{name} {version(name)}" for name in ("mlx", "mlx-lm", "lmxd")))
    _print(rounds)


def _one_round(raw, ports: dict[str, int], names: dict[str, str], tokens: int, n: int) -> Round:
    result: Round = {"raw": {}, **{name: {} for name in ports}}
    for streams in STREAMS:
        prompts = _prompts(streams, n)
        result["raw"][streams] = _ask_raw(raw, prompts, tokens)
        for name, port in ports.items():
            began = time.perf_counter()
            answers = asyncio.run(client.together(port, names[name], prompts, tokens))
            seconds = time.perf_counter() - began
            first = statistics.median(answer.first_s for answer in answers)
            result[name][streams] = (sum(a.tokens for a in answers) / seconds, first)
    return result


def _prompts(count: int, seed: int) -> list[str]:
    """Different texts of about 40 tokens each, the same for every candidate."""
    words = random.Random(seed * 1000 + count)
    return ["".join(words.choices("abcdefghij ", k=32)) for _ in range(count)]


def _ask_raw(raw: subprocess.Popen[str], prompts: list[str], tokens: int) -> tuple[float, float]:
    raw.stdin.write(json.dumps({"prompts": prompts, "max_tokens": tokens}) + "\n")
    raw.stdin.flush()
    answer = json.loads(raw.stdout.readline())
    return answer["tokens"] / answer["seconds"], answer["first_s"]


@contextlib.contextmanager
def _process(command: list[str], environment: dict[str, str], **pipes: int):
    process = subprocess.Popen(command, env=environment, text=True, **pipes)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def _raw(weights: Path, environment: dict[str, str]):
    command = [sys.executable, "-m", "benchmarks.raw", str(weights)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with _process(command, environment, **pipes) as process:
        process.stdout.readline()
        yield process


@contextlib.contextmanager
def _mlx_server(weights: Path, environment: dict[str, str]) -> Iterator[int]:
    port = _free_port()
    command = [sys.executable, "-m", "mlx_lm", "server", "--model", str(weights)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "ERROR"]
    with _process(command, environment, stderr=subprocess.DEVNULL):
        _until(f"http://127.0.0.1:{port}/health")
        yield port


@contextlib.contextmanager
def _lmxd(place: Path, weights: Path, environment: dict[str, str]) -> Iterator[int]:
    document = place / "desired-state.yaml"
    document.write_text(
        "version: 1\ndefaults: {context: 4k}\n"
        f"models: {{bench: {{source: 'file:{weights}', state: loaded, parallel: 16, "
        "kv_memory: 1GiB}}\n"
    )
    port = _free_port()
    command = [sys.executable, "-m", "lmxd", "serve", str(document)]
    command += ["--listen", f"127.0.0.1:{port}", "--state-dir", str(place / "state")]
    command += ["--models-dir", str(place / "models"), "--log-level", "warning"]
    with _process(command, environment):
        _until(f"http://127.0.0.1:{port}/ready")
        yield port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _until(url: str, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    raise SystemExit(f"{url} did not answer within {seconds:.0f} s")


def _print(rounds: list[Round]) -> None:
    print(f"{'':16}" + "".join(f"{f'{n} streams':>24}" for n in STREAMS))
    for name in rounds[0]:
        cells = [
            f"{_median(rounds, name, n, 0):9.0f} tok/s {_median(rounds, name, n, 1) * 1e3:5.0f} ms"
            for n in STREAMS
        ]
        print(f"{name:16}" + "".join(f"{cell:>24}" for cell in cells))
    print("median of the ratios of each round:")
    for below in ("raw", "mlx_lm.server"):
        ratios = [_ratio(rounds, below, n) for n in STREAMS]
        cells = "".join(f"{f'{speed:.2f} / ttft {first:.2f}':>24}" for speed, first in ratios)
        print(f"{'lmxd / ' + below:22}"[:22] + cells)


def _median(rounds: list[Round], name: str, streams: int, which: int) -> float:
    return statistics.median(r[name][streams][which] for r in rounds)


def _ratio(rounds: list[Round], below: str, streams: int) -> tuple[float, float]:
    speeds = [r["lmxd"][streams][0] / r[below][streams][0] for r in rounds]
    firsts = [r["lmxd"][streams][1] / r[below][streams][1] for r in rounds]
    return statistics.median(speeds), statistics.median(firsts)


if __name__ == "__main__":
    main()
