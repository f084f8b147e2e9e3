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

    @property
    def told(self) -> int | None:
        """The last generation that all of them were told of; None: nobody was told of any."""
        told = [each.told for each in (self._managers, self._leases) if each.told is not None]
        return min(told, default=None)

    async def missed(self, manager: str, changes: Sequence[Change], accepted: Accepted) -> None:
        """The daemon died before all were told of this generation; who was, is not told again."""
        if _behind(self._leases.told, accepted):
            await self._tell_leases(manager, changes, accepted)
        if _behind(self._managers.told, accepted):
            await self._tell_managers(manager, changes, accepted)

    async def edited(self, manager: str, changes: Sequence[Change], accepted: Accepted) -> None:
        """`manager` (`file` for people) has made these changes; this is what holds now."""
        await self._tell_leases(manager, changes, accepted)
        await self._tell_managers(manager, changes, accepted)

    async def _tell_leases(
        self, manager: str, changes: Sequence[Change], accepted: Accepted
    ) -> None:
        if manager == FILE:
            await self._leases.edited(changes, accepted)
        else:
            await self._leases.judge(accepted)

    async def _tell_managers(
        self, manager: str, changes: Sequence[Change], accepted: Accepted
    ) -> None:
        if manager == FILE:
            for event in await self._managers.file_edited(changes, accepted.generation):
                self._emit(event)
        else:
            at = accepted.accepted_at
            await self._managers.took(manager, changes, accepted.generation, at)


def _behind(told: int | None, accepted: Accepted) -> bool:
    return told is not None and told < accepted.generation
