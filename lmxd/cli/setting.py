"""`lmxd set`: one or a few fields of the document, in place."""

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

__all__ = ["set_"]


def set_(
    assignments: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH=VALUE...", help="what to set; PATH- removes", show_default=False
        ),
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
    """Change fields of the document; the file keeps its comments and all other lines.

    Values are YAML; names may hold dots (models.qwen2.5.state). With --for the change is a lease:
    it holds for that time, and the file stays as it is.

    \b
    Examples:
      lmxd set models.tiny.state=loaded
      lmxd set aliases.auto=[big,small] models.big.priority=80 --wait 10m
      lmxd set models.tiny.state=loaded --for 2h
      lmxd set aliases.old-
    """
    from lmxd.cli import asking, change_view, client
    from lmxd.cli.speech import MERGE_PATCH, Call, Terms

    terms = Terms(
        dry_run=dry_run,
        force=force,
        wait_s=seconds(wait) if wait else None,
        lease=lend,
        manager=manager,
        note=note,
    )
    with client.Client(url) as daemon:
        patch = asking.assigned(daemon.values(client.DESIRED), assignments)
    call = Call.of_json("PATCH", client.DESIRED, patch, terms, MERGE_PATCH)
    return change_view.carry_out(url, call, output)
