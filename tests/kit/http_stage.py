"""A real HTTP server on a free loopback port around fakes, and raw sockets to talk to it."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx2

from lmxd.http.app import Server
from lmxd.http.calls import Calls, Remembering
from lmxd.http.listen import show
from lmxd.http.ports import Access, Deps, Stamp, Timing
from lmxd.idempotency import Answer
from lmxd.kept_responses import Kept
from lmxd.telemetry.events import EventLog
from reconciler.catalog import Entry
from reconciler.state import Accepted, ConfigView
from schemas.desired import DesiredState
from schemas.status import DaemonStatus, MachineStatus
from schemas.wire.control import Timeline
from tests.kit.fake_edits import FakeEdits
from tests.kit.fake_gate import DEADLINE_S, FakeGate

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients on loopback: reading the machine's certificates takes longer than most tests."""

DOCUMENT = b"# what this machine serves\nversion: 1\nmodels: {}\n"
STATUS = DaemonStatus(
    version="0.1.0",
    state_id="state",
    document="/etc/lmxd/desired-state.yaml",
    generation=7,
    epoch=12,
    summary="Healthy",
    conditions=(),
    machine=MachineStatus("cpu", 16, 14, 3, 100, 1),
    models=(),
)


def accepted_document() -> ConfigView:
    data: dict[str, object] = {"version": 1, "models": {}}
    accepted = Accepted(
        7, "ab" * 32, DesiredState.model_validate(data), data, datetime(2026, 1, 2, tzinfo=UTC)
    )
    return ConfigView(STATUS.document, accepted, True, True, "Accepted", "")


@dataclass
class FakeControl:
    """Says what the test puts into it."""

    current: DaemonStatus = STATUS
    view: ConfigView = field(default_factory=accepted_document)
    text: bytes = DOCUMENT
    asked_at: datetime | None = None
    entries: tuple[Entry, ...] = ()

    def stamp(self) -> Stamp:
        return Stamp(self.current.generation, self.current.epoch, "cd" * 32)

    async def status(self) -> DaemonStatus:
        return self.current

    async def catalog(self) -> tuple[Entry, ...]:
        return self.entries

    def config(self) -> ConfigView:
        return self.view

    async def document_bytes(self) -> bytes:
        return self.text

    async def effective(self, at: datetime | None = None) -> dict[str, object]:
        self.asked_at = at
        return {"epoch": 12, "models": []}

    async def plan(self, at: datetime | None = None) -> dict[str, object]:
        self.asked_at = at
        return {"epoch": 12, "generation": 7, "actions": [], "text": "nothing to do\n"}

    async def timeline(self, hours: int) -> Timeline:
        end = f"2026-11-21T{hours:02}:00:00Z"
        return Timeline("UTC", "2026-11-21T00:00:00Z", end, 14, (), (), ())

    async def schema(self) -> dict[str, object]:
        return {"title": "lmxd desired state"}


@dataclass
class InMemory:
    """Remembers answers for as long as the test takes."""

    kept: dict[str, Answer] = field(default_factory=dict)

    def find(self, key: str) -> Answer | None:
        return self.kept.get(key)

    async def keep(self, key: str, answer: Answer) -> None:
        self.kept[key] = answer


@dataclass
class KeptInMemory:
    """Keeps responses for as long as the test takes."""

    kept: dict[str, Kept] = field(default_factory=dict)

    async def find(self, identifier: str) -> Kept | None:
        return self.kept.get(identifier)

    async def keep(self, identifier: str, kept: Kept) -> None:
        self.kept[identifier] = kept

    async def forget(self, identifier: str) -> bool:
        return self.kept.pop(identifier, None) is not None


@dataclass
class FakeHealth:
    alive: bool = True
    reason: str = ""

    def live(self) -> bool:
        return self.alive

    def ready(self) -> tuple[bool, str]:
        return not self.reason, self.reason


def event_log(reserved: int = 0) -> EventLog:
    """An empty one of generation 7 and epoch 12, that forgets its numbers."""

    async def reserve(_: int) -> None:
        return None

    return EventLog(
        STATUS.state_id,
        reserved=reserved,
        reserve=reserve,
        now=lambda: datetime.now(UTC),
        where=lambda: (STATUS.generation, STATUS.epoch),
    )


@dataclass
class Stage:
    """A running server and what stands behind it."""

    server: Server
    gate: FakeGate
    control: FakeControl
    edits: FakeEdits
    health: FakeHealth
    events: EventLog
    client: httpx2.AsyncClient

    @property
    def address(self) -> tuple[str, int]:
        return self.server.addresses[0]

    @property
    def url(self) -> str:
        return f"http://{show(*self.address)}"

    async def chat(self, **fields: Any) -> httpx2.Response:
        return await self.client.post("/v1/chat/completions", json=chat_body(**fields))

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.get(path, headers=named)

    async def send(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> httpx2.Response:
        """A control call with a JSON body, or with these bytes; `_` in a header's name is `-`."""
        content = body if isinstance(body, bytes) else json.dumps(body) if body is not None else b""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named = {"content-type": "application/json"} | named
        return await self.client.request(method, f"/lmxd/v1/{path}", content=content, headers=named)

    async def raw(self) -> Raw:
        return Raw(*await asyncio.open_connection(*self.address))


def chat_body(**fields: Any) -> dict[str, Any]:
    return {"model": "day-coder", "messages": [{"role": "user", "content": "hello"}], **fields}


class Raw:
    """One TCP connection, spoken to in bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, head: str, body: bytes = b"") -> None:
        self.writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        await self.writer.drain()

    async def post(self, **fields: Any) -> None:
        body = json.dumps(chat_body(**fields)).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\nHost: localhost\nContent-Length: {len(body)}"
        await self.send(head, body)

    async def until(self, mark: bytes) -> bytes:
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.readuntil(mark)

    async def rest(self) -> bytes:
        """Everything up to the end of the connection."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)


@asynccontextmanager
async def stage(
    gate: FakeGate | None = None,
    *,
    timing: Timing | None = None,
    access: Access | None = None,
    listen: Sequence[tuple[str, int]] = (("127.0.0.1", 0),),
    body: int | None = None,
    edits: FakeEdits | None = None,
    answers: Remembering | None = None,
) -> AsyncIterator[Stage]:
    """Start a server; `body` bounds request bodies in bytes."""
    gate = gate or FakeGate()
    if body is not None:
        gate.routes = replace(gate.routes, flow=replace(gate.routes.flow, body=body))
    control, health, edits = FakeControl(), FakeHealth(), edits or FakeEdits()
    events = event_log()
    deps = Deps(
        gate,
        control,
        edits,
        edits,
        edits,
        edits,
        Calls(answers or InMemory()),
        health,
        events,
        KeptInMemory(),
        now=time.time,
        started=1_700_000_000,
        access=access or Access(),
        timing=timing or Timing(),
    )
    server = Server(deps)
    await server.prepare(listen)
    await server.start()
    url = f"http://{show(*server.addresses[0])}"
    try:
        async with httpx2.AsyncClient(
            base_url=url, timeout=DEADLINE_S, trust_env=False, verify=NO_TLS
        ) as client:
            yield Stage(server, gate, control, edits, health, events, client)
    finally:
        await server.stop(0)
