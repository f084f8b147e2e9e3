"""What kinds of history there are: which documents, which hours, and which events come often.

A mood makes rare meetings common: models that compete for requests, boundaries of windows,
one failure after the other. `ANYTHING` has a little of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

EVENTS: Mapping[str, int] = {
    "go": 40,
    "sleep": 6,
    "night": 1,
    "clock": 1,
    "turn": 1,
    "edit": 9,
    "back": 1,
    "lease": 2,
    "spoil": 2,
    "mend": 1,
    "request": 12,
    "release": 5,
    "kill": 4,
    "fault": 3,
    "well": 3,
    "lose": 2,
    "fill": 1,
    "retry": 1,
    "stubborn": 0,
    "crash": 2,
    "overtaken": 2,
    "journal": 1,
    "probe": 1,
    "token": 1,
    "revision": 1,
}
"""Kinds of events and how often they come."""
STATES = ("loaded",) * 5 + ("on-demand",) * 3 + ("downloaded", "absent")
MEMORY = ("100%", "100%", "75%", "8GiB")


@dataclass(frozen=True, slots=True)
class Mood:
    """One kind of history. `hours`: how often there are windows. `often`: other numbers of
    `EVENTS`. `patient`: models stay for as long as they can. `switches`: edits below this, of
    all from 0 to 1, move a name to another model.
    """

    name: str
    states: tuple[str, ...] = STATES
    memory: tuple[str, ...] = MEMORY
    hours: float = 0.3
    patient: bool = False
    switches: float = 0.2
    often: Mapping[str, int] = field(default_factory=dict)

    def events(self) -> Mapping[str, int]:
        """Kinds of events and how often they come."""
        return {**EVENTS, **self.often}


ANYTHING = Mood("anything")
CROWD = Mood(
    "crowd",
    states=("on-demand",) * 5 + ("loaded",),
    memory=("8GiB", "8GiB", "75%"),
    hours=0.0,
    patient=True,
    often={"request": 40, "release": 24, "sleep": 16, "edit": 2, "kill": 1, "fault": 1, "lease": 1},
)
NIGHTS = Mood(
    "nights",
    states=("downloaded", "downloaded", "on-demand", "loaded", "absent"),
    hours=1.0,
    often={"turn": 24, "clock": 5, "night": 2, "edit": 3, "kill": 1, "fault": 1, "well": 4},
)
TROUBLE = Mood(
    "trouble",
    states=("loaded",) * 4 + ("on-demand",),
    hours=0.0,
    often={
        "fault": 7,
        "well": 1,
        "sleep": 24,
        "kill": 7,
        "edit": 3,
        "go": 50,
        "crash": 1,
        "stubborn": 3,
    },
)
SWITCHES = Mood(
    "switches",
    states=("loaded", "downloaded", "on-demand"),
    memory=("100%",),
    hours=0.0,
    switches=0.9,
    often={"edit": 24, "go": 60, "kill": 1, "fault": 1, "lease": 1, "lose": 1},
)
MOODS = (ANYTHING, CROWD, NIGHTS, TROUBLE, SWITCHES, ANYTHING)
"""Seeds take turns."""


def mood_of(seed: int) -> Mood:
    """The mood of a seed."""
    return MOODS[seed % len(MOODS)]
