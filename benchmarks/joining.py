"""What a newcomer costs, and what it waits: mlx_lm.server and lmxd, interleaved in one run.

    python -m benchmarks.joining [--rounds 5]

gap: the longest silence in four running streams while a prompt of 2,000 tokens joins them, divided
by the time that prompt takes to its first token alone. arrival: time to the first token of a short
request that comes while eight streams decode, lmxd divided by mlx_lm.server.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics

from benchmarks import candidates, client

LONG = 1950
"""Characters, each one token, beside some of the chat template."""
SHORT = 8
"""Tokens of an answer of which only the first text counts; a byte alone may not be text yet."""


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    options = arguments.parse_args()
    with candidates.running() as them:
        for name, port in them.ports.items():  # warm
            asyncio.run(_gap(port, them.names[name], 0))
        gaps: dict[str, list[float]] = {name: [] for name in them.ports}
        firsts: dict[str, list[float]] = {name: [] for name in them.ports}
        for n in range(1, options.rounds + 1):
            for name, port in them.ports.items():
                gaps[name].append(asyncio.run(_gap(port, them.names[name], n)))
                firsts[name].append(asyncio.run(_arrival(port, them.names[name], n)))
    for name, measured in gaps.items():
        gap, first = statistics.median(measured), statistics.median(firsts[name])
        print(
            f"{name:16} gap / own prefill {gap:5.2f}   first token on arrival {first * 1e3:5.0f} ms"
        )
    pairs = zip(firsts["lmxd"], firsts["mlx_lm.server"], strict=True)
    ratio = statistics.median(mine / theirs for mine, theirs in pairs)
    print(f"arrival, lmxd / mlx_lm.server, median of the ratios of each round: {ratio:.2f}")


async def _gap(port: int, model: str, n: int) -> float:
    alone = await client.ask(port, model, _text(LONG, n), SHORT)
    answers, _ = await _beside(port, model, 4, _text(LONG, n + 1000), n)
    return max(answer.gap_s for answer in answers) / alone.first_s


async def _arrival(port: int, model: str, n: int) -> float:
    _, joined = await _beside(port, model, 8, _text(32, n + 2000), n)
    return joined.first_s


async def _beside(
    port: int, model: str, streams: int, prompt: str, n: int
) -> tuple[list[client.Answer], client.Answer]:
    """So many running streams, and a newcomer that comes when all have begun."""
    begun = [asyncio.Event() for _ in range(streams)]
    running = [
        asyncio.create_task(client.ask(port, model, _text(32, n * 100 + i), 200, event))
        for i, event in enumerate(begun)
    ]
    await asyncio.gather(*(event.wait() for event in begun))
    newcomer = await client.ask(port, model, prompt, SHORT)
    return await asyncio.gather(*running), newcomer


def _text(length: int, seed: int) -> str:
    return "".join(random.Random(seed).choices("abcdefghij ", k=length))


if __name__ == "__main__":
    main()
