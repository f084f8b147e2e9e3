"""`GET /lmxd/v1/events`: what happened lately as a list, or what happens as server-sent events.

A list says with `lastId` from where a stream goes on without a gap. A stream begins after
`Last-Event-ID` or `?after=`, else with what comes next; whoever asks for a number that is no
longer held, or never was, gets 410 and looks at the status instead. Events are kept and numbered
elsewhere, here they are chosen and written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import msgspec
from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http import errors
from lmxd.http.description import Description, Param, header
from lmxd.http.incoming import Incoming, deps_of
from lmxd.http.outgoing import json_answer
from lmxd.http.ports import Events
from lmxd.http.query import number, query
from lmxd.http.routing import Route
from lmxd.http.streams import Feed
from schemas.errors import Code, LmxdError, RequestError
from schemas.events import EventList, Recorded

SSE, JSON = "text/event-stream", "application/json"
KINDS = ("Normal", "Warning")
LIMIT_MAX = 1000
DIGITS = 18
"""So long may a number be: what does not fit into 64 bits was never given out."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class _Asked:
    """Which events are wanted; None: no condition."""

    after: int | None
    limit: int | None
    subject: str | None
    kind: str | None

    def choose(self, events: Iterable[Recorded]) -> Iterator[Recorded]:
        """Those that are wanted."""
        for event in events:
            if self.subject in (None, event.subject) and self.kind in (None, event.kind):
                yield event


async def events(request: Incoming) -> HTTPResponse | None:
    """`GET /events`: a stream where that is accepted, else a list."""
    log, asked = deps_of(request).events, _asked(request)
    found = request.accept.match(JSON, SSE)
    stream = bool(found) and found.mime == SSE
    headers = {"Lmxd-State-Id": log.state_id, "Vary": "Accept"}
    if not stream:
        return json_answer(_list(log, asked), headers=headers)
    if asked.after is not None:
        log.after(asked.after)  # a 410 is a status and no event
    if request.method == "HEAD":
        return HTTPResponse(headers=headers, content_type=SSE)
    follower = _Follower(log, asked)
    feed = Feed(
        request=request,
        messages=follower.messages(),
        opening=follower.opening(),
        comment=follower.heartbeat,
        interval_s=deps_of(request).timing.heartbeat_s,
        farewell=b": the end\n\n",
        failure=_failure,
        headers=headers,
    )
    await feed.run()
    return None


def _list(log: Events, asked: _Asked) -> EventList:
    """After a number the oldest that are wanted, else the newest; `lastId` is where to go on."""
    if asked.after is None:
        chosen = tuple(asked.choose(log.held()))
        cut = chosen[-asked.limit :] if asked.limit else chosen
        return EventList(log.state_id, log.last_id, cut)
    chosen = tuple(asked.choose(log.after(asked.after)))
    if asked.limit is not None and len(chosen) > asked.limit:
        cut = chosen[: asked.limit]
        return EventList(log.state_id, cut[-1].id, cut)
    return EventList(log.state_id, log.last_id, chosen)


class _Follower:
    """One stream's place in the log."""

    def __init__(self, log: Events, asked: _Asked) -> None:
        self._log = log
        self._asked = asked
        self._place = log.last_id if asked.after is None else asked.after

    def opening(self) -> bytes:
        """Which history this is, and a place in it, also for who never gets an event."""
        body = {"stateId": self._log.state_id, "after": self._place}
        return _message("Hello", _encode(body), self._place)

    def heartbeat(self) -> bytes:
        """A comment; the number with it keeps the place of a stream that is told little."""
        return b": heartbeat\nid: %d\n\n" % self._place

    async def messages(self) -> AsyncIterator[bytes]:
        """What is wanted, as it comes; ends with the log, or after `limit`. RequestError (gone)
        when the client reads more slowly than things happen.
        """
        left = self._asked.limit
        while left is None or left > 0:
            new = self._log.after(self._place)
            for event in islice(self._asked.choose(new), left):
                self._place = event.id
                left = None if left is None else left - 1
                yield _message(event.kind, _encode(event), event.id)
            if left == 0 or (self._log.closed and not new):
                return
            self._place = new[-1].id if new else self._place
            await self._log.newer(self._place)


def _message(name: str, data: bytes, number: int) -> bytes:
    """JSON has no line breaks, so one line of data is enough."""
    return b"id: %d\nevent: %s\ndata: %b\n\n" % (number, name.encode(), data)


def _failure(error: LmxdError) -> bytes:
    """Without a number: who comes back goes on from the last event."""
    return b"event: Error\ndata: %b\n\n" % _encode(errors.problem_body(error))


def _asked(request: Request) -> _Asked:
    """The parameters; the header wins over `after`, as clients that come back keep their URL."""
    given = query(request, "after", "limit", "subject", "kind")
    kind = given.get("kind")
    if kind is not None and kind not in KINDS:
        raise _wrong("kind", kind, " or ".join(KINDS))
    after = request.headers.getone("last-event-id", None) or given.get("after")
    limit = number(given, "limit", LIMIT_MAX, LIMIT_MAX) if "limit" in given else None
    return _Asked(_place(after), limit, given.get("subject"), kind)


def _place(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= DIGITS):
        raise _wrong("after", text, "the id of an event")
    return int(text)


def _wrong(name: str, text: str, wanted: str) -> RequestError:
    message = f"{name}={text[:40]!r} is not {wanted}"
    return RequestError(Code.INVALID_REQUEST, message, param=name)


_WORD = {"type": "string"}
_ABOUT = Description(
    answer={JSON: EventList, SSE: _WORD},
    params=(
        Param("after", "The number after which to go on.", {"type": "integer"}),
        Param("limit", "How many at most.", {"type": "integer"}),
        Param("subject", "Only what is about this, such as model/KEY.", _WORD),
        Param("kind", "Only these.", {"type": "string", "enum": list(KINDS)}),
        header("Last-Event-ID", "The number after which to go on."),
    ),
)

ROUTES = (Route("GET", "/lmxd/v1/events", events, _ABOUT),)
