"""What the HTTP surface needs of the daemon; `lmxd.daemon` hands in the real things.

`Gate` is where requests enter, `Control` is what the control API shows, `Edits`, `Leasing`,
`History` and `Verbs` are what it changes, `Health` is what load balancers ask. Nothing here is
implemented in this package.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol

from lmxd.http.calls import Calls
from lmxd.kept_responses import Kept
from reconciler.catalog import Entry
from reconciler.state import ConfigView, ModelKey, Routes
from schemas.edit import Edit
from schemas.events import Recorded
from schemas.inference import Accepted, Event, Request
from schemas.status import DaemonStatus
from schemas.verbs import Verb
from schemas.wire.admin import Done, Reloaded
from schemas.wire.control import (
    Changed,
    GenerationInfo,
    Generations,
    LeaseEnded,
    LeaseMade,
    Leases,
    Planned,
    Retried,
    Timeline,
    Unsettled,
)


class Served(Protocol):
    """What answers a request."""

    @property
    def key(self) -> str:
        """The model's key in the document."""

    @property
    def revision(self) -> str | None:
        """The revision of its files."""

    @property
    def why(self) -> str:
        """Why this model, where the name chose by task; else empty."""


class Generation(Protocol):
    """One request on its way. Whoever got it from the gate must `aclose()` it."""

    @property
    def id(self) -> str:
        """The id of the request."""

    @property
    def name(self) -> str:
        """The name the client asked for."""

    @property
    def served(self) -> Served | None:
        """What answers; known from acceptance on, None before."""

    async def accepted(self) -> Accepted:
        """Wait until an engine took the request. Repeatable; cancelling ends only the waiting.
        Raises RequestError when it cannot be served.
        """

    def __aiter__(self) -> AsyncIterator[Event]:
        """The events after acceptance: texts, one Finish or Failed an index, then Usage. Events
        that are there already come without a turn of the event loop.
        """

    async def aclose(self) -> None:
        """Give the request up or let go of a finished one. Idempotent, never raises."""


class Judgement(Protocol):
    """What kind of work a request was taken for."""

    @property
    def reason(self) -> str:
        """Why, in words."""

    @property
    def expected(self) -> int | None:
        """Tokens that the answer was expected to have."""


class Decision(Protocol):
    """A choice by task."""

    at: datetime
    request_id: str
    name: str
    chosen: ModelKey
    model: ModelKey | None
    delegated: bool

    @property
    def judgement(self) -> Judgement:
        """What it rests on."""

    @property
    def task(self) -> str:
        """light, heavy, code or reasoning."""


class Gate(Protocol):
    """Where inference requests come in."""

    @property
    def routes(self) -> Routes:
        """The names of this instant. Never blocks."""

    def submit(self, request: Request, *, tag: str = "") -> Generation:
        """Take the request. Raises RequestError for what is known at once. Never blocks. tag: what
        its client calls it.
        """

    def cancel(self, name: str) -> int:
        """End the requests of that id or tag; how many there were."""

    def decisions(self, limit: int) -> tuple[Decision, ...]:
        """The latest choices by task, the newest first."""


class Stamp(NamedTuple):
    """What an answer of the control API was computed from.

    `etag` is the hex sha256 of the accepted document as canonical JSON; "" before any.
    """

    generation: int
    epoch: int
    etag: str


class Control(Protocol):
    """What the control API shows; what is awaited comes from a pass that begins with the call."""

    def stamp(self) -> Stamp:
        """Generation, epoch and ETag of this instant."""

    async def status(self) -> DaemonStatus:
        """Conditions of the daemon and of every model."""

    async def catalog(self) -> tuple[Entry, ...]:
        """Every model with its files and what answers for it."""

    def config(self) -> ConfigView:
        """The accepted document and how the file stands."""

    async def document_bytes(self) -> bytes:
        """The bytes of the accepted generation, comments and all. Reads a file."""

    async def effective(self, at: datetime | None = None) -> dict[str, object]:
        """What holds now, or at an aware instant, as JSON values."""

    async def plan(self, at: datetime | None = None) -> dict[str, object]:
        """What the loop would do now, or if it were `at`, as JSON values; `text` is the same for
        people.
        """

    async def timeline(self, hours: int) -> Timeline:
        """What the clock brings within so many hours, whom it leaves out and when names wait."""

    async def schema(self) -> dict[str, object]:
        """The JSON Schema of the document."""


class Effect(NamedTuple):
    """What a call came to; `touched` are the keys of the models that it moves."""

    answer: Changed | LeaseMade | LeaseEnded | Retried | Done | Reloaded
    touched: frozenset[str] = frozenset()


class Settled(NamedTuple):
    """How models stand after a wait. `done`: each is Ready or has a reason not to be; `unsettled`
    are those that are not Ready though they should be.
    """

    done: bool
    unsettled: tuple[Unsettled, ...] = ()


class Edits(Protocol):
    """Who changes the document. A call that was begun ends, also when it is cancelled: its caller
    sees to that. All raise RequestError, and DocumentError for what would not be valid.

    `plan_id`: refuse (plan_stale) when this would now lead to another plan. `dry_run`: nothing is
    written, and the answer is what it would be.
    """

    def read_yaml(self, raw: bytes) -> object:
        """YAML as plain values; raises DocumentError. Blocks."""

    async def change(self, edit: Edit, *, dry_run: bool, plan_id: str | None) -> Effect:
        """Carry out a change of the document."""

    async def create(self, edit: Edit, *, dry_run: bool) -> Effect:
        """Write the first document; precondition_failed when there is one."""

    async def confirm(self, sha256: str) -> Effect:
        """Accept the file with that digest, which was held because much vanishes in it."""

    async def rollback(self, number: int, edit: Edit, *, dry_run: bool) -> Effect:
        """Make a new generation of what generation `number` held. `edit` says who and under which
        condition; its body is not looked at.
        """

    async def planned(self, edit: Edit, at: datetime | None = None) -> Planned:
        """What a change would lead to now, or if it were `at`. Owners of fields are not asked."""

    async def retry(self, key: str) -> Effect:
        """Forget what failed about a model, so that it is tried at once."""

    async def settle(self, touched: Collection[str], wait_s: float) -> Settled:
        """Wait until these models have arrived or cannot, by passes that began after this call;
        for `wait_s` seconds at most, and no longer than the daemon takes calls.
        """


class Leasing(Protocol):
    """Who keeps the leases. Raises like `Edits`, not_found for an id that is not there."""

    def leases(self) -> Leases:
        """All of them."""

    async def lend(self, edit: Edit, ttl_s: float, *, dry_run: bool) -> Effect:
        """Lay the merge patch of `edit` over the document for so many seconds."""

    async def extend(self, lease: str, ttl_s: float) -> Effect:
        """Let a lease end so many seconds from now."""

    async def end(self, lease: str) -> Effect:
        """End a lease now."""


class Verbs(Protocol):
    """Who carries out verbs, each as an edit or a lease. Raises like `Edits`, insufficient_memory
    for a load that finds no place, and model_loaded for what is loaded and is to be deleted.
    """

    async def perform(
        self, verb: Verb, edit: Edit, *, ttl_s: float | None, dry_run: bool
    ) -> Effect:
        """Do what a verb says, for good or for so many seconds. `edit` says who asks and under
        which condition; its body is not looked at.
        """

    async def reload(self) -> Effect:
        """Look at the file now; raises document_invalid or document_held when it is not in effect
        after that.
        """


class History(Protocol):
    """The accepted generations."""

    async def generations(self, limit: int) -> Generations:
        """The newest ones, newest first. Reads files."""

    async def generation(self, number: int) -> GenerationInfo:
        """One of them with its text; raises RequestError (not_found). Reads files."""


class Keeping(Protocol):
    """Where responses are kept that clients may refer to later; nothing here raises."""

    async def find(self, identifier: str) -> Kept | None:
        """The response of that id, if it is still kept. Reads a file."""

    async def keep(self, identifier: str, kept: Kept) -> None:
        """Remember one, over restarts, unless the disk refuses it. Writes a file."""

    async def forget(self, identifier: str) -> bool:
        """Remove one; False when there was none."""


class Events(Protocol):
    """What happened lately, by growing numbers."""

    @property
    def state_id(self) -> str:
        """Names the history: numbers of another one mean nothing here."""

    @property
    def last_id(self) -> int:
        """The number of the newest event."""

    @property
    def closed(self) -> bool:
        """Nothing comes any more: the daemon stops."""

    def held(self) -> tuple[Recorded, ...]:
        """All events that are held, oldest first."""

    def after(self, last_seen: int) -> tuple[Recorded, ...]:
        """Those after a number, oldest first; raises RequestError (gone) when some may be lost."""

    async def newer(self, last_seen: int) -> None:
        """Wait until there is one after that number, or nothing comes any more."""


class Health(Protocol):
    """Whether the daemon works, and whether it serves what it should."""

    def live(self) -> bool:
        """True when the loop made progress within 30 s."""

    def ready(self) -> tuple[bool, str]:
        """Whether everything wanted is served, and if not, the reason."""


@dataclass(frozen=True, slots=True)
class Timing:
    """How long streams wait with what, in seconds.

    `hold_s`: headers are held so long, in the hope of a status that tells the truth.
    `keep_alive_s`: silence after which a streamed answer sends a comment, `heartbeat_s` the same
    for a stream of events. `drain_s`: what a stopping server gives handlers to clean up after
    their connections were cut.
    """

    hold_s: float = 5.0
    keep_alive_s: float = 5.0
    heartbeat_s: float = 15.0
    drain_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Access:
    """Who may talk to the server beyond loopback names: extra Host names, CORS origins."""

    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Deps:
    """Everything handlers use. `now` gives the wall clock in seconds since 1970; `started` is
    when the daemon did.
    """

    gate: Gate
    control: Control
    edits: Edits
    leasing: Leasing
    verbs: Verbs
    history: History
    calls: Calls
    health: Health
    events: Events
    responses: Keeping
    now: Callable[[], float]
    started: int
    access: Access = field(default_factory=Access)
    timing: Timing = field(default_factory=Timing)
