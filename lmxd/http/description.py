"""What a route takes and answers, in words and schemas; stands beside the route in its table.

`openapi` makes the OpenAPI document of it. Nothing here has an effect on a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

JsonSchema = Mapping[str, object]

OBJECT: JsonSchema = {"type": "object", "additionalProperties": True}
TEXT: JsonSchema = {"type": "string"}
FLAG: JsonSchema = {"type": "boolean", "default": False}
INSTANT: JsonSchema = {"type": "string", "format": "date-time"}


@dataclass(frozen=True, slots=True)
class Named:
    """A schema that is made elsewhere, by its name among the components."""

    name: str


Shape = type | Named | JsonSchema
"""A msgspec struct, a named schema, or a schema as it is."""


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of the query, or one header."""

    name: str
    text: str
    schema: JsonSchema = field(default_factory=lambda: TEXT)
    where: Literal["query", "header"] = "query"


@dataclass(frozen=True, slots=True)
class Description:
    """What a route is about.

    summary: a sentence; "" takes that of the handler's docstring. answer: by media type what 200
    holds. body: by media type what is sent. optional: the body may be empty. waits: the answer may
    be 202. tag: the chapter it belongs to.
    """

    summary: str = ""
    answer: Mapping[str, Shape] = field(default_factory=dict)
    body: Mapping[str, Shape] = field(default_factory=dict)
    optional: bool = False
    params: tuple[Param, ...] = ()
    waits: bool = False
    tag: str = "control"


def json(shape: Shape) -> Mapping[str, Shape]:
    """The one media type that most answers have."""
    return {"application/json": shape}


def header(name: str, text: str) -> Param:
    """A header with a text value."""
    return Param(name, text, where="header")


AT = Param("at", "The instant that is asked about; now when left out.", INSTANT)
DRY_RUN = Param("dry_run", "Tell what would come of it, and do nothing.", FLAG)
FORCE = Param("force", "Override owners of fields and protection.", FLAG)
IF_MATCH = header("If-Match", "ETags one of which must be current, compared strongly; or *.")
IF_NONE_MATCH = header("If-None-Match", "* writes the first document, and nothing over another.")
MANAGER = header("Lmxd-Manager", "Who changes this; owns the fields it sets. Default: anonymous.")
NOTE = header("Lmxd-Note", "A line for the history.")
PLAN = header("Lmxd-Plan", "A plan_id: change only while this would still lead to that plan.")
LEASE = header("Lmxd-Lease", "Hold for so long only, like 2h: the merge patch becomes a lease.")
PREFER = header("Prefer", "wait=60 waits until the models it moves have arrived; respond-async.")
KEY = header("Idempotency-Key", "Carry out once, however often this comes; kept for 24 hours.")

CALL = (MANAGER, PREFER, KEY)
CHANGE = (DRY_RUN, FORCE, IF_MATCH, NOTE, *CALL)
