"""Counts the deaths of the daemon with a generation that is new.

A generation is confirmed once the daemon has lived ten minutes with it. Three deaths before that
mean that it is to blame, as far as can be told: the next start runs the last confirmed one.
`probation.json` in the state folder is written when the daemon starts and when it stops in good
order, which is no death. Which generation is brought back is decided by `document`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lmxd.desired.generation import Generation
from lmxd.statefolder import StateFolder

__all__ = ["DEATHS", "LIFE_S", "Crashed", "Probation"]

log = logging.getLogger(__name__)

LIFE_S = 600.0
DEATHS = 3
_NAME = "probation"


@dataclass(frozen=True, slots=True)
class Crashed:
    """A generation that was left because the daemon died of it, and the digest of its text."""

    generation: int
    sha256: str


class Probation:
    """The counter of one state folder. What reads or writes it blocks.

    Args:
        folder: the state folder.
        monotonic: seconds from some start.
    """

    def __init__(self, folder: StateFolder, monotonic: Callable[[], float]) -> None:
        self._folder = folder
        self._monotonic = monotonic
        self._generation = 0
        self._deaths = 0
        self._since: float | None = None
        self.crashed: Crashed | None = None
        """What is not to be taken from the file again; set by `blame`, ended by `forgive`."""

    def begin(self, last: Generation | None) -> bool:
        """The daemon starts with this generation. True: it has ended the daemon too often.

        Blocks. Raises StartupError when the counter was written by a newer lmxd.
        """
        kept = self._folder.read(_NAME) or {}
        self.crashed = _crashed(kept.get("crashed"))
        self._generation = last.number if last else 0
        self._deaths = 0
        if last is not None and not last.confirmed:
            same = kept.get("generation") == last.number
            before = _number(kept.get("deaths")) if same else 0
            self._deaths = before + (kept.get("running") is True)
        self._write(running=True)
        return self._deaths >= DEATHS

    def blame(self, generation: Generation) -> None:
        """The daemon died of this one; its text is not taken again by itself. Blocks."""
        self.crashed = Crashed(generation.number, generation.sha256)
        self._deaths = 0
        self._write(running=True)

    def forgive(self) -> None:
        """Somebody changed the file, or wants the text all the same. Blocks."""
        if self.crashed is not None:
            self.crashed = None
            self._write(running=True)

    def watch(self, generation: Generation) -> None:
        """From now on the daemon lives with this generation."""
        self._since = None if generation.confirmed else self._monotonic()

    def left_s(self) -> float | None:
        """Seconds until the generation is confirmed, 0 when it is time; None when it is."""
        if self._since is None:
            return None
        return max(0.0, LIFE_S - (self._monotonic() - self._since))

    def end(self) -> None:
        """The daemon stops in good order. Blocks."""
        self._write(running=False)

    def _write(self, *, running: bool) -> None:
        crashed = self.crashed
        body: dict[str, Any] = {
            "running": running,
            "generation": self._generation,
            "deaths": self._deaths,
            "crashed": crashed and {"generation": crashed.generation, "sha256": crashed.sha256},
        }
        try:
            self._folder.write(_NAME, body)
        except OSError as error:  # the document is served all the same
            log.warning("probation not kept", extra={"error": str(error)})


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _crashed(value: object) -> Crashed | None:
    match value:
        case {"generation": int(generation), "sha256": str(digest)}:
            return Crashed(generation, digest)
        case _:
            return None
