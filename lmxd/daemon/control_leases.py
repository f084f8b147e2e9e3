"""Leases, asked for over HTTP: made, extended and ended by their owner, told with their outcome.

Implements `lmxd.http.ports.Leasing`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from lmxd.daemon.control_outlook import Outlooks
from lmxd.daemon.control_words import (
    iso,
    lease_info,
    named_models,
    shadow_lines,
    shadow_warnings,
)
from lmxd.desired.drafts import etag_of
from lmxd.desired.leases import Leases as LeaseOwner
from lmxd.desired.managers import Managers
from lmxd.http.ports import Effect
from reconciler.leases import lending
from reconciler.picture import Picture
from reconciler.shadows import lease_shadowed
from reconciler.state import Accepted, ConfigView, Lease
from schemas.edit import Edit, MergePatch
from schemas.errors import Code, RequestError
from schemas.wire.control import LeaseEnded, LeaseMade, Leases


class ControlLeases:
    """The leases over one document.

    Args:
        view: the document and the leases over it, as the loop sees them.
        now: the wall clock.
    """

    def __init__(
        self,
        owner: LeaseOwner,
        managers: Managers,
        view: Callable[[], ConfigView],
        outlooks: Outlooks,
        now: Callable[[], datetime],
    ) -> None:
        self._owner = owner
        self._managers = managers
        self._view = view
        self._outlooks = outlooks
        self._now = now

    def leases(self) -> Leases:
        """All of them, the one that wins last."""
        return Leases(tuple(lease_info(lease) for lease in self._owner.all()))

    async def lend(self, edit: Edit, ttl_s: float, *, dry_run: bool) -> Effect:
        """Lay the merge patch of `edit` over the document; see the port."""
        accepted = self._may(edit)
        patch = edit.body.patch if isinstance(edit.body, MergePatch) else {}
        before = await self._outlooks.picture()
        if dry_run:
            lease = self._owner.proposed(patch, ttl_s, edit.manager, accepted)
            config = self._view()
            config = replace(config, leases=(*config.leases, lease))
            return await self._made(before, lease, config, before.epoch, dry_run=True)
        try:
            lease = await self._owner.add(patch, ttl_s, edit.manager, accepted)
        except OSError as error:
            raise _not_kept(error) from error
        return await self._done(before, lease)

    async def extend(self, lease: str, ttl_s: float) -> Effect:
        """Let a lease end so many seconds from now."""
        before = await self._outlooks.picture()
        try:
            extended = await self._owner.extend(lease, ttl_s)
        except OSError as error:
            raise _not_kept(error) from error
        return await self._done(before, extended)

    async def end(self, lease: str) -> Effect:
        """End a lease now."""
        before = await self._outlooks.picture()
        try:
            ended = await self._owner.end(lease)
        except OSError as error:
            raise _not_kept(error) from error
        after = await self._outlooks.picture()
        outlook = await self._outlooks.of(before, after.config, changed=True)
        return Effect(LeaseEnded(ended.id, after.epoch), outlook.touched)

    async def _done(self, before: Picture, lease: Lease) -> Effect:
        after = await self._outlooks.picture()
        return await self._made(before, lease, after.config, after.epoch, dry_run=False)

    async def _made(
        self, before: Picture, lease: Lease, config: ConfigView, epoch: int, *, dry_run: bool
    ) -> Effect:
        outlook = await self._outlooks.of(before, config, changed=True)
        shadows = (
            lease_shadowed(lease, config.accepted, self._now(), config.leases)
            if config.accepted is not None
            else ()
        )
        answer = LeaseMade(
            id=lease.id,
            expires_at=iso(lease.expires_at),
            epoch=epoch,
            dry_run=dry_run,
            plan=outlook.plan,
            warnings=(*outlook.warnings, *shadow_warnings(shadows)),
            shadowed=shadow_lines(shadows),
        )
        return Effect(answer, outlook.touched | named_models(MergePatch(lease.patch)))

    def _may(self, edit: Edit) -> Accepted:
        """The document that the lease is laid over; raises RequestError when it may not be."""
        accepted = self._view().accepted
        if accepted is None:
            raise RequestError(
                Code.DOCUMENT_INVALID,
                "there is no document yet that a lease could lie over",
                hint="write one first",
            )
        etag = etag_of(accepted.data)
        current = {etag, accepted.sha256} & set(edit.if_match)
        if edit.if_match and not current and "*" not in edit.if_match:
            raise RequestError(
                Code.PRECONDITION_FAILED,
                f"the document has changed since: it is generation {accepted.generation} now",
                hint="read it again, and decide again whether the lease is wanted",
                details={"current_etag": etag, "generation": accepted.generation},
            )
        patch = edit.body.patch if isinstance(edit.body, MergePatch) else {}
        # Also what the document says already: a lease would keep it that way.
        self._managers.check(edit, lending(patch, accepted.data), accepted)
        return accepted


def _not_kept(error: OSError) -> RequestError:
    return RequestError(
        Code.FILE_NOT_WRITABLE,
        f"the state folder takes no lease: {error.strerror}",
        hint="free some room on its disk",
    )
