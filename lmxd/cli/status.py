"""`lmxd status`: what is so, and why."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lmxd.cli.options import DEFAULT_URL, Form, Output, Url

__all__ = ["status"]


def status(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="a key of the document")
    ] = None,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="follow changes until Ctrl-C")
    ] = False,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Show what is so, of all models or of MODEL.

    \b
    Examples:
      lmxd status
      lmxd status tiny
      lmxd status --watch
      lmxd status -o json
    """
    from lmxd.cli import client, status_view
    from lmxd.cli import output as out

    with client.Client(url) as daemon:
        if watch:
            status_view.follow(daemon, model)
        elif output is not Form.TABLE:
            path = daemon.path_of(model) if model else client.STATUS
            sys.stdout.write(out.structured(daemon.values(path), output))
        elif model:
            status_view.print_model(daemon.model(model))
        else:
            status_view.print_all(daemon.status())
    return 0
