"""What the two halves of the document's owner work on, `intake` and `editing`.

Made by `document`, whose lock its users hold. It does nothing by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from lmxd.desired.generation import DocumentPath
from lmxd.desired.generations import Generations
from lmxd.desired.probation import Probation
from lmxd.desired.standing import Standing
from reconciler.state import Accepted
from schemas.edit import Change, Edit

__all__ = ["Desk", "Follower", "Pace"]


class Follower(Protocol):
    """Somebody who keeps account of changes: owners of fields, leases."""

    def check(self, edit: Edit, changes: Sequence[Change], accepted: Accepted) -> None:
        """May this edit make these changes to this document; raises RequestError
        (field_conflict). Its `if_match` has been found current. Never blocks.
        """

    @property
    def told(self) -> int | None:
        """The last generation it was told of, over restarts; None: never of any."""

    async def missed(self, manager: str, changes: Sequence[Change], accepted: Accepted) -> None:
        """Like `edited`, when a daemon starts whose predecessor died before it said so. Only
        `accepted.document` may be a later one.
        """

    async def edited(self, manager: str, changes: Sequence[Change], accepted: Accepted) -> None:
        """`manager` (`file` for people) has made these changes; this is what holds now."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How long things are waited for, in seconds.

    settle_s: the file counts as written once two reads this far apart are equal. Truncation
    cannot be seen by parsing: nearly every line prefix of a document is a valid one.
    linger_s: so long after an exchange the file that came out is looked at once more.
    poll_s: between looks for changes that no file event announced. upkeep_s: between looks at
    what no change of the file tells (the lock, the mode, the age of a generation).
    """

    settle_s: float = 0.25
    linger_s: float = 5.0
    poll_s: float = 2.0
    upkeep_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Desk:
    """One document, its history, and what is known of it."""

    path: Path
    generations: Generations
    probation: Probation
    standing: Standing
    now: Callable[[], datetime]
    followers: Sequence[Follower]
    pace: Pace

    def document(self) -> DocumentPath:
        """Which document this is at the moment. Blocks."""
        return DocumentPath.of(self.path)
