"""Raw mlx-lm, mlx_lm.server and lmxd on the same weights, in interleaved rounds of one run.

    python -m benchmarks.serving [--rounds 5] [--tokens 128]

The model is a random f32 llama of about 10 M parameters, small enough for two CPU cores to batch.
On Linux OpenBLAS is interposed for all three when it is installed: the reference BLAS in the
wheel of MLX is an order of magnitude slower. Prints medians and the ratios of docs/performance.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import subprocess
import time
from importlib.metadata import version

from benchmarks import candidates, client

STREAMS = (1, 8, 16)
Round = dict[str, dict[int, tuple[float, float]]]
"""candidate -> streams -> (tokens a second, median seconds to the first text)."""


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--tokens", type=int, default=128)
    options = arguments.parse_args()
    with candidates.running() as them:
        _one_round(them, 8, 0)  # warm
        rounds = [_one_round(them, options.tokens, n) for n in range(1, options.rounds + 1)]
        blas = them.blas
    print(f"{platform.platform()}, {os.cpu_count()} cores, BLAS: {blas}")
    print(", ".join(f"{name} {version(name)}" for name in ("mlx", "mlx-lm", "lmxd")))
    _print(rounds)


def _one_round(them: candidates.Candidates, tokens: int, n: int) -> Round:
    result: Round = {"raw": {}, **{name: {} for name in them.ports}}
    for streams in STREAMS:
        prompts = _prompts(streams, n)
        result["raw"][streams] = _ask_raw(them.raw, prompts, tokens)
        for name, port in them.ports.items():
            began = time.perf_counter()
            answers = asyncio.run(client.together(port, them.names[name], prompts, tokens))
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
