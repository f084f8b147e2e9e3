"""On which terms a change is asked for: who asks, under which condition, really or for show.

Headers and query in, `Terms` out; what is asked for stands in the body (`bodies`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sanic.request import Request

from lmxd.http.etags import tags
from lmxd.http.prefer import Preference, preference
from lmxd.http.query import flag, query
from schemas.base import Invalid
from schemas.edit import ANONYMOUS, FILE, Edit, EditBody
from schemas.errors import Code, RequestError
from schemas.quantities import parse_duration

NOTE_MAX = 500
KEY_MAX = 255
LEASE_MAX_S = 366 * 86400.0
RESERVED = frozenset({FILE, "rollback"})
"""Names the history uses for authors that are no callers."""

_MANAGER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KEY = re.compile(rf"[\x21-\x7e]{{1,{KEY_MAX}}}")
_PLAN = re.compile(r"[\x21-\x7e]{1,64}")


@dataclass(frozen=True, slots=True)
class Terms:
    """`lease_s`: the change is lent for so long. `plan_id`: only if this plan still holds. `key`:
    the call is carried out once, however often it comes.
    """

    manager: str = ANONYMOUS
    if_match: tuple[str, ...] = ()
    if_none_match: tuple[str, ...] = ()
    force: bool = False
    dry_run: bool = False
    note: str = ""
    plan_id: str | None = None
    lease_s: float | None = None
    key: str | None = None
    prefer: Preference = field(default_factory=Preference)

    def edit(self, body: EditBody) -> Edit:
        """The change of `body` on these terms."""
        return Edit(body, self.manager, self.if_match, self.force, self.note)


def terms(request: Request, *more: str) -> Terms:
    """Raises RequestError (invalid_request) for what cannot be understood. `more` are parameters
    of the query that its caller reads.
    """
    given = query(request, "dry_run", "force", *more)
    headers = request.headers
    return Terms(
        manager=_manager(headers.getone("lmxd-manager", None)),
        if_match=tags(headers.getall("if-match", ()), "If-Match"),
        if_none_match=tags(headers.getall("if-none-match", ()), "If-None-Match"),
        force=flag(given, "force"),
        dry_run=flag(given, "dry_run"),
        note=_note(headers.getone("lmxd-note", "")),
        plan_id=_word(headers.getone("lmxd-plan", None), "Lmxd-Plan", _PLAN),
        lease_s=_lease(headers.getone("lmxd-lease", None)),
        key=_word(headers.getone("idempotency-key", None), "Idempotency-Key", _KEY),
        prefer=preference(headers.getall("prefer", ())),
    )


def ttl(text: object, param: str) -> float:
    """How long a lease is to hold, in seconds; at least one."""
    if text is None:
        raise RequestError(
            Code.INVALID_REQUEST,
            f"{param} is missing",
            hint=f'say how long from now it is to hold, like {{"{param}": "2h"}}',
            param=param,
        )
    try:
        seconds = parse_duration(text)
    except Invalid as error:
        fault = error.faults[0]
        message = f"{param}: {fault.message[:200]}"
        raise RequestError(Code.INVALID_REQUEST, message, hint=fault.hint, param=param) from None
    if not 1 <= seconds <= LEASE_MAX_S:
        raise RequestError(
            Code.INVALID_REQUEST,
            f"{param}: a lease holds for at least 1s and at most for 366d",
            hint="write how long it is to hold, like 2h; what is to stay belongs into the document",
            param=param,
        )
    return seconds


def _lease(text: str | None) -> float | None:
    return None if text is None else ttl(text, "Lmxd-Lease")


def _manager(name: str | None) -> str:
    if name is None:
        return ANONYMOUS
    if _MANAGER.fullmatch(name) and name not in RESERVED:
        return name
    why = "is a name lmxd uses itself" if name in RESERVED else "is no name of a manager"
    raise RequestError(
        Code.INVALID_REQUEST,
        f"Lmxd-Manager: {name[:64]!r} {why}",
        hint="use letters, digits, dot, dash and underscore, like night-bot; 64 at most",
        param="Lmxd-Manager",
    )


def _note(text: str) -> str:
    """One line of text; header bytes that are no UTF-8 become question marks."""
    plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    line = "".join(char if char.isprintable() else " " for char in plain).strip()
    if len(line) > NOTE_MAX:
        raise RequestError(
            Code.INVALID_REQUEST,
            f"Lmxd-Note: {len(line)} characters, at most {NOTE_MAX} are kept",
            param="Lmxd-Note",
        )
    return line


def _word(text: str | None, name: str, form: re.Pattern[str]) -> str | None:
    if text is None or form.fullmatch(text):
        return text
    raise RequestError(
        Code.INVALID_REQUEST,
        f"{name}: {text[:40]!r} is not of printable ASCII characters without spaces",
        hint=f"{KEY_MAX} characters at most" if form is _KEY else "copy the plan_id of POST /plan",
        param=name,
    )
