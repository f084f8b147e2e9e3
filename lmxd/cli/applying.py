"""What `lmxd apply` sends: a whole text against the document it was compared with, the patch of a
saved plan under that plan's id, or the digest of a held edit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from lmxd.cli import asking, client
from lmxd.cli.speech import JSON, JSON_PATCH, MERGE_PATCH, YAML, Call, Terms
from schemas.errors import Code, LmxdError
from schemas.wire.control import Planned

__all__ = ["SavedPlan", "of_file", "of_held", "of_plan", "save"]

CONFIRM = f"{client.DESIRED}/confirm"
FORMAT = "lmxd/plan"


class SavedPlan(msgspec.Struct, frozen=True):
    """A plan and the change it belongs to; exactly one of `text` and `patch` is set."""

    plan_id: str
    etag: str
    text: str | None = None
    patch: dict[str, object] | list[object] | None = None
    format: str = FORMAT
    version: int = 1

    @classmethod
    def of(cls, found: Planned, body: Mapping[str, object]) -> SavedPlan:
        """The plan of a change that the daemon was asked about with that body."""
        return msgspec.convert({**body, "plan_id": found.plan_id, "etag": found.etag}, cls)


def of_file(url: str, named: str, terms: Terms) -> Call:
    """A PUT of the text, refused when somebody changes the document before it arrives."""
    content = asking.text(named)
    with client.Client(url) as daemon:
        try:
            terms = replace(terms, if_match=daemon.document()[1])
        except LmxdError as error:
            if error.code is not Code.NOT_FOUND or isinstance(error, client.Unreachable):
                raise
            terms = replace(terms, if_none_match="*")
    return Call("PUT", client.DESIRED, content.encode(), YAML, terms)


def of_plan(named: str, terms: Terms) -> Call:
    """The change of a saved plan, under its id."""
    try:
        plan = msgspec.json.decode(Path(named).expanduser().read_bytes(), type=SavedPlan)
    except OSError as error:
        raise LmxdError(Code.NOT_FOUND, f"{named} cannot be read: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise _no_plan(named, str(error)) from error
    if plan.format != FORMAT or plan.version != 1:
        raise _no_plan(named, f"it is {plan.format} {plan.version}")
    terms = replace(terms, plan_id=plan.plan_id)
    if plan.text is not None:
        terms = replace(terms, if_match=f'"{plan.etag}"')
        return Call("PUT", client.DESIRED, plan.text.encode(), YAML, terms)
    kind = JSON_PATCH if isinstance(plan.patch, list) else MERGE_PATCH
    return Call.of_json("PATCH", client.DESIRED, plan.patch, terms, kind)


def of_held(sha256: str, terms: Terms) -> Call:
    """The release of a held edit, by the digest that the status shows."""
    return Call.of_json("POST", CONFIRM, {"sha256": sha256}, terms, JSON)


def save(path: str, plan: SavedPlan) -> None:
    """Write a plan for `lmxd apply --plan`; raises LmxdError."""
    try:
        Path(path).expanduser().write_text(json.dumps(msgspec.to_builtins(plan), indent=1) + "\n")
    except OSError as error:
        raise LmxdError(Code.INTERNAL, f"{path} cannot be written: {error.strerror}") from error


def _no_plan(named: str, why: str) -> LmxdError:
    return LmxdError(
        Code.INVALID_REQUEST, f"{named} is no saved plan: {why}", hint="`lmxd plan --out` saves one"
    )
