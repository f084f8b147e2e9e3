"""Which model a request goes to, under a name that may choose by task; what came of it is kept.

The gate asks, whenever it looks a waiter up. The task of a request is judged once, when a name
that needs it first comes up.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from lmxd.serving import delegation, names
from lmxd.serving.choice import Choice, choose
from lmxd.serving.decisions import Decision, Decisions
from lmxd.serving.tasks import Task, judge
from reconciler.state import ModelKey, Routes, Target
from schemas.inference import Request

__all__ = ["Dispatch", "Errand"]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Errand:
    """A request on its way to a model. decision: None while no name chose by task for it.
    offered: the model that answers may hand it on.
    """

    request: Request
    decision: Decision | None = None
    offered: bool = False


class Dispatch:
    """Belongs to one gate. resident: whether an instance answers for a model. can: whether that
    has a capability, such as `tools`. now: wall clock.
    """

    def __init__(
        self,
        resident: Callable[[ModelKey], bool],
        can: Callable[[ModelKey, str], bool],
        now: Callable[[], datetime],
    ) -> None:
        self._resident = resident
        self._can = can
        self.decisions = Decisions(now)

    def choose(self, routes: Routes, errand: Errand, *, patient: bool = False) -> Choice:
        """See `choice.choose`; raises RequestError as it does and as `names.lookup` does."""
        keys = names.lookup(routes, errand.request.name, self.task(routes, errand))
        return choose(routes, keys, self._resident, patient=patient)

    def task(self, routes: Routes, errand: Errand) -> Task | None:
        """The kind of work, where its name chooses by that."""
        request = errand.request
        if errand.decision is None and names.by_task(routes, request.name) is not None:
            judgement = judge(request)
            chosen = names.lookup(routes, request.name, judgement.task)[0]
            errand.decision = self.decisions.add(request.id, request.name, judgement, chosen)
        return errand.decision.task if errand.decision else None

    def sent(self, routes: Routes, errand: Errand, target: Target) -> Request:
        """The request as the model gets it that serves it now."""
        decision = errand.decision
        if decision is None:
            return errand.request
        decision.model = target.key
        log.info(
            "routed",
            extra={"request": errand.request.id, "model": target.key, "why": decision.why},
        )
        if decision.delegated:  # perhaps to a worker that knows the first one's id still
            return msgspec.structs.replace(errand.request, id=f"{errand.request.id}.2")
        route = names.by_task(routes, errand.request.name)
        errand.offered = (
            route is not None
            and route.delegate
            and target.key == route.light != route.heavy
            and delegation.possible(errand.request)
            and self._can(target.key, "tools")
        )
        return delegation.offered(errand.request) if errand.offered else errand.request

    def hand_over(self, routes: Routes, errand: Errand) -> None:
        """The light model wants the heavy one to answer."""
        if errand.decision is not None:
            errand.decision.delegated, errand.offered = True, False
            chosen = names.lookup(routes, errand.request.name, errand.decision.task)
            errand.decision.chosen = chosen[0]
