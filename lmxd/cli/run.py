"""`lmxd run`: asks a model and prints its answer as it comes."""

from __future__ import annotations

from typing import Annotated

import typer

from lmxd.cli.options import DEFAULT_URL, Url

__all__ = ["run"]


def run(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="any name that /v1/models lists")],
    prompt: Annotated[
        list[str] | None,
        typer.Argument(metavar="PROMPT", help="default: stdin, or a conversation on a terminal"),
    ] = None,
    system: Annotated[str | None, typer.Option(metavar="TEXT", help="system prompt")] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="longest answer")
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0, metavar="T", help="0 is always the likeliest word")
    ] = None,
    url: Url = DEFAULT_URL,
) -> int:
    """Ask a model; wait for it when it still loads.

    \b
    Examples:
      lmxd run tiny "Who are you?"
      echo "Count to three." | lmxd run tiny
      lmxd run tiny
    """
    from lmxd.cli import conversation

    options = {"max_tokens": max_tokens, "temperature": temperature}
    given = {name: value for name, value in options.items() if value is not None}
    talk = conversation.Conversation(url, model, system, given)
    return talk.once(" ".join(prompt)) if prompt else talk.read_stdin()
