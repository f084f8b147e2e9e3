"""`lmxd diff`: what another document, or a patch, would change."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lmxd.cli.options import DEFAULT_URL, Form, Output, Url
from schemas.errors import LmxdError

__all__ = ["diff"]

SAME, DIFFERENT, FAILED = 0, 1, 2


def diff(
    file: Annotated[
        str | None,
        typer.Option("--file", "-f", metavar="FILE", help="a whole document, or - for stdin"),
    ] = None,
    patch: Annotated[
        str | None,
        typer.Option("--patch", metavar="PATCH", help="the patch itself, @FILE, or - for stdin"),
    ] = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Show which lines of the document would change. Nothing is changed.

    Exit codes: 0 nothing would change, 1 something would, 2 failed.

    \b
    Examples:
      lmxd diff -f desired-state.yaml
      lmxd diff --patch '{aliases: {auto: big}}'
    """
    import msgspec

    from lmxd.cli import candidates, change_view
    from lmxd.cli.messages import explain
    from lmxd.cli.output import structured

    if (file is None) == (patch is None):
        raise typer.BadParameter("one of -f and --patch is needed")
    try:
        found = candidates.planned(url, candidates.Wanted(file, patch).body())
    except LmxdError as error:
        explain(error)
        return FAILED
    if output is not Form.TABLE:
        sys.stdout.write(structured(msgspec.to_builtins(found), output))
    else:
        change_view.diff(found.diff)
    return DIFFERENT if found.changes else SAME
