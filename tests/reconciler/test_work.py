"""How much work a decision is: as much as there are models and windows, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.knowledge import Knowledge
from reconciler.pinned import overfull
from reconciler.plan import plan
from reconciler.resolve import resolve
from reconciler.state import Accepted
from schemas.desired import DesiredState
from tests.kit.work import calls
from tests.reconciler.build import AT, observed, verified

STATES = ("loaded", "on-demand", "downloaded")


def accepted(models: int, windows: int) -> Accepted:
    """Nightly windows, each of which moves one model."""
    data: dict[str, Any] = {
        "version": 1,
        "timezone": "Europe/Paris",
        "defaults": {"context": "4k"},
        "models": {
            f"m{n}": {"source": f"hf:org/m{n}", "state": STATES[n % 3]} for n in range(models)
        },
        "schedules": {
            f"w{n}": {
                "when": [{"from": f"{n % 24:02}:00", "to": f"{(n + 7) % 24:02}:30"}],
                "priority": n,
                "set": {"models": {f"m{n % models}": {"state": STATES[n // models % 3]}}},
            }
            for n in range(windows)
        },
    }
    return Accepted(1, "", DesiredState.model_validate(data), data, AT)


def deciding(models: int, windows: int) -> int:
    """Calls of one resolve and one plan, once all dates were looked up."""
    here = accepted(models, windows)
    seen = observed({f"m{n}": verified(0.25) for n in range(models)})

    def both() -> None:
        plan(resolve(here, AT, {}), seen, Knowledge(), {})

    both()
    return calls(both)


@pytest.mark.parametrize(("models", "windows"), [(200, 20), (40, 100)])
def test_twice_as_many_of_both_are_twice_the_work(models: int, windows: int) -> None:
    once, twice = deciding(models, windows), deciding(2 * models, 2 * windows)
    assert twice < 2.6 * once


def pinning(windows: int, *, size: int) -> int:
    """Calls of the check of as many pinned models as windows, each of which has one loaded."""
    data: dict[str, Any] = {
        "version": 1,
        "timezone": "Europe/Paris",
        "models": {f"m{n}": {"source": f"hf:org/m{n}", "pinned": True} for n in range(windows)},
        "schedules": {
            f"w{n}": {
                "when": [{"from": f"{n % 24:02}:{n % 60:02}", "to": f"{(n + 7) % 24:02}:30"}],
                "set": {"models": {f"m{n}": {"state": "loaded"}}},
            }
            for n in range(windows)
        },
    }
    document = DesiredState.model_validate(data)
    sizes = {(f"m{n}", 16 * 1024): size for n in range(windows)}

    def check() -> None:
        assert overfull(document, "", sizes, 100, AT) is None

    check()
    return calls(check)


def test_a_hundred_pinned_windows_are_looked_at_for_weeks_and_not_for_a_year() -> None:
    """A year of them has eighty thousand turns."""
    assert pinning(100, size=2) < 150_000
    assert pinning(100, size=1) < 5_000  # they all fit together
