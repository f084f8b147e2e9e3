"""Options that several verbs share, so that they mean and say the same everywhere."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from schemas.errors import Code, LmxdError

__all__ = [
    "DEFAULT_URL",
    "Document",
    "DryRun",
    "Force",
    "Form",
    "HostName",
    "Lend",
    "Manager",
    "Note",
    "Output",
    "Url",
    "Wait",
    "document_path",
    "seconds",
]

DEFAULT_URL = "http://127.0.0.1:1234"


class Form(StrEnum):
    """How data is written to stdout."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[
    Form,
    typer.Option("--output", "-o", help="table for people, json or yaml for programs"),
]
Url = Annotated[
    str,
    typer.Option("--url", metavar="URL", envvar="LMXD_URL", help="where lmxd is"),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="show what would change and be done; change nothing")
]
Force = Annotated[
    bool, typer.Option("--force", help="also fields that are protected, or owned by another")
]
Wait = Annotated[
    str | None,
    typer.Option(
        "--wait", metavar="TIME", help="until the models it touches are Ready, or why not"
    ),
]
Lend = Annotated[
    str | None,
    typer.Option("--for", metavar="TIME", help="only for so long, beside the file: a lease"),
]
Manager = Annotated[
    str | None,
    typer.Option("--manager", metavar="NAME", envvar="LMXD_MANAGER", help="who owns the change"),
]
Note = Annotated[str | None, typer.Option("--note", metavar="TEXT", help="why, for the history")]
Document = Annotated[
    str | None,
    typer.Argument(metavar="FILE", help="the desired-state document", show_default=False),
]
HostName = Annotated[
    str | None,
    typer.Option(
        "--host-name",
        metavar="NAME",
        envvar="LMXD_HOST_NAME",
        help="the machine, for `hosts` of FILE; this one unless it is named",
        show_default=False,
    ),
]


def document_path(named: str | None) -> Path:
    """The document that was named, or the one `lmxd serve` would find; raises LmxdError."""
    from lmxd import settings

    if named is not None:
        return Path(named).expanduser()
    found = settings.load(settings.Flags(), os.environ).document
    if found is None:
        raise LmxdError(
            Code.NOT_FOUND,
            f"there is no {settings.DOCUMENT_NAME} here nor in the config folder",
            hint="`lmxd init` writes one, or name a file",
        )
    here = Path.cwd()
    return found.relative_to(here) if found.is_relative_to(here) else found


def seconds(text: str) -> float:
    """A duration of the command line, "60s" or "5m"; a bare number means seconds."""
    from schemas.base import Invalid
    from schemas.quantities import parse_duration

    try:
        return parse_duration(f"{text}s" if text.replace(".", "", 1).isdigit() else text)
    except Invalid as error:
        raise typer.BadParameter(f'{text!r} is not a duration; write "60s" or "5m"') from error
