"""`lmxd leases`: what is laid over the document for a time."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lmxd.cli.options import DEFAULT_URL, Form, Output, Url

__all__ = ["leases"]


def leases(
    end: Annotated[str | None, typer.Option("--end", metavar="ID", help="end this one now")] = None,
    extend: Annotated[
        str | None, typer.Option("--extend", metavar="ID", help="let this one last --for from now")
    ] = None,
    lend: Annotated[str | None, typer.Option("--for", metavar="TIME", help="with --extend")] = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Show leases, end one, or let one last longer. `lmxd set … --for 2h` makes one.

    \b
    Examples:
      lmxd leases
      lmxd leases --end l-7f3a2c
      lmxd leases --extend l-7f3a2c --for 4h
    """
    from lmxd.cli import client, lease_view
    from lmxd.cli.output import structured

    if end and extend:
        raise typer.BadParameter("--end and --extend exclude each other")
    if (extend is None) != (lend is None):
        raise typer.BadParameter("--extend and --for go together")
    with client.Client(url) as daemon:
        if end:
            return lease_view.end(daemon, end)
        if extend:
            return lease_view.extend(daemon, extend, lend or "")
        if output is not Form.TABLE:
            sys.stdout.write(structured(daemon.values(client.LEASES), output))
        else:
            lease_view.print_all(daemon.get(client.LEASES))
    return 0
