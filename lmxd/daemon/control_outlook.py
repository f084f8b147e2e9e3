"""What a change leads to: the plan of the loop with another document or other leases.

Asked by the owners of edits and leases, before a change for its rehearsal and after it for its
answer. The plan is always made from the world as it was before: what has been started since would
be missing in it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reconciler import consequences, explain, preview
from reconciler.loop.driver import Loop
from reconciler.picture import Picture
from reconciler.state import ArtifactRef, ConfigView, DiskState


class Disk(Protocol):
    """Who knows how files stand; `reconciler.ports.Files` has more."""

    async def observe(self, wanted: frozenset[ArtifactRef]) -> Mapping[ArtifactRef, DiskState]:
        """How these artifacts stand on disk now."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would be done, its name, what a person should be warned of, and who is moved."""

    plan: dict[str, object]
    plan_id: str
    warnings: tuple[str, ...]
    touched: frozenset[str]


class Outlooks:
    """Makes outlooks for the machine that goes by the name of `host`."""

    def __init__(self, loop: Loop, disk: Disk, host: str) -> None:
        self._loop = loop
        self._disk = disk
        self.host = host

    async def picture(self) -> Picture:
        """The picture of a pass that began with this call."""
        return (await self._loop.fresh()).picture

    async def of(
        self,
        before: Picture,
        config: ConfigView,
        *,
        changed: bool,
        at: datetime | None = None,
    ) -> Outlook:
        """What would follow if document and leases were those of `config`, now or at an instant.

        `changed`: something in them is another than in `before`.
        """
        after = preview.candidate(before, config, {}, self.host, at)
        named = {model.artifact for model in after.effective.models}
        missing = frozenset(named - before.observed.disk.keys())
        if missing:
            found = await self._disk.observe(missing)
            after = preview.candidate(before, config, found, self.host, at)
        return await asyncio.to_thread(_outlook, before, after, changed)


def _outlook(before: Picture, after: Picture, changed: bool) -> Outlook:
    return Outlook(
        plan=explain.data(after),
        plan_id=consequences.plan_id(after),
        warnings=consequences.warnings(before, after, changed=changed),
        touched=consequences.touched(before, after),
    )
