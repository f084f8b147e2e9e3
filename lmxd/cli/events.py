"""`lmxd events`: what happened, and what happens."""

from __future__ import annotations

from typing import Annotated

import typer

from lmxd.cli.options import DEFAULT_URL, Form, Output, Url

__all__ = ["events"]


def events(
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="go on with what happens, until Ctrl-C")
    ] = False,
    after: Annotated[
        int | None,
        typer.Option("--after", metavar="ID", min=0, help="only what came after that event"),
    ] = None,
    subject: Annotated[
        str | None,
        typer.Option("--subject", metavar="SUBJECT", help="model/KEY, daemon, document, …"),
    ] = None,
    warnings: Annotated[bool, typer.Option("--warnings", help="only what is a warning")] = False,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Show what happened lately.

    Events are kept in memory, the newest thousand of them, and repeats are counted. When some
    were missed while following, that is said, and it goes on with what is still there.

    \b
    Examples:
      lmxd events
      lmxd events --follow --subject model/tiny
      lmxd events --warnings
      lmxd events --follow -o json
    """
    from lmxd.cli import client, following

    wanted = following.Wanted(subject, warnings)
    with client.Client(url) as daemon:
        if follow:
            return following.follow(daemon, wanted, after, output)
        return following.show(daemon, wanted, after, output)
