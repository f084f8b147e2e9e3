"""Events: what happened, for people and bots who follow along. Never the source of truth.

Emitted by the reconciler and by the owners of document, leases and workers; kept and numbered by
`lmxd.telemetry.events`; streamed by `GET /lmxd/v1/events`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from msgspec import Struct, field

__all__ = ["Emit", "Event", "EventList", "Recorded"]


class Event(Struct, frozen=True, rename="camel"):
    """One thing that happened.

    `subject` is `daemon`, `document`, `model/KEY`, `schedule/NAME`, `generation/N` or `lease/ID`;
    `reason` CamelCase for programs, `message` a sentence for people, `data` JSON values.
    """

    kind: Literal["Normal", "Warning"]
    reason: str
    subject: str
    message: str
    data: Mapping[str, object] = field(default_factory=dict)


class Recorded(Event, frozen=True, rename="camel", kw_only=True):
    """An event with its number. `count` more than 1: so often since `first_at`, last at `at`."""

    id: int
    at: str
    first_at: str
    count: int
    generation: int
    epoch: int


class EventList(Struct, frozen=True, rename="camel"):
    """Events, oldest first. `last_id`: a stream after it tells everything that is not in here."""

    state_id: str
    last_id: int
    events: tuple[Recorded, ...]


Emit = Callable[[Event], None]
"""Takes an event; never blocks and never fails. Call it on the event loop."""
