"""`lmxd history` and `lmxd rollback`: what the document was, and the way back."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lmxd.cli.options import (
    DEFAULT_URL,
    DryRun,
    Force,
    Form,
    Manager,
    Note,
    Output,
    Url,
    Wait,
    seconds,
)

__all__ = ["history", "rollback"]


def history(
    generation: Annotated[
        int | None, typer.Argument(metavar="N", help="one generation, with its diff", min=1)
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="so many at most")] = 20,
    text: Annotated[bool, typer.Option("--text", help="with N: the document as it was")] = False,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Show the generations of the document, the newest first.

    \b
    Examples:
      lmxd history
      lmxd history 17
      lmxd history 17 --text > desired-state.old.yaml
    """
    from lmxd.cli import client, history_view
    from lmxd.cli.output import structured

    if text and generation is None:
        raise typer.BadParameter("--text needs the number of a generation")
    path = client.GENERATIONS + (f"/{generation}" if generation else f"?limit={limit}")
    with client.Client(url) as daemon:
        if output is not Form.TABLE and not text:
            sys.stdout.write(structured(daemon.values(path), output))
        elif generation is None:
            history_view.print_all(daemon.get(path))
        else:
            history_view.print_one(daemon.get(path), text=text)
    return 0


def rollback(
    generation: Annotated[
        int, typer.Argument(metavar="N", help="as `lmxd history` names it", min=1)
    ],
    dry_run: DryRun = False,
    force: Force = False,
    wait: Wait = None,
    manager: Manager = None,
    note: Note = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Make the document what it was in generation N. That is a new generation.

    \b
    Examples:
      lmxd rollback 17 --dry-run
      lmxd rollback 17 --wait 5m
    """
    from lmxd.cli import change_view, client
    from lmxd.cli.speech import Call, Terms

    terms = Terms(
        dry_run=dry_run,
        force=force,
        wait_s=seconds(wait) if wait else None,
        manager=manager,
        note=note,
    )
    path = f"{client.GENERATIONS}/{generation}/rollback"
    return change_view.carry_out(url, Call.of_json("POST", path, {}, terms), output)
