"""Seeds through the real loop, on a clock that costs no time."""

from __future__ import annotations

import pytest

from tests.simulation.live import live

SEEDS = 300
PORTION = 50


@pytest.mark.parametrize("first", range(0, SEEDS, PORTION))
def test_the_loop_itself_breaks_no_rule_and_comes_to_rest(first: int) -> None:
    for seed in range(first, first + PORTION):
        try:
            live(seed)
        except AssertionError as error:
            raise AssertionError(f"seed={seed}: {error}") from error


def test_a_seed_is_one_history_through_the_loop_too() -> None:
    told: list[list[str]] = [[], []]
    for each in told:
        for seed in range(6):
            live(seed, each)
    assert told[0] == told[1]
    assert any("load:" in line for line in told[0])
