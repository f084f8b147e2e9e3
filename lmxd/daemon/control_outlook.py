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

from reconciler import consequences, explain, pinned, preview
from reconciler.loop.driver import Loop
from reconciler.picture import Picture
from reconciler.state import ArtifactRef, ConfigView, DiskState
from reconciler.timeline import overcommitted, timeline
from schemas.errors import DocumentError

AHEAD_HOURS = 48
AHEAD_MOST = 200
"""Models times windows of a document that is looked ahead for at each change."""


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
        after = await self.candidate(before, config, at)
        return await asyncio.to_thread(_outlook, before, after, changed, self.host)

    async def judge(self, before: Picture, config: ConfigView) -> None:
        """Refuse what nobody could ever satisfy, unless it is so already: a document that cannot
        be served as it stands can still be edited. Raises DocumentError.
        """
        accepted = config.accepted
        if accepted is None or not pinned.contexts(accepted.document, self.host):
            return
        after = await self.candidate(before, config)
        problem = await asyncio.to_thread(pinned.of_picture, after, self.host)
        if problem is None:
            return
        if await asyncio.to_thread(pinned.of_picture, before, self.host) is None:
            raise DocumentError("InvalidDocument", (problem,))

    async def candidate(
        self, before: Picture, config: ConfigView, at: datetime | None = None
    ) -> Picture:
        """The picture there would be if document and leases were those of `config`."""
        after = preview.candidate(before, config, {}, self.host, at)
        named = {model.artifact for model in after.effective.models}
        missing = frozenset(named - before.observed.disk.keys())
        if not missing:
            return after
        found = await self._disk.observe(missing)
        return preview.candidate(before, config, found, self.host, at)


def _outlook(before: Picture, after: Picture, changed: bool, host: str) -> Outlook:
    warned = consequences.warnings(before, after, changed=changed)
    nights = _coming(before, after, host) if changed else ()
    return Outlook(
        plan=explain.data(after),
        plan_id=consequences.plan_id(after),
        warnings=(*warned, *nights),
        touched=consequences.touched(before, after),
    )


def _coming(before: Picture, after: Picture, host: str) -> tuple[str, ...]:
    """Times at which more is to be loaded than fits, by this change. Left out where looking ahead
    would take longer than the change itself.
    """
    document = after.config.accepted.document if after.config.accepted is not None else None
    if document is None or not 0 < len(document.models) * len(document.schedules) <= AHEAD_MOST:
        return ()
    known = set(overcommitted(timeline(before, AHEAD_HOURS, host)))
    found = overcommitted(timeline(after, AHEAD_HOURS, host))
    return tuple(sentence for sentence in found if sentence not in known)
