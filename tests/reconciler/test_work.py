"""How much work a decision is: as much as there are models and windows, and no more."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.knowledge import Knowledge
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
