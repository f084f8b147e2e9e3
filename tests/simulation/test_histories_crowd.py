"""Models that compete for requests break no rule, and rest with a reason for every gap."""

from __future__ import annotations

import pytest

from tests.simulation.moods import CROWD
from tests.simulation.replay import play, portions


@pytest.mark.parametrize("seeds", portions(CROWD), ids=str)
def test_a_crowd_breaks_no_rule_and_ends_in_rest(seeds: range) -> None:
    play(seeds)
