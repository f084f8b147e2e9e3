"""A verb as it comes in: the terms of a change, the few members of its body, and a `ttl`.

Shared by the paths that order something (`admin`, `lmstudio`, `ollama_verbs`). The daemon's
`Verbs` carries the verb out, for good or, with a `ttl`, as a lease.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from sanic.request import Request

from lmxd.http.bodies import fields
from lmxd.http.control_writing import no_lease
from lmxd.http.description import Param
from lmxd.http.incoming import deps_of
from lmxd.http.ports import Effect
from lmxd.http.prefer import WAIT_MAX_S, Preference
from lmxd.http.query import query
from lmxd.http.terms import Terms, terms, ttl
from schemas.edit import MergePatch
from schemas.errors import Code, RequestError
from schemas.verbs import Verb

TTL = Param("ttl", "For so long only, like 2h: a lease instead of an edit.")
WORD_MAX = 4096
"""Longest name or source; file systems take no longer path."""


@dataclass(frozen=True, slots=True)
class Order:
    """On which terms something is ordered, and the members of the body. `ttl_s` None: for good."""

    terms: Terms
    given: Mapping[str, object]
    ttl_s: float | None = None

    def word(self, name: str) -> str:
        """A member that is text and needed; raises RequestError (invalid_request)."""
        value = self.given.get(name)
        if isinstance(value, str) and 0 < len(value) <= WORD_MAX and value.isprintable():
            return value
        why = "is needed" if value is None else "must be text of printable characters"
        message = f"{name} {why}, {WORD_MAX} at most"
        raise RequestError(Code.INVALID_REQUEST, message, param=name)

    def tokens(self, name: str) -> int | None:
        """A member that is a whole number from 1 on; None when it is not there."""
        value = self.given.get(name)
        if value is None or (type(value) is int and 0 < value < 2**31):
            return value
        message = f"{name} must be a whole number of tokens, from 1 on"
        raise RequestError(Code.INVALID_REQUEST, message, param=name)

    def flag(self, name: str) -> bool:
        """A member that is true or false; false when it is not there."""
        value = self.given.get(name, False)
        if isinstance(value, bool):
            return value
        raise RequestError(Code.INVALID_REQUEST, f"{name} must be true or false", param=name)


async def order(request: Request, *known: str) -> Order:
    """The order in a body that has only `known` members. Raises RequestError."""
    asked = _asked(request)
    given = await fields(request, deps_of(request).edits.read_yaml, *known, needed=True)
    return Order(asked, given, _ttl(request, given))


def bare(request: Request) -> Order:
    """The order of a call without a body: a DELETE, which no page on the web sends unasked."""
    return Order(_asked(request), {}, _ttl(request, {}))


def performing(request: Request, asked: Order, verb: Verb) -> Callable[[], Awaitable[Effect]]:
    """What carries the verb out."""
    edit = asked.terms.edit(MergePatch({}))
    verbs, dry_run = deps_of(request).verbs, asked.terms.dry_run
    return lambda: verbs.perform(verb, edit, ttl_s=asked.ttl_s, dry_run=dry_run)


def patient(request: Request, asked: Order) -> Order:
    """The order, to be answered when it is carried out, or after `limits.wait`: some clients
    expect that. A `Prefer` header asks for another wait.
    """
    if asked.terms.prefer.wait_s is not None:
        return asked
    wait_s = min(deps_of(request).gate.routes.flow.wait_s, WAIT_MAX_S)
    preference = Preference(wait_s, f"wait={wait_s:g}")
    return replace(asked, terms=replace(asked.terms, prefer=preference))


def _asked(request: Request) -> Terms:
    asked = terms(request, "ttl")
    no_lease(asked)
    if asked.plan_id is not None:
        message = "Lmxd-Plan goes with edits of the document only"
        raise RequestError(Code.INVALID_REQUEST, message, param="Lmxd-Plan")
    return asked


def _ttl(request: Request, given: Mapping[str, object]) -> float | None:
    asked = query(request, "dry_run", "force", "ttl").get("ttl")
    if asked is not None and "ttl" in given:
        message = "ttl is in the query and in the body"
        raise RequestError(Code.INVALID_REQUEST, message, param="ttl")
    value = given.get("ttl", asked)
    return None if value is None else ttl(value, "ttl")
