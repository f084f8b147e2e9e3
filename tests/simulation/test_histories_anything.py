"""A little of all that can happen breaks no rule, and ends in rest with a reason for every gap."""

from __future__ import annotations

import pytest

from tests.simulation.moods import ANYTHING
from tests.simulation.replay import play, portions


@pytest.mark.parametrize("seeds", portions(ANYTHING), ids=str)
def test_whatever_happens_breaks_no_rule_and_ends_in_rest(seeds: range) -> None:
    play(seeds)
