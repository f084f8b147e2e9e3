"""Documents and patches that are only thought of: what the daemon says that they would come to."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime

import msgspec

from lmxd.cli import applying, asking, change_view, client
from lmxd.cli.messages import note, warn
from lmxd.cli.options import Form
from lmxd.cli.output import structured
from lmxd.cli.speech import Call
from schemas.errors import RequestError
from schemas.wire.control import Planned

__all__ = ["Wanted", "planned", "show"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A document or a patch, as the command line names it, and the instant to plan for."""

    file: str | None
    patch: str | None
    at: datetime | None = None

    def body(self) -> dict[str, object]:
        """What the daemon is asked; raises LmxdError. Reads what is named."""
        if self.file is not None:
            return {"text": asking.text(self.file)}
        return {"patch": asking.patch(self.patch or "")}


def planned(url: str, body: dict[str, object], at: datetime | None = None) -> Planned:
    """The daemon's plan for a document or a patch; raises LmxdError."""
    path = client.PLAN if at is None else f"{client.PLAN}?at={at:%Y-%m-%dT%H:%M:%SZ}"
    with client.Client(url) as daemon:
        try:
            return client.decoded(daemon.send(Call.of_json("POST", path, body)), Planned)
        except RequestError as error:
            raise change_view.refusal(error) from error


def show(url: str, wanted: Wanted, form: Form, out: str | None) -> bool:
    """Show the plan of a candidate and keep it in the file `out`; whether it does anything."""
    body = wanted.body()
    found = planned(url, body, wanted.at)
    if out is not None:
        applying.save(out, applying.SavedPlan.of(found, body))
        note(f"plan {found.plan_id} is kept in {out}; `lmxd apply --plan {out}` carries it out")
    if form is not Form.TABLE:
        sys.stdout.write(structured(msgspec.to_builtins(found), form))
    else:
        change_view.diff(found.diff)
        sys.stdout.write(str(found.plan["text"]))
        for text in found.warnings:
            warn(text)
    return bool(found.changes or found.plan["actions"] or found.plan["cancel"])
