"""The other half of the seeded histories, in a file of its own for a process of its own."""

from __future__ import annotations

import pytest

from tests.simulation.replay import replay
from tests.simulation.test_histories_even import PORTION, SEEDS


@pytest.mark.parametrize("first", range(PORTION, SEEDS, 2 * PORTION))
def test_trouble_breaks_no_rule_and_peace_ends_in_rest(first: int) -> None:
    for seed in range(first, first + PORTION):
        replay(seed)
