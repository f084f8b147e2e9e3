"""`lmxd init`: writes a first document, sized to this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["init"]


def init(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="what to write", show_default=False)
    ] = Path("desired-state.yaml"),
    force: Annotated[bool, typer.Option("--force", help="replace a file that is there")] = False,
) -> int:
    """Write a first document, sized to this machine.

    It serves a small built-in model and has larger ones that fit as comments. FILE defaults to
    ./desired-state.yaml.

    \b
    Examples:
      lmxd init
      lmxd init ~/lmxd/desired-state.yaml --force
    """
    from lmxd.cli import starter

    return starter.write(file, force=force)
