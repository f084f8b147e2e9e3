"""`lmxd serve`: flags and variables become settings, and the daemon runs with them.

Imports as little as it can: what the daemon does not need would be carried for its whole life.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lmxd.cli.messages import explain
from lmxd.cli.options import Document
from schemas.errors import StartupError

if TYPE_CHECKING:
    from lmxd.settings import Flags

__all__ = ["serve"]

log = logging.getLogger(__name__)


def serve(
    file: Document = None,
    listen: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST:PORT", help="address to answer on; may be repeated"),
    ] = None,
    state_dir: Annotated[
        str | None, typer.Option(metavar="DIR", help="what lmxd remembers over a restart")
    ] = None,
    models_dir: Annotated[
        str | None, typer.Option(metavar="DIR", help="hub cache and store of model files")
    ] = None,
    host_name: Annotated[
        str | None, typer.Option(metavar="NAME", help="this machine, for `hosts` of the document")
    ] = None,
    log_format: Annotated[
        str | None, typer.Option(metavar="text|json", help="how log lines on stderr look")
    ] = None,
    log_level: Annotated[
        str | None,
        typer.Option(metavar="debug|info|warning|error", help="what is logged at least"),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Host header to accept beyond loopback names"),
    ] = None,
    cors: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="web pages that may use the server"),
    ] = None,
) -> int:
    """Serve what FILE says, and follow its edits.

    FILE defaults to ./desired-state.yaml, then to the one in the user's config folder; with none
    lmxd starts empty. Each flag can be given as a variable: LMXD_LISTEN, LMXD_STATE_DIR and so on,
    lists separated by commas. HF_ENDPOINT, HF_TOKEN and HF_HOME are honoured.

    \b
    Examples:
      lmxd serve
      lmxd serve /etc/lmxd/desired-state.yaml --listen 127.0.0.1:1234 --listen 127.0.0.1:11434
    """
    from lmxd.settings import Flags

    return _start(
        Flags(
            document=file,
            listen=listen or (),
            state_dir=state_dir,
            models_dir=models_dir,
            host_name=host_name,
            log_format=log_format,
            log_level=log_level,
            allow_host=allow_host or (),
            cors=cors or (),
        )
    )


def _start(flags: Flags) -> int:
    """Run a daemon until it is told to stop; returns the exit code."""
    from lmxd import settings

    try:
        asked = settings.load(flags, os.environ)
    except StartupError as error:
        raise typer.BadParameter(str(error)) from error
    # The daemon is large: it comes when the flags make sense.
    import asyncio

    from lmxd.daemon.process import run
    from lmxd.telemetry import logs

    logs.configure(asked.log_format, asked.log_level)
    if asked.document is None:
        where = str(Path.cwd() / settings.DOCUMENT_NAME)
        log.warning("no document", extra={"until_there_is": where})
    try:
        asyncio.run(run(asked))
    except StartupError as error:
        explain(error)
        return 1
    return 0
