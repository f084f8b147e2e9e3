"""The core's look at the calendar: computed anew when what holds was, and each odd night once.

Plain state with one owner, `core`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from reconciler.agenda import EMPTY, agenda
from reconciler.state import Accepted, Effective, ModelKey
from schemas.status import ScheduleStatus


class Calendar:
    """The agenda of the effective document, on the machine of that name."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._held: Effective | None = None
        self._agenda = EMPTY
        self._skips = EMPTY.skips

    def look(
        self, accepted: Accepted | None, held: Effective, at: datetime
    ) -> tuple[Mapping[ModelKey, ScheduleStatus], tuple[tuple[str, str], ...]]:
        """What the calendar says of models, and the windows that were left out since the last
        look, with words. `held` is the same object until the clock or an edit changes it.
        """
        due = tuple((skip.window, skip.words) for skip in self._skips if skip.at <= at)
        self._skips = tuple(skip for skip in self._skips if skip.at > at)
        if held is not self._held:
            self._held = held
            self._agenda = agenda(accepted, held, at, self._host) if accepted else EMPTY
            self._skips = self._agenda.skips
        return self._agenda.schedules, due
