"""The program `lmxd`: its verbs, and how their ends become exit codes.

Arguments go in, an exit code comes out: 0 done, 1 failed, 64 used wrongly, 130 interrupted.
Verbs import what they need when they run, so that `--help` is quick and a daemon that starts
carries neither tables nor an HTTP client.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Annotated

import typer

from lmxd.cli import (
    apply,
    diff,
    edit,
    events,
    get,
    history,
    init,
    leases,
    patch,
    plan,
    run,
    schema,
    serve,
    setting,
    status,
    suspension,
    timeline,
    validate,
    wait,
)
from lmxd.cli import explain as explain_
from lmxd.cli.messages import complain, explain
from schemas.errors import LmxdError

__all__ = ["USAGE", "execute", "main"]

USAGE = 64

app = typer.Typer(
    name="lmxd",
    help="Serve language models as one YAML file says, and keep it so.\n\n"
    "\b\n"
    "Examples:\n"
    "  lmxd init                     write a desired-state.yaml for this machine\n"
    "  lmxd serve                    do what it says, and follow it when it is edited\n"
    "  lmxd status                   what is so, and why not\n"
    "  lmxd set aliases.auto=big     change one line of the file\n"
    '  lmxd run tiny "Who are you?"  ask a model\n',
    epilog="Data goes to stdout, messages go to stderr. Exit codes: 0 done, 1 failed, 64 used "
    "wrongly.",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for verb in (
    init.init,
    serve.serve,
    validate.validate,
    plan.plan,
    timeline.timeline,
    diff.diff,
    apply.apply,
    patch.patch,
    edit.edit,
    get.get,
    status.status,
    wait.wait,
    events.events,
    explain_.explain,
    history.history,
    history.rollback,
    suspension.suspend,
    suspension.resume,
    suspension.retry,
    leases.leases,
    schema.schema,
    run.run,
):
    app.command()(verb)
app.command("set")(setting.set_)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"lmxd {metadata.version('lmxd')}")
        raise typer.Exit


@app.callback()
def _whole_program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Options of the program itself."""


def main() -> None:
    """The entry point of the program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for terminals that lack our arrows
    sys.exit(execute(sys.argv[1:]))


def execute(arguments: Sequence[str]) -> int:
    """Run one command line; everything it says goes to this process's stdout and stderr."""
    try:
        code = app(list(arguments) or ["--help"], prog_name="lmxd", standalone_mode=False)
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        path = context.command_path if context else "lmxd"
        # Enumerations are refused by pydantic, which says so first.
        complain(
            error.format_message().replace("Value error, ", ""),
            hint=f"`{path} --help` shows how it is used",
        )
        return USAGE
    except LmxdError as error:
        explain(error)
        return 1
    return code if isinstance(code, int) else 0
