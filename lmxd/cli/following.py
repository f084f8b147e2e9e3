"""Events on the command line: the list of them, and the stream that is taken up again.

A stream that breaks is asked for again from the last event on. When the daemon no longer holds
what came since, or began another history, that is said and what it still has is shown.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec

from lmxd.cli.client import EVENTS, Client, Unreachable
from lmxd.cli.messages import note
from lmxd.cli.options import Form
from lmxd.cli.output import columns, rows, structured
from schemas.errors import Code, LmxdError
from schemas.events import EventList, Recorded

__all__ = ["Message", "Wanted", "follow", "messages", "show"]

PAUSE_S = 1.0
"""Before a stream that broke is asked for again."""
COLUMNS = ("TIME", "KIND", "SUBJECT", "REASON", "MESSAGE")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events; `subject` None: about anything."""

    subject: str | None
    warnings: bool

    def path(self, after: int | None = None) -> str:
        """Where they are."""
        asked = {"subject": self.subject, "after": after}
        asked |= {"kind": "Warning"} if self.warnings else {}
        pairs = urlencode({name: value for name, value in asked.items() if value is not None})
        return f"{EVENTS}?{pairs}" if pairs else EVENTS


def show(client: Client, wanted: Wanted, after: int | None, form: Form) -> int:
    """What is held, once."""
    path = wanted.path(after)
    if form is not Form.TABLE:
        sys.stdout.write(structured(client.values(path), form))
        return 0
    found = _listed(client, path).events
    rows(columns(COLUMNS, map(_cells, found)) if found else "nothing happened yet")
    return 0


def follow(client: Client, wanted: Wanted, after: int | None, form: Form) -> int:
    """What is held and what comes, until Ctrl-C. Raises LmxdError only before anything came."""
    say = _SAY[form]
    try:
        found = _listed(client, wanted.path(after))
        place = _Place(found.state_id, found.last_id)
        for event in found.events:
            say(event)
        while True:
            for event in _coming(client, wanted, place):
                say(event)
            time.sleep(PAUSE_S)
    except KeyboardInterrupt:
        return 0


@dataclass(slots=True)
class _Place:
    """How far somebody has read in which history; `lost` while nobody answers."""

    state_id: str
    last: int
    lost: bool = False


def _coming(client: Client, wanted: Wanted, place: _Place) -> Iterator[Recorded]:
    """One stream to its end; whatever ends it is said, and `place` is where to go on."""
    headers = {"Accept": "text/event-stream", "Last-Event-ID": str(place.last)}
    try:
        for message in messages(client.stream(wanted.path(), headers)):
            place.lost = False
            if message.id is not None:
                place.last = message.id
            if message.name in ("Normal", "Warning"):
                yield msgspec.json.decode(message.data, type=Recorded)
    except Unreachable as error:
        if not place.lost:
            note(f"{error.message}; trying again")
        place.lost = True
    except LmxdError as error:
        if error.code is not Code.GONE:
            raise
        note(f"some events were missed: {error.message}; going on with those that are there")
        yield from _again(client, wanted, place)


def _again(client: Client, wanted: Wanted, place: _Place) -> Iterator[Recorded]:
    """What is held and was not read yet; from there on the stream is whole again."""
    found = _listed(client, wanted.path())
    read = place.last if found.state_id == place.state_id and place.last <= found.last_id else 0
    yield from (event for event in found.events if event.id > read)
    place.state_id, place.last = found.state_id, found.last_id


def _listed(client: Client, path: str) -> EventList:
    return msgspec.json.decode(client.get(path), type=EventList)


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a stream; `id` None: it has none."""

    name: str
    data: bytes
    id: int | None


def messages(chunks: Iterable[bytes]) -> Iterator[Message]:
    """Server-sent events out of bytes, however they are cut. Lines end with \\n alone: texts may
    hold what Python takes for the end of a line.
    """
    left = b""
    for chunk in chunks:
        *whole, left = (left + chunk).split(b"\n\n")
        for block in whole:
            fields = dict(_field(line) for line in block.split(b"\n") if not line.startswith(b":"))
            number = fields.get(b"id", b"")
            yield Message(
                name=fields.get(b"event", b"message").decode(),
                data=fields.get(b"data", b""),
                id=int(number) if number.isdigit() else None,
            )


def _field(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name, value.removeprefix(b" ")


def _cells(event: Recorded) -> tuple[str, ...]:
    times = f" (x{event.count} since {_short(event.first_at)})" if event.count > 1 else ""
    message = f"{event.message}{times}"
    return _short(event.at), event.kind, event.subject, event.reason, message


def _short(at: str) -> str:
    """Without the thousandths."""
    return f"{at.partition('.')[0].rstrip('Z')}Z"


def _line(event: Recorded) -> None:
    at, kind, subject, reason, message = map(" ".join, map(str.split, _cells(event)))
    print(f"{at}  {kind:<7}  {subject:<16}  {reason:<16}  {message}", flush=True)


def _json(event: Recorded) -> None:
    """One line each, so that `jq` and others can follow."""
    print(json.dumps(msgspec.to_builtins(event), ensure_ascii=False), flush=True)


def _yaml(event: Recorded) -> None:
    print(f"---\n{structured(msgspec.to_builtins(event), Form.YAML)}", end="", flush=True)


_SAY: dict[Form, Callable[[Recorded], None]] = {
    Form.TABLE: _line,
    Form.JSON: _json,
    Form.YAML: _yaml,
}
