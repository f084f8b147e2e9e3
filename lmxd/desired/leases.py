"""The owner of leases: merge patches that lie over the document for a time and then are gone.

Kept in `leases.json` of the state folder, never in the document. Follows the document, so that a
file edit on a leased path ends the lease and one that no longer fits is dropped; and the clock,
so that one that ran out is. What leases mean for an instant is said by `reconciler.leases`, which
goes by document and clock itself: nothing hangs on this owner being in time. Who may lease what
is asked of `managers`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
from msgspec import Struct

from lmxd.statefolder import StateFolder
from reconciler.leases import leased
from reconciler.state import Accepted, Lease
from schemas.edit import Change
from schemas.errors import Code, DocumentError, RequestError
from schemas.events import Emit, Event
from schemas.leaves import Paths, leaf_changes, setting
from schemas.parse import pointer
from schemas.quantities import format_duration

__all__ = ["LONGEST_S", "MOST", "Leases"]

log = logging.getLogger(__name__)

LONGEST_S = 366 * 86400.0
MOST = 128
"""So many leases are kept: a bot that makes one a minute and lets none end is stopped there."""
LOOK_S = 20.0
"""Longest sleep: a monotonic clock may stand still while a machine sleeps."""


class Leases:
    """All leases of one state folder.

    Args:
        folder: where they are kept; read here, which blocks.
        now: the wall clock.
        emit: takes the events LeaseMade, LeaseExtended, LeaseEnded, LeaseExpired and LeaseVoid.
        changed: called on the event loop when `all` has another value.
    """

    def __init__(
        self,
        folder: StateFolder,
        *,
        now: Callable[[], datetime],
        emit: Emit,
        changed: Callable[[], None],
    ) -> None:
        self._folder = folder
        self._now = now
        self._emit = emit
        self._changed = changed
        self._told, self._leases = _kept(folder)
        self._accepted: Accepted | None = None
        self._lock = asyncio.Lock()
        self._poked = asyncio.Event()

    @property
    def told(self) -> int | None:
        """The generation that these leases were last held against, over restarts; None: there are
        none, or it is not known.
        """
        return self._told if self._leases else None

    def all(self) -> tuple[Lease, ...]:
        """Those that have not expired, in the order they were made; the last one wins."""
        at = self._now()
        if all(lease.expires_at > at for lease in self._leases):
            return self._leases
        return tuple(lease for lease in self._leases if lease.expires_at > at)

    def proposed(
        self, patch: Mapping[str, object], ttl_s: float, manager: str, accepted: Accepted
    ) -> Lease:
        """The lease that `add` would make now, under the id `l-new`. Raises like `add`."""
        at, leases = self._now(), self.all()
        if len(leases) >= MOST:
            raise RequestError(
                Code.VALIDATION_FAILED,
                f"there are {len(leases)} leases, and at most {MOST} are kept",
                hint="end some of them, or extend one instead of making another",
            )
        lease = Lease("l-new", manager, at, _end(at, ttl_s), patch)
        for void, error in leased(accepted, (*leases, lease), at).void:
            if void is lease:
                raise error
        return lease

    async def add(
        self, patch: Mapping[str, object], ttl_s: float, manager: str, accepted: Accepted
    ) -> Lease:
        """Lay a merge patch over `accepted`, and over all other leases, for so many seconds.

        Raises DocumentError when it does not fit them, RequestError when it is too short or too
        long or there are too many, OSError when it cannot be kept; then there is none.
        """
        async with self._lock:
            newest = max(accepted, self._accepted or accepted, key=lambda each: each.generation)
            lease = self.proposed(patch, ttl_s, manager, newest)
            lease = replace(lease, id=_fresh({each.id for each in self._leases}))
            self._told = newest.generation
            await self._keep((*self._leases, lease))
        paths = [pointer(path) for path in setting(patch)]
        what = f"{_named(lease)} holds for {format_duration(ttl_s)}"
        self._tell(lease, "LeaseMade", what, paths=paths)
        return lease

    async def extend(self, lease_id: str, ttl_s: float) -> Lease:
        """Let a lease end so many seconds from now, sooner or later than it would have.

        Raises RequestError (not_found) when there is none of that id, and like `add`.
        """
        async with self._lock:
            before = self._of(lease_id)
            lease = replace(before, expires_at=_end(self._now(), ttl_s))
            await self._keep(tuple(lease if each is before else each for each in self._leases))
        self._tell(lease, "LeaseExtended", f"{_named(lease)} holds for {format_duration(ttl_s)}")
        return lease

    async def end(self, lease_id: str) -> Lease:
        """End a lease now. Raises RequestError (not_found), and OSError: then it still holds."""
        async with self._lock:
            lease = self._of(lease_id)
            await self._keep(tuple(each for each in self._leases if each is not lease))
            await self._judge()
        self._tell(lease, "LeaseEnded", f"{_named(lease)} was ended")
        return lease

    async def edited(self, changes: Iterable[Change], accepted: Accepted) -> None:
        """The file was edited, and `accepted` is what it says now: leases on changed paths end,
        and those that do not fit any more are dropped. Never raises.
        """
        async with self._lock:
            leases = self.all()
            edited = Paths(each.path for each in leaf_changes(changes) if leases)
            ended = {
                lease.id: (lease, path)
                for lease in leases
                for path in setting(lease.patch)
                if edited.touch(path)
            }
            await self._judge(accepted, ended)
        for lease, path in ended.values():
            what = f"the file was edited at {pointer(path)}, which it had set"
            self._tell(lease, "LeaseEnded", f"{_named(lease)} has ended: {what}")

    async def judge(self, accepted: Accepted) -> None:
        """The document was changed otherwise, or was read for the first time: leases that do not
        fit it are dropped. Never raises.
        """
        async with self._lock:
            await self._judge(accepted)

    async def run(self) -> None:
        """Drop what has run out, until cancelled; never returns."""
        while True:
            self._poked.clear()
            async with self._lock:
                if self.all() != self._leases:
                    await self._judge()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._rest_s()):
                    await self._poked.wait()

    def _rest_s(self) -> float | None:
        """How long nothing runs out; at most `LOOK_S`."""
        ends = [lease.expires_at for lease in self._leases]
        return min(LOOK_S, max(0.0, (min(ends) - self._now()).total_seconds())) if ends else None

    async def _judge(self, accepted: Accepted | None = None, ended: Iterable[str] = ()) -> None:
        """Drop what was ended, what ran out and what does not fit the document, this one from now
        on. Called with the lock held.
        """
        self._accepted = accepted = accepted or self._accepted
        told, self._told = self._told, accepted.generation if accepted else self._told
        standing = self.all()
        expired = [lease for lease in self._leases if lease not in standing]
        left = tuple(lease for lease in standing if lease.id not in ended)
        void: tuple[tuple[Lease, DocumentError], ...] = ()
        if accepted is not None and left:
            void = leased(accepted, left, self._now()).void
            left = tuple(lease for lease in left if lease not in [each for each, _ in void])
        news = left != self._leases or (left and told != self._told)
        self._hold(left)  # first: no pass of the loop shall see the document without this
        if news:
            await self._write()
        for lease in expired:
            self._tell(lease, "LeaseExpired", f"{_named(lease)} has run out")
        for lease, error in void:
            what = f"{_named(lease)} does not fit the document any more and was dropped: {error}"
            self._tell(lease, "LeaseVoid", what, problems=[str(each) for each in error.problems])

    async def _write(self) -> None:
        """Write what is held; when that fails, the next one makes up for it."""
        try:
            await self._keep(self._leases)
        except OSError as error:
            log.warning("leases not kept", extra={"error": str(error)})

    def _of(self, lease_id: str) -> Lease:
        for lease in self.all():
            if lease.id == lease_id:
                return lease
        raise RequestError(
            Code.NOT_FOUND,
            f"there is no lease {lease_id[:64]!r}",
            hint="it may have run out; GET /lmxd/v1/leases lists all",
        )

    async def _keep(self, leases: tuple[Lease, ...]) -> None:
        """Write first, then hold; raises OSError, and then nothing has changed."""
        body = {"generation": self._told, "leases": msgspec.to_builtins(leases)}
        await asyncio.to_thread(self._folder.write, "leases", body)
        self._hold(leases)

    def _hold(self, leases: tuple[Lease, ...]) -> None:
        if leases != self._leases:
            self._leases = leases
            self._poked.set()
            self._changed()

    def _tell(self, lease: Lease, reason: str, message: str, **data: object) -> None:
        facts = {"manager": lease.manager, "expires_at": _iso(lease.expires_at), **data}
        subject = f"lease/{lease.id}"
        if reason == "LeaseVoid":
            self._emit(Event("Warning", reason, subject, message, facts))
        else:
            self._emit(Event("Normal", reason, subject, message, facts))


class _Kept(Struct, frozen=True):
    """What is in the state folder."""

    generation: int | None = None
    leases: tuple[Lease, ...] = ()


def _kept(folder: StateFolder) -> tuple[int | None, tuple[Lease, ...]]:
    """What the state folder has; what makes no sense is set aside there. Blocks."""
    try:
        found = msgspec.convert(folder.read("leases") or {}, _Kept)
    except msgspec.ValidationError as error:
        folder.reject("leases", str(error))
        found = _Kept()
    return found.generation, found.leases


def _fresh(taken: set[str]) -> str:
    """An id that is short enough to be typed."""
    while (found := f"l-{secrets.token_hex(3)}") in taken:
        pass
    return found


def _end(at: datetime, ttl_s: float) -> datetime:
    if not 1 <= ttl_s <= LONGEST_S:
        raise RequestError(
            Code.INVALID_REQUEST,
            f"a lease cannot hold for {ttl_s:g} s; at least 1 s and at most 366 days",
            hint="write how long it is to hold, like 2h; what is to stay belongs into the document",
        )
    return at + timedelta(seconds=ttl_s)


def _named(lease: Lease) -> str:
    return f"lease {lease.id} of {lease.manager}"


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
