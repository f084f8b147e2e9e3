"""Waiting for a condition: what was seen -> whether it holds, and what to say about it.

A condition counts only when it was computed for the epoch at which the wait began, or a later
one: a Ready that is older would satisfy a wait for something that has just been changed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import typer

from lmxd.cli.client import Client, Unreachable
from lmxd.cli.messages import complain, note
from lmxd.cli.progress import Display, display
from schemas.parse import nearest
from schemas.quantities import format_duration
from schemas.status import DAEMON_CONDITIONS, MODEL_CONDITIONS, Condition, DaemonStatus

__all__ = ["Baseline", "Wish", "judge", "wait"]

LOOK_S = 0.25
"""Pause between two looks."""

STATUSES = ("True", "False", "Unknown")


@dataclass(frozen=True, slots=True)
class Wish:
    """A condition that shall have a status; `key` None: the daemon's."""

    key: str | None
    kind: str
    status: str

    def __str__(self) -> str:
        return f"{f'model/{self.key}' if self.key else 'daemon'}: {self.kind}={self.status}"

    @classmethod
    def parse(cls, subject: str, condition: str) -> Wish:
        """`model/KEY` or `daemon`, and `condition=TYPE[=STATUS]`; raises typer.BadParameter."""
        word, _, rest = condition.partition("=")
        kind, _, status = rest.partition("=")
        noun, slash, key = subject.partition("/")
        if word != "condition" or not kind:
            raise typer.BadParameter(f"--for {condition!r} is not condition=TYPE[=STATUS]")
        if not (noun == "model" and key) and (noun != "daemon" or slash):
            raise typer.BadParameter(f"{subject!r} is neither model/KEY nor daemon")
        kinds = MODEL_CONDITIONS if key else DAEMON_CONDITIONS
        kind = next((name for name in kinds if name.lower() == kind.lower()), kind)
        status = next((s for s in STATUSES if s.lower() == (status or "true").lower()), status)
        if kind not in kinds:
            raise typer.BadParameter(f"{kind!r} is no condition; there are {', '.join(kinds)}")
        if status not in STATUSES:
            raise typer.BadParameter(f"{status!r} is not one of {', '.join(STATUSES)}")
        return cls(key or None, kind, status)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The epoch from which on answers count; epochs of another state folder start anew."""

    state_id: str
    epoch: int

    def following(self, found: DaemonStatus) -> Baseline:
        """This one, or a new one when the state folder is another."""
        if found.state_id == self.state_id:
            return self
        return Baseline(found.state_id, found.epoch)


def judge(wish: Wish, found: DaemonStatus, since: Baseline) -> tuple[bool, str]:
    """Whether the wish holds, and in words how things stand. Pure."""
    condition = _condition(wish, found)
    if condition is None:
        keys = [model.key for model in found.models]
        close = nearest(wish.key or "", keys)
        near = f"; did you mean {close}?" if close else ""
        return (
            False,
            f"the document has no model {wish.key}, only {', '.join(keys) or 'none'}{near}",
        )
    if condition.observed_epoch < since.epoch:
        return False, f"epoch {since.epoch} has not been looked at yet"
    said = f"{condition.type}={condition.status}, {condition.reason}: {condition.message}"
    return condition.status == wish.status, said


def wait(url: str, wish: Wish, timeout_s: float) -> int:
    """Look until the wish holds or the time is over; returns the exit code."""
    deadline = time.monotonic() + timeout_s
    seen = _Seen(wish)
    with Client(url) as client, display() as shown:
        while not seen.look(client, shown):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            time.sleep(min(LOOK_S, left))
    if seen.holds:
        note(f"{wish}")
        return 0
    complain(f"not within {format_duration(timeout_s)}: {wish}; {seen.words}", hint=seen.hint)
    return 1


class _Seen:
    """What the looks so far have shown."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._since: Baseline | None = None
        self._missing = False
        self.holds = False
        self.words = ""
        self.hint: str | None = None

    def look(self, client: Client, shown: Display) -> bool:
        """One look; True when there is nothing left to wait for."""
        try:
            found = client.status()
        except Unreachable as error:
            self._say(error.message)
            self.hint = error.hint
            return False
        self._since = (self._since or Baseline(found.state_id, found.epoch)).following(found)
        self.holds, words = judge(self._wish, found, self._since)
        self.hint = None
        shown.show(m for m in found.models if self._wish.key in (None, m.key))
        self._say(words)
        return self.holds

    def _say(self, words: str) -> None:
        """Tell what stands in the way the first time, and whenever it is something else."""
        if words != self.words and not self.holds:
            note(f"waiting: {words}")
        self.words = words


def _condition(wish: Wish, found: DaemonStatus) -> Condition | None:
    owner = found if wish.key is None else found.model(wish.key)
    return owner.condition(wish.kind) if owner else None
