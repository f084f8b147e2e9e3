"""`lmxd apply`: a document takes effect, a saved plan is carried out, a held edit released."""

from __future__ import annotations

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

__all__ = ["apply"]


def apply(
    file: Annotated[
        str | None,
        typer.Option("--file", "-f", metavar="FILE", help="the whole document, or - for stdin"),
    ] = None,
    plan: Annotated[
        str | None,
        typer.Option("--plan", metavar="FILE", help="a plan that `lmxd plan --out` has saved"),
    ] = None,
    confirm: Annotated[
        str | None,
        typer.Option("--confirm", metavar="SHA", help="let a held edit of the file take effect"),
    ] = None,
    dry_run: DryRun = False,
    force: Force = False,
    wait: Wait = None,
    manager: Manager = None,
    note: Note = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Make a document the desired state; its text becomes the file as it is.

    A saved plan is refused when it would now do something else.

    \b
    Examples:
      lmxd apply -f desired-state.yaml
      lmxd apply -f new.yaml --dry-run
      lmxd apply --plan night.plan.json
      lmxd apply --confirm 3f9c1d20
    """
    from lmxd.cli import applying, change_view
    from lmxd.cli.speech import Terms

    given = [
        name for name, value in (("-f", file), ("--plan", plan), ("--confirm", confirm)) if value
    ]
    if len(given) != 1:
        raise typer.BadParameter(
            f"one of -f, --plan and --confirm is needed, not {given or 'none'}"
        )
    terms = Terms(
        dry_run=dry_run,
        force=force,
        wait_s=seconds(wait) if wait else None,
        manager=manager,
        note=note,
    )
    if file is not None:
        call = applying.of_file(url, file, terms)
    elif plan is not None:
        call = applying.of_plan(plan, terms)
    else:
        call = applying.of_held(confirm or "", terms)
    return change_view.carry_out(url, call, output)
