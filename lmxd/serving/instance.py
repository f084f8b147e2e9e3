"""One instance in the pool: its load, its worker, its phase and the claims on it.

It hands a worker's events to the holders of claims. Which instance answers for a model, and when
one is drained or ended, is the pool's business.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from lmxd.framing import FrameError
from lmxd.serving.claims import Claim, Holder
from lmxd.supervisor.worker import Worker
from reconciler.actions import Load
from reconciler.state import ExitReport, InstancePhase, InstanceUid, InstanceView, ModelKey
from schemas import frames
from schemas.errors import Code, RequestError
from schemas.inference import Event, Request, Usage

__all__ = ["Instance"]

log = logging.getLogger(__name__)


class Instance:
    """Mutable; only the pool and this class write it.

    clock: monotonic seconds. on_room: called when it can take a request that it could not before.
    """

    def __init__(
        self, action: Load, clock: Callable[[], float], on_room: Callable[[ModelKey], None]
    ) -> None:
        self.action = action
        self.phase = InstancePhase.LOADING
        self.worker: Worker | None = None
        self.loaded: frames.Loaded | None = None
        self.exit: ExitReport | None = None
        self.drain_until: float | None = None
        self.stopping: asyncio.Task[None] | None = None
        self.unheld = asyncio.Event()  # set while nobody waits for an answer of this instance
        self.unheld.set()
        self._clock = clock
        self._begun = clock()
        self._load_s: float | None = None
        self._on_room = on_room
        self._claims: dict[str, Claim] = {}
        self._held = 0

    @property
    def uid(self) -> InstanceUid:
        """Its name in the reconciler."""
        return self.action.uid

    @property
    def key(self) -> ModelKey:
        """The model it is an instance of."""
        return self.action.model

    @property
    def in_flight(self) -> int:
        """Claims that somebody holds."""
        return self._held

    @property
    def serving(self) -> bool:
        """True while its worker takes requests."""
        return self.worker is not None and self.worker.serving

    def room(self, at_most: int) -> bool:
        """Whether one more claim is possible when `at_most` may be in flight."""
        worker = self.worker
        return (
            worker is not None
            and worker.serving
            and worker.link.writable
            and len(self._claims) < at_most
        )

    async def load(self, worker: Worker) -> None:
        """Load in `worker`. Raises ActionError."""
        self.worker = worker
        spec = self.action.spec
        frame = frames.Load(
            uid=self.uid,
            path=spec.path,
            engine=spec.engine,
            task=spec.task,
            limits=frames.Limits(spec.context, spec.parallel, spec.kv_bytes),
            options=dict(spec.engine_options),
        )
        loaded = await worker.load(frame, self.action.timeout_s, self)
        # With the start of its process, which is what everybody waits for.
        self._load_s = self._clock() - self._begun
        self.loaded = loaded

    def claim(self, request: Request, holder: Holder) -> Claim:
        """Give the request to the worker. Raises RequestError when it cannot be sent."""
        assert self.worker is not None  # noqa: S101 - `room` was asked
        try:
            self.worker.submit(request)
        except FrameError as error:
            raise RequestError(Code.TOO_LARGE, f"the request cannot be sent: {error}") from error
        claim = Claim(request.id, self.key, self.uid, self.action.spec.revision, holder)
        self._claims[request.id] = claim
        self._held += 1
        self.unheld.clear()
        return claim

    def let_go(self, claim: Claim) -> None:
        """The holder waits no more: cancel. The place is free when the worker has confirmed."""
        if claim.holder is None or self._claims.get(claim.request_id) is not claim:
            return
        self._unhold(claim)
        if self.worker is not None:
            self.worker.cancel(claim.request_id)

    def cancel(self, claim: Claim) -> None:
        """End the request at the next token; its holder hears of it."""
        if self._claims.get(claim.request_id) is claim and self.worker is not None:
            self.worker.cancel(claim.request_id)

    def end_rest(self, code: Code, message: str) -> int:
        """Fail and cancel all claims that are held; how many there were."""
        rest = [(claim, claim.holder) for claim in self._claims.values() if claim.holder]
        for claim, holder in rest:
            self.let_go(claim)
            holder.fail(code, message)
        return len(rest)

    def abandon(self) -> list[Holder]:
        """The worker is dead: forget all claims; the holders that waited, the oldest first."""
        holders = [claim.holder for claim in self._claims.values() if claim.holder is not None]
        for claim in tuple(self._claims.values()):
            self._unhold(claim)
        self._claims.clear()
        return holders

    def on_events(self, events: tuple[Event, ...]) -> None:
        """Worker: a step's events."""
        ended = False
        for event in events:
            claim = self._claims.get(event.id)
            if claim is None:
                continue
            if claim.holder is not None and not claim.holder.deliver(event):
                log.info("slow reader cancelled", extra={"uid": self.uid, "request": event.id})
                self.let_go(claim)
            if isinstance(event, Usage):  # the last of a request, also after a failure
                del self._claims[event.id]
                self._unhold(claim)
                ended = True
        if ended:
            self._on_room(self.key)

    def on_writable(self) -> None:
        """Worker: it reads again."""
        self._on_room(self.key)

    def view(self) -> InstanceView:
        """As the reconciler sees it now."""
        now = self._clock()
        spec = self.action.spec
        loading = self.phase is InstancePhase.LOADING and self.worker is not None
        return InstanceView(
            uid=self.uid,
            key=self.key,
            spec_hash=spec.spec_hash,
            phase=self.phase,
            reserved=self.action.reserve,
            artifact=spec.artifact,
            revision=spec.revision,
            context=self.loaded.context if self.loaded else spec.context,
            kv_bytes=spec.kv_bytes,
            drain_s=self.action.drain_s,
            measured=self.loaded.memory if self.loaded else None,
            load_s=self._load_s,
            in_flight=self._held,
            drain_left_s=None if self.drain_until is None else max(0.0, self.drain_until - now),
            progress=self.worker.progress if loading and self.worker else None,
            exit=self.exit,
        )

    def _unhold(self, claim: Claim) -> None:
        if claim.holder is None:
            return
        claim.holder = None
        self._held -= 1
        if not self._held:
            self.unheld.set()
