"""What a verb sends, and what came of it: the model's key to stdout, everything else to stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from lmxd.cli import change_view
from lmxd.cli.client import Client, decoded
from lmxd.cli.meanwhile import meanwhile
from lmxd.cli.messages import note, warn
from lmxd.cli.options import Form
from lmxd.cli.output import structured
from lmxd.cli.speech import Call, Terms
from schemas.errors import RequestError
from schemas.wire.admin import Done

__all__ = ["Order"]


@dataclass(frozen=True, slots=True)
class Order:
    """One verb of `/admin/models` with the members that are not None, and on which terms."""

    verb: str
    body: Mapping[str, object]
    wait_s: float
    force: bool
    dry_run: bool
    manager: str | None
    note: str | None

    def carry_out(self, url: str, form: Form) -> int:
        """Send it and show what came of it; returns the exit code. Raises LmxdError."""
        terms = Terms(
            dry_run=self.dry_run,
            force=self.force,
            wait_s=self.wait_s or None,
            manager=self.manager,
            note=self.note,
        )
        body = {name: value for name, value in self.body.items() if value is not None}
        call = Call.of_json("POST", f"/admin/models/{self.verb}", body, terms)
        with Client(url) as daemon, meanwhile(url, self.wait_s):
            try:
                content = daemon.send(call)
            except RequestError as error:
                raise change_view.refusal(error) from error
        if form is not Form.TABLE:
            sys.stdout.write(structured(json.loads(content), form))
            return 0 if json.loads(content).get("converged", True) else 1
        return _show(decoded(content, Done))


def _show(found: Done) -> int:
    if found.dry_run:
        change_view.diff(found.diff)
        change_view.plan(found.plan)
    elif found.model:
        print(found.model)
    for text in found.warnings:
        warn(text)
    note(_sentence(found))
    return change_view.settled(found.converged, found.unsettled)


def _sentence(found: Done) -> str:
    """What became of it, in one line."""
    if found.dry_run:
        return "dry run: nothing was changed"
    if found.how == "lease":
        return f"lease {found.lease} until {found.expires_at}; `lmxd leases --end {found.lease}`"
    ended = f"; ended {', '.join(found.ended)}" if found.ended else ""
    if found.how == "edit":
        return f"generation {found.generation}{ended}"
    if found.how == "release":
        return f"{found.model}: the document stays as it is{ended or '; its memory is given back'}"
    return f"nothing to change: generation {found.generation} says so already"
