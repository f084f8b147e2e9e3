"""`lmxd suspend`, `lmxd resume` and `lmxd retry`: stand still, go on, try again."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lmxd.cli.options import DEFAULT_URL, Form, Manager, Note, Output, Url

__all__ = ["resume", "retry", "suspend"]

Model = Annotated[
    str | None,
    typer.Argument(metavar="MODEL", help="a key of the document; without it: everything"),
]


def suspend(
    model: Model = None,
    manager: Manager = None,
    note: Note = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Stop acting on a model, or on everything; what is loaded keeps serving.

    This is an edit of the document, so it survives a restart.

    \b
    Examples:
      lmxd suspend big
      lmxd suspend --note "moving disks"
    """
    return _ask("suspend", model, manager, note, output, url)


def resume(
    model: Model = None,
    manager: Manager = None,
    note: Note = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Act again on a model, or on everything.

    \b
    Examples:
      lmxd resume big
      lmxd resume
    """
    return _ask("resume", model, manager, note, output, url)


def retry(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="a key of the document")],
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Try at once what has failed, whatever its backoff says, and put right what was changed past
    lmxd.

    \b
    Examples:
      lmxd retry big
    """
    import msgspec

    from lmxd.cli import client
    from lmxd.cli.messages import note
    from lmxd.cli.output import structured
    from lmxd.cli.speech import Call
    from schemas.wire.control import Retried

    with client.Client(url) as daemon:
        call = Call.of_json("POST", f"{daemon.path_of(model)}/retry", {})
        found = client.decoded(daemon.send(call), Retried)
    if output is not Form.TABLE:
        sys.stdout.write(structured(msgspec.to_builtins(found), output))
    elif found.cleared:
        note(f"{model}: what failed is tried again")
    else:
        note(f"{model}: nothing has failed, and nothing was changed past lmxd")
    return 0


def _ask(
    verb: str, model: str | None, manager: str | None, note: str | None, output: Form, url: str
) -> int:
    from urllib.parse import quote

    from lmxd.cli import change_view, client
    from lmxd.cli.speech import Call, Terms

    place = f"{client.API}/models/{quote(model, safe='')}" if model else client.API
    call = Call.of_json("POST", f"{place}/{verb}", {}, Terms(manager=manager, note=note))
    return change_view.carry_out(url, call, output)
