"""A request's hold on one instance, and what the pool may tell whoever holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from reconciler.state import InstanceUid, ModelKey
from schemas.errors import Code
from schemas.inference import Event

__all__ = ["Claim", "Holder"]


class Holder(Protocol):
    """Who made a claim. Called on the event loop; nothing here blocks or raises."""

    def deliver(self, event: Event) -> bool:
        """An event of the request. False: too much is unread, so the pool cancels the request."""

    def fail(self, code: Code, message: str) -> None:
        """The daemon ended the claim; no event comes after this."""

    def orphaned(self, why: str) -> None:
        """The worker died; the claim is gone with it."""


@dataclass(slots=True, eq=False)
class Claim:
    """One request on one instance. `holder` is None once nobody waits for it any more; the claim
    then still takes a place until the worker says that the request has ended.
    """

    request_id: str
    key: ModelKey
    uid: InstanceUid
    revision: str
    holder: Holder | None
