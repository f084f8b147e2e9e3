"""Names move from one model to the next; no rule is broken, and every gap has its reason."""

from __future__ import annotations

import pytest

from tests.simulation.moods import SWITCHES
from tests.simulation.replay import play, portions


@pytest.mark.parametrize("seeds", portions(SWITCHES), ids=str)
def test_switches_break_no_rule_and_end_in_rest(seeds: range) -> None:
    play(seeds)
