"""A seed is one history, wherever it is played."""

from __future__ import annotations

import os
import subprocess
import sys

CODE = """
from tests.simulation.crash import Switch
from tests.simulation.replay import Replay
for seed in range(48):
    lines = []
    Replay.of(seed).run(trace=lines)
    print(seed, *lines, sep="\\n")
for seed in range(4):
    world, places = Switch(seed).reference()
    print(seed, places, world.history, world.saved)
"""


def test_a_seed_is_the_same_history_in_every_process() -> None:
    """Also where strings hash differently, so that a seed found elsewhere can be replayed here."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", CODE],
            env={**os.environ, "PYTHONHASHSEED": number},
            stdout=subprocess.PIPE,
        )
        for number in ("1", "2")
    ]
    told = [each.communicate(timeout=100)[0] for each in running]
    assert [each.returncode for each in running] == [0, 0]
    assert told[0] == told[1]
    assert told[0].count(b"starts load:") > 20
