"""`lmxd timeline`: windows, models and memory of the coming hours, drawn in the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lmxd.cli.options import DEFAULT_URL, Document, Form, HostName, Output, Url

if TYPE_CHECKING:
    from schemas.wire.control import Timeline

__all__ = ["timeline"]


def timeline(
    file: Document = None,
    hours: Annotated[
        int, typer.Option(metavar="N", min=1, max=336, help="how far to look, in hours")
    ] = 48,
    host_name: HostName = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Show what the clock brings: windows, what is loaded, memory, and who has no room when.

    Nobody is taken to ask for anything meanwhile. With FILE no daemon is asked: the picture is
    that of a fresh machine, which does not know yet how large its models are.

    \b
    Examples:
      lmxd timeline
      lmxd timeline --hours 168
      lmxd timeline -o json
      lmxd timeline desired-state.yaml --host-name studio-1
    """
    from datetime import UTC, datetime

    import msgspec

    from lmxd.cli import timeline_view
    from lmxd.cli.output import drawn, structured

    found = _of_daemon(url, hours) if file is None else _of_file(file, hours, host_name)
    if found is None:
        return 1
    if output is not Form.TABLE:
        print(structured(msgspec.to_builtins(found), output), end="")
        return 0
    drawn(
        lambda width, blocks: timeline_view.picture(
            found,
            width,
            timeline_view.BLOCKS if blocks else timeline_view.ASCII,
            datetime.now(UTC),
        )
    )
    return 0


def _of_daemon(url: str, hours: int) -> Timeline:
    """What the daemon says; raises LmxdError."""
    from lmxd.cli.client import Client

    with Client(url) as daemon:
        return daemon.timeline(hours)


def _of_file(name: str, hours: int, host_name: str | None) -> Timeline | None:
    """That of a fresh machine; None, and the problems told, for a bad file."""
    from lmxd.cli import plan_view
    from lmxd.daemon.timeline import shown
    from reconciler.timeline import timeline as look

    host = plan_view.host(host_name)
    picture = plan_view.picture_of(name, None, host)
    return shown(look(picture, hours, host)) if picture is not None else None
