"""How long the control plane takes to decide, and to begin.

    python -m benchmarks.reconciler [--rounds 20]

Pure: resolve + plan for 10, 100 and 1,000 models under 100 windows, from scratch and again with
nothing changed. Whole daemon with 20 models: from the save of a file, and from the sending of a
PATCH, to the first action and to the answer. Prints medians, worst cases and the growth.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version

from benchmarks import reaction
from reconciler.knowledge import Knowledge
from reconciler.plan import plan
from reconciler.resolve import resolve
from reconciler.state import (
    Accepted,
    ArtifactRef,
    Device,
    DiskPhase,
    DiskState,
    Footprint,
    HostView,
    Observed,
)
from schemas.desired import DesiredState
from schemas.parse import parse

GIB = 1024**3
AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
SIZES = (10, 100, 1000)
WINDOWS = 100


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=20)
    rounds = arguments.parse_args().rounds
    print(f"{platform.platform()}, Python {platform.python_version()}, lmxd {version('lmxd')}")
    medians = {}
    for size in SIZES:
        both, planned = _decisions(size, rounds)
        medians[size] = statistics.median(both)
        print(
            f"{size:>5} models, {WINDOWS} windows: resolve + plan {_ms(both)}; "
            f"plan alone, when no window turned {_ms(planned)}"
        )
    low, high = SIZES[-2:]
    print(f"growth from {low} to {high} models: {medians[high] / medians[low]:.1f} times")
    for what, seconds in reaction.measured(rounds).items():
        print(f"{what}: {_ms(seconds)}")


def _decisions(size: int, rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of resolve and plan together, and of plan alone."""
    accepted, observed = _accepted(size), _observed(size)
    known = Knowledge()
    effective = resolve(accepted, AT, {})

    def both() -> None:
        plan(resolve(accepted, AT, {}), observed, known, {})

    def planned() -> None:
        plan(effective, observed, known, {})

    both()
    return _timed(both, rounds), _timed(planned, rounds)


def _timed(step: Callable[[], None], rounds: int) -> list[float]:
    found = []
    for _ in range(rounds):
        began = time.perf_counter()
        step()
        found.append(time.perf_counter() - began)
    return found


def _accepted(size: int) -> Accepted:
    """A document of that many models, a third of each state, and a hundred nightly windows."""
    states = ("loaded", "on-demand", "downloaded")
    models = {
        f"m{n}": {"source": f"hf:org/m{n}", "state": states[n % 3], "priority": n % 90}
        for n in range(size)
    }
    schedules = {
        f"w{n}": {
            "when": [{"from": f"{n % 24:02}:00", "to": f"{(n + 7) % 24:02}:30"}],
            "priority": n % 90,
            "set": {"models": {f"m{n % size}": {"state": states[n // size % 3]}}},
        }
        for n in range(WINDOWS)
    }
    data: dict[str, object] = {
        "version": 1,
        "timezone": "Europe/Paris",
        "models": models,
        "aliases": {f"name{n}": [f"m{n}", f"m{(n + 1) % size}"] for n in range(size)},
        "schedules": schedules,
    }
    return Accepted(1, "", parse(DesiredState, data, {}), data, AT)


def _observed(size: int) -> Observed:
    """Everything on disk, nothing loaded, room for a quarter of it."""
    there = DiskState(
        DiskPhase.VERIFIED, "/models", "r", GIB, GIB, GIB, Footprint(GIB, 1024, 32768, "llama")
    )
    room = size * GIB // 2
    host = HostView(room, 1000 * GIB, 0, Device("metal", "none", room))
    return Observed(AT, host, {ArtifactRef(f"hf:org/m{n}"): there for n in range(size)})


def _ms(seconds: list[float]) -> str:
    return f"{statistics.median(seconds) * 1000:.1f} ms (worst {max(seconds) * 1000:.1f})"


if __name__ == "__main__":
    main()
