"""Changes of the document, asked for over HTTP: carried out by its owner, told with their outcome.

Implements `lmxd.http.ports.Edits`. Adds to what the owner of the document does what only the loop
knows: the plan that a change leads to, the models it moves, and when these have arrived.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial

from lmxd.daemon.control_outlook import Outlook, Outlooks
from lmxd.daemon.control_words import (
    change_lines,
    named_models,
    shadow_lines,
    shadow_warnings,
    unsettled,
)
from lmxd.desired.document import DesiredFile
from lmxd.desired.drafts import Draft, etag_of
from lmxd.desired.read import parsed
from lmxd.http.ports import Effect, Settled
from reconciler.knowledge import subjects_of
from reconciler.loop.driver import Loop
from reconciler.picture import Picture
from reconciler.settled import Gap, gaps
from reconciler.shadows import Shadow, shadowed
from reconciler.state import ConfigView, ModelKey
from schemas.edit import Edit
from schemas.errors import Code, RequestError
from schemas.wire.control import Changed, Planned, Retried


class ControlEdits:
    """The edits of one document.

    Args:
        view: the document and the leases over it, as the loop sees them.
        now: the wall clock.
    """

    def __init__(
        self,
        document: DesiredFile,
        view: Callable[[], ConfigView],
        loop: Loop,
        outlooks: Outlooks,
        now: Callable[[], datetime],
    ) -> None:
        self._document = document
        self._view = view
        self._loop = loop
        self._outlooks = outlooks
        self._now = now
        self._closed = False

    def read_yaml(self, raw: bytes) -> object:
        """YAML as plain values; raises DocumentError. Blocks."""
        return parsed(raw).data

    async def change(self, edit: Edit, *, dry_run: bool, plan_id: str | None) -> Effect:
        """Carry out a change of the document; see the port."""
        if plan_id is not None:
            edit = await self._still_planned(edit, plan_id)
        before = await self._outlooks.picture()
        if dry_run:
            draft = await self._document.draft(edit)
            await self._judge(before, draft)
            return await self._rehearsed(before, draft)
        effect = await self._done(before, await self._committed(before, edit, plan_id))
        return effect._replace(touched=effect.touched | named_models(edit.body))

    async def create(self, edit: Edit, *, dry_run: bool) -> Effect:
        """Write the first document; see the port."""
        before = await self._outlooks.picture()
        draft = await self._document.create(edit, dry_run=dry_run)
        return await (self._rehearsed if dry_run else self._done)(before, draft)

    async def confirm(self, sha256: str) -> Effect:
        """Let the file through that is held."""
        before = await self._outlooks.picture()
        return await self._done(before, await self._document.confirm(sha256))

    async def rollback(self, number: int, edit: Edit, *, dry_run: bool) -> Effect:
        """A new generation of what an earlier one held; see the port."""
        before = await self._outlooks.picture()
        draft = await self._document.rollback(number, edit.manager, edit.if_match, dry_run=dry_run)
        return await (self._rehearsed if dry_run else self._done)(before, draft)

    async def planned(self, edit: Edit, at: datetime | None = None) -> Planned:
        """What a change would lead to; see the port."""
        before = await self._outlooks.picture()
        etag = self._document.etag
        draft = await self._document.draft(replace(edit, force=True))
        await self._judge(before, draft)
        outlook, shadows = await self._outlook(before, self._view(), draft, at)
        return Planned(
            plan_id=outlook.plan_id,
            etag=etag,
            generation=draft.accepted.generation,
            changes=change_lines(draft.changes),
            diff=draft.diff,
            plan=outlook.plan,
            warnings=(*draft.warnings, *outlook.warnings, *shadow_warnings(shadows)),
            shadowed=shadow_lines(shadows),
        )

    async def retry(self, key: str) -> Effect:
        """Forget what failed about a model, so that it is tried at once."""
        before = await self._outlooks.picture()
        model = before.effective.model(ModelKey(key))
        if model is None:
            raise RequestError(Code.MODEL_NOT_FOUND, f"there is no model {key[:128]!r} now")
        cleared = any(subject in before.known.failures for subject in subjects_of(model))
        cleared = cleared or bool(before.known.drifts.get(model.key))
        self._loop.retry(model.key)
        after = await self._outlooks.picture()
        return Effect(Retried(key, cleared, after.epoch), frozenset({key}))

    async def settle(self, touched: Collection[str], wait_s: float) -> Settled:
        """Wait until these models have arrived or cannot; see the port."""
        found = gaps((await self._loop.fresh()).picture, touched)
        try:
            async with asyncio.timeout(wait_s):
                while _any_pending(found) and not self._closed:
                    found = gaps((await self._loop.following()).picture, touched)
        except TimeoutError:
            pass
        return Settled(not _any_pending(found), unsettled(found))

    def close(self) -> None:
        """The daemon stops: who waits for models to arrive is answered at once."""
        self._closed = True
        self._loop.poke()

    async def _still_planned(self, edit: Edit, plan_id: str) -> Edit:
        """The edit, on the condition that the document stays what its plan was made for now.

        Raises RequestError (plan_stale) when the plan is another.
        """
        before = await self._outlooks.picture()
        with _stale_if_changed(plan_id):
            draft = await self._document.draft(edit)
        etag = self._document.etag
        outlook, _ = await self._outlook(before, self._view(), draft)
        if outlook.plan_id != plan_id:
            raise _stale(plan_id, outlook.plan_id)
        return replace(edit, if_match=(etag,))

    async def _judge(self, before: Picture, draft: Draft) -> None:
        await self._outlooks.judge(before, replace(self._view(), accepted=draft.accepted))

    async def _committed(self, before: Picture, edit: Edit, plan_id: str | None) -> Draft:
        with _stale_if_changed(plan_id):
            return await self._document.commit(edit, partial(self._judge, before))

    async def _rehearsed(self, before: Picture, draft: Draft) -> Effect:
        return await self._effect(before, draft, self._view(), before.epoch, dry_run=True)

    async def _done(self, before: Picture, draft: Draft) -> Effect:
        after = await self._outlooks.picture()
        return await self._effect(before, draft, after.config, after.epoch, dry_run=False)

    async def _effect(
        self, before: Picture, draft: Draft, config: ConfigView, epoch: int, *, dry_run: bool
    ) -> Effect:
        outlook, shadows = await self._outlook(before, config, draft)
        answer = Changed(
            generation=draft.accepted.generation,
            epoch=epoch,
            etag=await asyncio.to_thread(etag_of, draft.accepted.data),
            changed=draft.changed,
            dry_run=dry_run,
            changes=change_lines(draft.changes),
            diff=draft.diff,
            plan=outlook.plan,
            warnings=(*draft.warnings, *outlook.warnings, *shadow_warnings(shadows)),
            shadowed=shadow_lines(shadows),
        )
        return Effect(answer, outlook.touched)

    async def _outlook(
        self, before: Picture, config: ConfigView, draft: Draft, at: datetime | None = None
    ) -> tuple[Outlook, tuple[Shadow, ...]]:
        config = replace(config, accepted=draft.accepted)
        outlook = await self._outlooks.of(before, config, changed=bool(draft.changes), at=at)
        when, host = at or self._now(), self._outlooks.host
        shadows = shadowed(draft.changes, draft.accepted, when, config.leases, host)
        return outlook, shadows


def _any_pending(found: Collection[Gap]) -> bool:
    return any(gap.pending for gap in found)


@contextmanager
def _stale_if_changed(plan_id: str | None) -> Iterator[None]:
    """What is sent with a plan is stale when the document is not the one it was made for."""
    try:
        yield
    except RequestError as error:
        if plan_id is not None and error.code is Code.PRECONDITION_FAILED:
            raise _stale(plan_id, None) from error
        raise


def _stale(wanted: str, found: str | None) -> RequestError:
    now = f"; it would now be {found}" if found is not None else ""
    return RequestError(
        Code.PLAN_STALE,
        f"the plan {wanted} does not hold any more{now}",
        hint="ask for the plan again: POST /lmxd/v1/plan",
        details={"plan_id": found},
    )
