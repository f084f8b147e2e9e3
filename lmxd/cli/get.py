"""`lmxd get`: the accepted document, or what stands at a path of it."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from lmxd.cli.options import DEFAULT_URL, Form, Url

__all__ = ["get"]


class Written(StrEnum):
    """How a document can be written."""

    YAML = "yaml"
    JSON = "json"


def get(
    path: Annotated[
        str | None,
        typer.Argument(metavar="PATH", help="keys joined by dots, or a JSON pointer"),
    ] = None,
    output: Annotated[
        Written, typer.Option("--output", "-o", help="how it is written")
    ] = Written.YAML,
    url: Url = DEFAULT_URL,
) -> int:
    """Show the document in effect, or a part of it.

    \b
    Examples:
      lmxd get
      lmxd get models.tiny.state
      lmxd get /aliases -o json
    """
    from lmxd.cli import client, paths
    from lmxd.cli.output import structured

    with client.Client(url) as daemon:
        if path is None and output is Written.YAML:
            sys.stdout.write(daemon.get(client.DESIRED, accept="application/yaml").decode())
            return 0
        found = paths.find(daemon.values(client.DESIRED), path or "")
    if isinstance(found, str) and output is Written.YAML:
        print(found)
    else:
        sys.stdout.write(structured(found, Form(output)))
    return 0
