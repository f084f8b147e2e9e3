"""Windows open and close, clocks are set; no rule is broken, and every gap has its reason."""

from __future__ import annotations

import pytest

from tests.simulation.moods import NIGHTS
from tests.simulation.replay import play, portions


@pytest.mark.parametrize("seeds", portions(NIGHTS), ids=str)
def test_nights_break_no_rule_and_end_in_rest(seeds: range) -> None:
    play(seeds)
