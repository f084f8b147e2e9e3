"""What HTTP shows of the control plane: the loop's last decision, and health. Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from lmxd.daemon.timeline import shown
from lmxd.desired.document import DesiredFile
from lmxd.desired.generate import json_schema
from lmxd.desired.managers import Managers
from lmxd.http.ports import Stamp
from reconciler import explain, preview
from reconciler.catalog import Entry, catalog
from reconciler.conditions import instant
from reconciler.loop.driver import Loop
from reconciler.owners import with_owners
from reconciler.picture import Picture
from reconciler.state import ConfigView, ModelState
from reconciler.timeline import timeline
from schemas.errors import Code, RequestError
from schemas.status import DaemonStatus, ManagerStatus
from schemas.wire.control import Timeline

STUCK_S = 30.0


class Control:
    """Implements `lmxd.http.ports.Control` and `Health` over the loop and the document."""

    def __init__(
        self,
        loop: Loop,
        document: DesiredFile,
        managers: Managers,
        monotonic: Callable[[], float],
        host: str,
    ) -> None:
        self._host = host
        self._loop = loop
        self._document = document
        self._managers = managers
        self._monotonic = monotonic
        self._was_valid = False
        self._schema: dict[str, object] = {}

    def stamp(self) -> Stamp:
        """Generation, epoch and ETag of this instant."""
        accepted = self._document.view().accepted
        latest = self._loop.latest
        epoch = latest.picture.epoch if latest else 0
        if accepted is None:
            return Stamp(0, epoch, "")
        return Stamp(accepted.generation, epoch, self._document.etag)

    async def status(self) -> DaemonStatus:
        """Conditions of the daemon and of every model, from a pass that begins now."""
        return with_owners((await self._loop.fresh()).status, self._owners)

    def _owners(self, key: str) -> dict[str, ManagerStatus]:
        """Who set what of a model over HTTP; all else is the file's."""
        return {
            path: ManagerStatus(owner.by, instant(owner.since), owner.generation)
            for path, owner in self._managers.owned(key).items()
        }

    async def catalog(self) -> tuple[Entry, ...]:
        """Every model with its files and what answers for it."""
        return catalog((await self._loop.fresh()).picture)

    def config(self) -> ConfigView:
        """The accepted document and how the file stands."""
        return self._document.view()

    async def document_bytes(self) -> bytes:
        """The bytes of the accepted generation, comments and all."""
        raw = self._document.raw
        if raw is None:
            raise RequestError(Code.NOT_FOUND, "no document was accepted yet")
        return raw

    async def effective(self, at: datetime | None = None) -> dict[str, object]:
        """What holds now, or at an instant, as JSON values."""
        return explain.effective_data(await self._picture(at))

    async def plan(self, at: datetime | None = None) -> dict[str, object]:
        """What the loop would do now, or if it were `at`, as JSON values."""
        return explain.data(await self._picture(at))

    async def timeline(self, hours: int) -> Timeline:
        """What the clock brings within so many hours. A walk of many instants takes a while."""
        picture = await self._picture(None)
        return shown(await asyncio.to_thread(timeline, picture, hours, self._host))

    async def schema(self) -> dict[str, object]:
        """The JSON Schema of the document."""
        if not self._schema:
            self._schema = await asyncio.to_thread(json_schema)  # 60 ms (measured)
        return self._schema

    async def _picture(self, at: datetime | None) -> Picture:
        picture = (await self._loop.fresh()).picture
        return picture if at is None else preview.at_instant(picture, at, self._host)

    def live(self) -> bool:
        """True when the loop made progress within 30 s."""
        return self._monotonic() - self._loop.passed_at < STUCK_S

    def ready(self) -> tuple[bool, str]:
        """Whether the document was valid once and every admitted `loaded` model is Ready."""
        latest, view = self._loop.latest, self._document.view()
        self._was_valid = self._was_valid or view.valid
        if not self._was_valid:
            return False, f"no valid document yet: {view.message}"
        if latest is None or latest.picture.config.accepted is not view.accepted:
            return False, "the document was just read"
        picture = latest.picture
        if picture.plan.budget is None:
            return False, "the device is not known yet"
        waiting = [
            model.key
            for model in picture.effective.models
            if model.state is ModelState.LOADED
            and picture.plan.verdicts[model.key].admitted
            and picture.current(model.key) is None
        ]
        if waiting:
            return False, f"not ready yet: {', '.join(waiting)}"
        return True, "ready"
