"""`lmxd plan`: what would be done now, and what is wanted but will not happen."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lmxd.cli.options import DEFAULT_URL, Document, Form, HostName, Output, Url

__all__ = ["plan"]

CHANGES = 2


def plan(
    file: Document = None,
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode", help="0: nothing to do, 1: error, 2: there are changes"
        ),
    ] = False,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME", help="as if it were then: 2026-11-21T22:00, or with an offset"
        ),
    ] = None,
    host_name: HostName = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Show what lmxd would do now.

    With --at it is the plan of what the windows of that time want, with what is on disk and
    loaded now. With FILE no daemon is asked: the plan is that of a fresh machine, on which
    nothing is loaded and nothing on disk but what comes with lmxd.

    \b
    Examples:
      lmxd plan
      lmxd plan --at 2026-11-21T22:00
      lmxd plan --detailed-exitcode -o json
      lmxd plan desired-state.yaml
    """
    from lmxd.cli import plan_view
    from lmxd.cli.output import structured

    moment = plan_view.moment(at) if at is not None else None
    if file is None:
        found: plan_view.PlanData | None = plan_view.of_daemon(url, moment)
    else:
        found = plan_view.of_file(file, moment, plan_view.host(host_name))
    if found is None:
        return 1
    if output is Form.TABLE:
        sys.stdout.write(plan_view.text(found))
    else:
        sys.stdout.write(structured(found, output))
    return CHANGES if detailed_exitcode and plan_view.has_changes(found) else 0
