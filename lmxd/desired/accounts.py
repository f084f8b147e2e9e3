"""Who keeps account of changes of the document: owners of fields, and leases that lie over it.

Implements `desk.Follower` over `managers` and `leases`: the owner of the document asks it before a
change over HTTP, and tells it after every change. It decides nothing itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from lmxd.desired.leases import Leases
from lmxd.desired.managers import Managers
from reconciler.state import Accepted
from schemas.edit import FILE, Change, Edit
from schemas.events import Emit

__all__ = ["Accounts"]


class Accounts:
    """`emit` takes the events about what a file edit took back."""

    def __init__(self, managers: Managers, leases: Leases, emit: Emit) -> None:
        self._managers = managers
        self._leases = leases
        self._emit = emit

    def check(self, edit: Edit, changes: Sequence[Change], accepted: Accepted) -> None:
        """May this edit make these changes; raises RequestError (field_conflict)."""
        self._managers.check(edit, changes, accepted)

    async def edited(self, manager: str, changes: Sequence[Change], accepted: Accepted) -> None:
        """`manager` (`file` for people) has made these changes; this is what holds now."""
        if manager == FILE:
            await self._leases.edited(changes, accepted)
            for event in await self._managers.file_edited(changes, accepted.generation):
                self._emit(event)
        else:
            await self._leases.judge(accepted)
            at = accepted.accepted_at
            await self._managers.took(manager, changes, accepted.generation, at)
