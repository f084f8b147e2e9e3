"""`lmxd explain`: why something is as it is, in words."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lmxd.cli.options import DEFAULT_URL, Form, Output, Url

__all__ = ["explain"]


def explain(
    subject: Annotated[
        str, typer.Argument(metavar="SUBJECT", help="model/KEY, a key alone, or daemon")
    ] = "daemon",
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Say what is wanted and by which layer, what is so, why not, and what would help.

    \b
    Examples:
      lmxd explain
      lmxd explain model/tiny
      lmxd explain daemon
    """
    from lmxd.cli import client, explanation
    from lmxd.cli import output as out

    key = None if subject == "daemon" else subject.removeprefix("model/")
    with client.Client(url) as daemon:
        if output is not Form.TABLE:
            path = daemon.path_of(key) if key else client.STATUS
            sys.stdout.write(out.structured(daemon.values(path), output))
            return 0
        whole = daemon.status()
        gone = next((each for each in whole.removed if each.key == key), None)
        if gone is not None:
            out.rows(*explanation.of_removed(gone))
        elif key:
            out.rows(*explanation.of_model(daemon.model(key), whole))
        else:
            out.rows(*explanation.of_daemon(whole))
    return 0
