"""One failure after the other breaks no rule, and ends in rest with a reason for every gap."""

from __future__ import annotations

import pytest

from tests.simulation.moods import TROUBLE
from tests.simulation.replay import play, portions


@pytest.mark.parametrize("seeds", portions(TROUBLE), ids=str)
def test_trouble_breaks_no_rule_and_ends_in_rest(seeds: range) -> None:
    play(seeds)
