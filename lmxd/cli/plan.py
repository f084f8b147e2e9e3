"""`lmxd plan`: what would be done now, and what is wanted but will not happen."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lmxd.cli.options import DEFAULT_URL, Document, Form, HostName, Output, Url

__all__ = ["plan"]

CHANGES = 2

Change = Annotated[
    str | None,
    typer.Option("--file", "-f", metavar="FILE", help="with this document instead of the own"),
]
Patch = Annotated[
    str | None,
    typer.Option("--patch", metavar="PATCH", help="with this patch: itself, @FILE, or -"),
]
Out = Annotated[
    str | None, typer.Option("--out", metavar="FILE", help="save it, for `lmxd apply --plan`")
]


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
            "--at",
            metavar="TIME",
            help="as if it were then: 22:00, 2026-11-21T22:00, or with an offset",
        ),
    ] = None,
    host_name: HostName = None,
    change: Change = None,
    patch: Patch = None,
    out: Out = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Show what lmxd would do now.

    With --at it is the plan of what the windows of that time want, with what is on disk and
    loaded now; times are those of the document's zone. With -f or --patch the daemon is asked what
    it would do after that change. With FILE no daemon is asked: the plan is that of a fresh
    machine, on which nothing is loaded and nothing on disk but what comes with lmxd.

    \b
    Examples:
      lmxd plan
      lmxd plan --at 2026-11-21T22:00
      lmxd plan --detailed-exitcode -o json
      lmxd plan --patch '{aliases: {auto: big}}' --out switch.plan.json
      lmxd plan desired-state.yaml
    """
    from lmxd.cli import candidates, moments, plan_view
    from lmxd.cli.output import structured

    if sum(name is not None for name in (file, change, patch)) > 1:
        raise typer.BadParameter("of FILE, -f and --patch only one can be planned for")
    if out is not None and change is None and patch is None:
        raise typer.BadParameter("--out saves a change: it needs -f or --patch")
    moment = moments.read(at) if at is not None else None
    instant = moments.in_daemon(url, moment) if moment is not None and file is None else None
    if change is not None or patch is not None:
        wanted = candidates.Wanted(change, patch, instant)
        differs = candidates.show(url, wanted, output, out)
        return CHANGES if detailed_exitcode and differs else 0
    if file is None:
        found: plan_view.PlanData | None = plan_view.of_daemon(url, instant)
    else:
        found = plan_view.of_file(file, moment, plan_view.host(host_name))
    if found is None:
        return 1
    if output is Form.TABLE:
        sys.stdout.write(plan_view.text(found))
    else:
        sys.stdout.write(structured(found, output))
    return CHANGES if detailed_exitcode and plan_view.has_changes(found) else 0
