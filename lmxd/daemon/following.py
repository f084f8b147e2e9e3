"""Who follows the document: owners of its fields, and leases, told of each change in one place.

Implements `lmxd.desired.desk.Follower` for the owner of the document, and `reconciler.ports
.Documents` for the loop: what the file says, with the leases that lie over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lmxd.desired.document import DesiredFile
from lmxd.desired.leases import Leases
from lmxd.desired.managers import Managers
from reconciler.state import Accepted, ConfigView
from schemas.edit import FILE, Change, Edit
from schemas.events import Emit


class Following:
    """Tells managers and leases what became of the document."""

    def __init__(self, managers: Managers, leases: Leases, emit: Emit) -> None:
        self._managers = managers
        self._leases = leases
        self._emit = emit

    def check(self, edit: Edit, changes: Sequence[Change], accepted: Accepted) -> None:
        """May this edit make these changes; raises RequestError (field_conflict).

        Its `if_match` was found current; `*` says that its author has seen nothing.
        """
        seen = any(tag != "*" for tag in edit.if_match)
        self._managers.check(edit, changes, accepted, if_match_current=seen)

    async def edited(self, manager: str, changes: Sequence[Change], accepted: Accepted) -> None:
        """`manager` has made these changes; this is what holds now."""
        if manager != FILE:
            at = accepted.accepted_at
            await self._managers.took(manager, changes, accepted.generation, at)
            await self._leases.judge(accepted)
            return
        for event in await self._managers.file_edited(changes, accepted.generation):
            self._emit(event)
        await self._leases.edited(changes, accepted)


class Documents:
    """The document and the leases over it, for the loop."""

    def __init__(self, document: DesiredFile, leases: Leases) -> None:
        self._document = document
        self._leases = leases

    def view(self) -> ConfigView:
        """The last good generation, how the file stands, and the leases. Never blocks."""
        return replace(self._document.view(), leases=self._leases.all())
