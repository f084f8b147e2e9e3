"""What requests to names that choose by task came to: the last few, for people who wonder. Owned
by the gate; in memory only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from lmxd.serving.tasks import Judgement, Task
from reconciler.state import ModelKey

__all__ = ["Decision", "Decisions"]

KEPT = 1000


@dataclass(slots=True)
class Decision:
    """One request. chosen: the model of its task. model: what serves it, None while it waits and
    when nothing did. delegated: the light model handed it on.
    """

    at: datetime
    request_id: str
    name: str
    judgement: Judgement
    chosen: ModelKey
    model: ModelKey | None = None
    delegated: bool = False

    @property
    def task(self) -> Task:
        """The kind of work that it counts as now."""
        return "heavy" if self.delegated else self.judgement.task

    @property
    def why(self) -> str:
        """The decision in a line."""
        absent = self.model not in {None, self.chosen}
        parts = [f"{self.judgement.task}: {self.judgement.reason}"]
        parts += ["the light model handed it over"] if self.delegated else []
        parts += [f"{self.chosen} is not live"] if absent else []
        return "; ".join(parts)


class Decisions:
    """The last `KEPT`. now: the wall clock, aware."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._kept: deque[Decision] = deque(maxlen=KEPT)

    def add(self, request_id: str, name: str, judgement: Judgement, chosen: ModelKey) -> Decision:
        """A new one, at this instant."""
        decision = Decision(self._now(), request_id, name, judgement, chosen)
        self._kept.append(decision)
        return decision

    def latest(self, limit: int) -> tuple[Decision, ...]:
        """The newest first."""
        return tuple(list(self._kept)[: -limit - 1 : -1])
