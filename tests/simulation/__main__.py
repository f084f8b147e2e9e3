"""The simulator by hand.

python -m tests.simulation SEED [--trace]     play one seed; a failure is made short and shown
python -m tests.simulation --seeds N [--first F] [--mood M] [--jobs J] [--until-failure]     many

Exits with 1 when a seed fails, and prints `seed=…` for each that does.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field

from tests.simulation.crash import dies_anywhere
from tests.simulation.history import Event
from tests.simulation.live import live
from tests.simulation.moods import mood_of
from tests.simulation.replay import Replay
from tests.simulation.shrink import shrunk

PORTION = 200
"""Seeds that a process plays before it reports."""
CRASHES = 4
"""One seed of so many is also a switch that is met by a crash."""
LIVES = 32
"""One seed of so many is also played through the real loop."""


@dataclass
class Report:
    """What became of some seeds."""

    seeds: int = 0
    passes: int = 0
    actions: Counter[str] = field(default_factory=Counter)
    failures: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Together with another."""
        self.seeds += other.seeds
        self.passes += other.passes
        self.actions += other.actions
        self.failures += other.failures


def portion(seeds: Sequence[int], *, until_failure: bool = False) -> Report:
    """Play some seeds."""
    report = Report()
    for seed in seeds:
        try:
            world = Replay.of(seed).run()
            _in_other_ways(seed)
        except Exception as error:  # whatever breaks, the seed is what is to be known
            report.failures.append((seed, _said(error)))
            if until_failure:
                return report
        else:
            report.passes += world.steps
            report.actions.update(key.partition(":")[0] for key in world.history)
        report.seeds += 1
    return report


def _in_other_ways(seed: int) -> None:
    if seed % CRASHES == 0:
        dies_anywhere(seed)
    if seed % LIVES == 0:
        live(seed)


def _said(error: BaseException) -> str:
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{os.path.basename(at.filename)}:{at.lineno} {type(error).__name__}: {error}"[:400]


def many(seeds: Sequence[int], jobs: int, *, until_failure: bool) -> Report:
    """Play many seeds in parallel, and say how far it is."""
    total, count = Report(), len(seeds)
    portions = [seeds[begin : begin + PORTION] for begin in range(0, count, PORTION)]
    if jobs == 1:
        for each in portions:
            _noted(total, portion(each, until_failure=until_failure), count)
            if until_failure and total.failures:
                break
        return total
    with ProcessPoolExecutor(jobs) as pool:
        futures: list[Future[Report]] = [
            pool.submit(portion, each, until_failure=until_failure) for each in portions
        ]
        for done in as_completed(futures):
            _noted(total, done.result(), count)
            if until_failure and total.failures:
                pool.shutdown(cancel_futures=True)
                break
    return total


def _noted(total: Report, report: Report, count: int) -> None:
    for seed, said in report.failures:
        print(f"seed={seed}  {said}", flush=True)
    total.add(report)
    print(f"\r{total.seeds} of {count} seeds", end="", file=sys.stderr, flush=True)


def one(seed: int, *, trace: bool) -> int:
    """Play one seed, and explain a failure by the shortest script that fails."""
    replay = Replay.of(seed)
    lines: list[str] = []
    try:
        world = replay.run(trace=lines)
        _in_other_ways(seed)
    except Exception:
        print("\n".join(lines) if trace else "", flush=True)
        traceback.print_exc()
        short = shrunk(replay.events, lambda events: _fails(replay, events))
        print(f"seed={seed}: {len(short)} of {len(replay.events)} events are enough:")
        lines = []
        try:
            replay.run(short, lines)
        except Exception as error:
            print("\n".join([*lines, _said(error)]))
        return 1
    if trace:
        print("\n".join(lines))
    print(f"seed={seed} holds: {world.steps} passes, {len(world.history)} actions")
    return 0


def _fails(replay: Replay, events: Sequence[Event]) -> bool:
    try:
        replay.run(events)
    except Exception:
        return True
    return False


def main() -> int:
    """Read the command line."""
    logging.disable()  # the loop says of every failure that it met it
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", nargs="?", type=int)
    parser.add_argument("--trace", action="store_true")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", default="auto", help="processes; auto: one for each core")
    parser.add_argument("--mood", help="seeds of this mood are played first")
    parser.add_argument("--until-failure", action="store_true")
    asked = parser.parse_args()
    if asked.seed is not None:
        return one(asked.seed, trace=asked.trace)
    jobs = (os.cpu_count() or 1) if asked.jobs == "auto" else int(asked.jobs)
    begun = time.perf_counter()
    seeds = sorted(
        range(asked.first, asked.first + asked.seeds),
        key=lambda seed: mood_of(seed).name != asked.mood,
    )
    report = many(seeds, jobs, until_failure=asked.until_failure)
    took_s = time.perf_counter() - begun
    print(file=sys.stderr)
    actions = ", ".join(f"{count} {verb}" for verb, count in sorted(report.actions.items()))
    print(f"{report.seeds} seeds, {report.passes} passes: {actions}")
    rate = report.seeds / took_s / jobs
    print(f"{len(report.failures)} failed; {took_s:.0f} s, {rate:.0f} seeds/s a process")
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
