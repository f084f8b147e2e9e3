"""`keep_alive` of Ollama's requests: a lease on how long an on-demand model is kept.

It is made when the answer is there, and renewed by the next request that says the same; one that
says otherwise ends it. Nothing is written into the document, and a model that the document has
loaded stays whatever a request says.
"""

from __future__ import annotations

import logging
import math

from sanic.request import Request

from lmxd.http.incoming import deps_of
from lmxd.http.ports import Deps, Served
from lmxd.idempotency import Answer
from lmxd.serving.names import lookup
from reconciler.state import ModelState
from schemas.edit import Edit, MergePatch
from schemas.errors import Code, LmxdError, RequestError
from schemas.verbs import Keep

_log = logging.getLogger(__name__)

MANAGER = "ollama"
"""Who these leases belong to: clients that say the same share one."""

LONGEST_S = 366 * 86400.0
"""How long a lease holds at most."""

_MARGIN_S = 60.0
"""A lease outlives what it says by this, or the document would have the last word too early."""


async def keep(deps: Deps, served: Served | None, keep_s: float | None) -> None:
    """Keep what served a request for so long from now on; None: as the document says.

    The answer is made already, so what is in the way of it is only logged.
    """
    if keep_s is None or served is None:
        return
    try:
        await _perform(deps, served.key, keep_s)
    except LmxdError as error:
        _log.warning("keep_alive without effect", extra={"model": served.key, "why": str(error)})


async def let_go(request: Request, name: str) -> None:
    """Unload a model that requests had loaded. Raises RequestError: model_not_found, and
    field_conflict for one that the document has loaded.
    """
    deps = deps_of(request)
    key = lookup(deps.gate.routes, name)[0]
    for entry in await deps.control.catalog():
        model = entry.model
        if model.key == key and model.state is ModelState.LOADED and not model.demanded:
            raise RequestError(
                Code.FIELD_CONFLICT,
                f"{key} stays loaded: {model.because} says so",
                hint="POST /api/stop changes the document, with ?ttl=1h for so long only",
            )
    await _perform(deps, key, 0.0)


async def _perform(deps: Deps, key: str, keep_s: float) -> None:
    """Carried out to its end, also when the client hangs up."""
    text, ttl_s = _terms(keep_s)
    edit = Edit(MergePatch({}), MANAGER)

    async def run() -> Answer:
        await deps.verbs.perform(Keep(key, text), edit, ttl_s=ttl_s, dry_run=False)
        return Answer("", {}, {})

    await deps.calls.once(None, "", run)


def _terms(keep_s: float) -> tuple[str, float | None]:
    """How long, as the document writes it, and for how long that is to be said."""
    if keep_s == 0:
        return "0s", None
    if keep_s > LONGEST_S - _MARGIN_S:
        return "forever", LONGEST_S
    whole_s = math.ceil(keep_s)
    return f"{whole_s}s", whole_s + _MARGIN_S
