"""`lmxd patch`: a merge patch or a JSON Patch, as bots send it."""

from __future__ import annotations

from typing import Annotated

import typer

from lmxd.cli.options import (
    DEFAULT_URL,
    DryRun,
    Force,
    Form,
    Lend,
    Manager,
    Note,
    Output,
    Url,
    Wait,
    seconds,
)

__all__ = ["patch"]


def patch(
    change: Annotated[
        str, typer.Argument(metavar="PATCH", help="the patch itself, @FILE, or - for stdin")
    ],
    lend: Lend = None,
    dry_run: DryRun = False,
    force: Force = False,
    wait: Wait = None,
    manager: Manager = None,
    note: Note = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Patch the document: a map is a merge patch, a list the operations of a JSON Patch.

    \b
    Examples:
      lmxd patch '{models: {tiny: {state: loaded}}}'
      lmxd patch '[{"op": "remove", "path": "/aliases/old"}]' --dry-run
      lmxd patch @night.yaml --for 8h
    """
    from lmxd.cli import asking, change_view, client
    from lmxd.cli.speech import JSON_PATCH, MERGE_PATCH, Call, Terms

    terms = Terms(
        dry_run=dry_run,
        force=force,
        wait_s=seconds(wait) if wait else None,
        lease=lend,
        manager=manager,
        note=note,
    )
    value = asking.patch(change)
    kind = JSON_PATCH if isinstance(value, list) else MERGE_PATCH
    return change_view.carry_out(
        url, Call.of_json("PATCH", client.DESIRED, value, terms, kind), output
    )
