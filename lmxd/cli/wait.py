"""`lmxd wait`: comes back when a condition holds, or says why it does not."""

from __future__ import annotations

from typing import Annotated

import typer

from lmxd.cli.options import DEFAULT_URL, Url, seconds

__all__ = ["wait"]


def wait(
    subject: Annotated[str, typer.Argument(metavar="SUBJECT", help="model/KEY, or daemon")],
    condition: Annotated[
        str,
        typer.Option("--for", metavar="condition=TYPE[=STATUS]", help="what shall hold"),
    ] = "condition=Ready",
    timeout: Annotated[
        str, typer.Option(metavar="TIME", help="longest wait, like 60s or 5m")
    ] = "60s",
    url: Url = DEFAULT_URL,
) -> int:
    """Wait until a condition holds.

    It counts when it was computed for the present epoch or a later one.

    A daemon that is not there yet, and a model that is not in the document yet, are waited for.

    \b
    Examples:
      lmxd wait --for=condition=Ready model/tiny --timeout 60s
      lmxd wait --for=condition=Ready=False model/tiny
      lmxd wait --for=condition=Converged daemon
    """
    from lmxd.cli import waiting

    wish = waiting.Wish.parse(subject, condition)
    return waiting.wait(url, wish, seconds(timeout))
