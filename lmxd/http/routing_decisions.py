"""`GET /lmxd/v1/routing/decisions`: how requests to names that choose by task were judged lately,
and what served them.
"""

from __future__ import annotations

from datetime import UTC

from sanic.request import Request
from sanic.response import HTTPResponse

from lmxd.http.description import OBJECT, Description, Param, json
from lmxd.http.incoming import deps_of
from lmxd.http.outgoing import json_answer
from lmxd.http.ports import Decision
from lmxd.http.query import number, query
from lmxd.http.routing import Route

_USUAL, _MOST = 100, 1000


async def decisions(request: Request) -> HTTPResponse:
    """The newest first; `?limit=` says how many."""
    limit = number(query(request, "limit"), "limit", _USUAL, _MOST)
    found = deps_of(request).gate.decisions(limit)
    return json_answer({"decisions": [_shown(each) for each in found]})


def _shown(decision: Decision) -> dict[str, object]:
    at = decision.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "at": at,
        "request": decision.request_id,
        "name": decision.name,
        "task": decision.task,
        "reason": decision.judgement.reason,
        "expected_tokens": decision.judgement.expected,
        "chosen": decision.chosen,
        "model": decision.model,
        "delegated": decision.delegated,
    }


ROUTES = (
    Route(
        "GET",
        "/lmxd/v1/routing/decisions",
        decisions,
        Description(
            answer=json(OBJECT),
            params=(
                Param(
                    "limit", "How many, 1 to 1000; 100 when it is left out.", {"type": "integer"}
                ),
            ),
        ),
    ),
)
