"""`lmxd load`, `unload`, `pull`, `cp` and `rm`: one word instead of an edit; they are edits."""

from __future__ import annotations

from typing import Annotated

import typer

from lmxd.cli.options import (
    DEFAULT_URL,
    DryRun,
    Form,
    Manager,
    Note,
    Output,
    Url,
    seconds,
)

__all__ = ["cp", "load", "pull", "rm", "unload"]

Name = Annotated[str, typer.Argument(metavar="MODEL", help="a key, an alias, or a repository's id")]
Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help="hf:org/name, org/name, file:/path; or a MODEL")
]
Ttl = Annotated[
    str | None,
    typer.Option("--ttl", metavar="TIME", help="only for so long, beside the file: a lease"),
]
Wait = Annotated[
    str, typer.Option("--wait", metavar="TIME", help="how long to wait until it is so; 0s: not")
]
Force = Annotated[
    bool, typer.Option("--force", help="also where it finds no place yet, is loaded, or protected")
]


def load(
    model: Source,
    ttl: Ttl = None,
    context: Annotated[
        int | None, typer.Option("--context", min=1, metavar="N", help="tokens it is to hold")
    ] = None,
    wait: Wait = "10m",
    force: Force = False,
    dry_run: DryRun = False,
    manager: Manager = None,
    note: Note = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Load a model, and keep it loaded: `state: loaded` in the document. Prints its key.

    A source that the document does not have becomes a model of it. What finds no place is refused,
    and nothing is changed.

    \b
    Examples:
      lmxd load tiny
      lmxd load hf:mlx-community/Llama-3.2-3B-Instruct-4bit --wait 1h
      lmxd load big --ttl 2h
    """
    from lmxd.cli.order_view import Order

    body = {"model": model, "ttl": ttl, "context": context}
    return Order("load", body, seconds(wait), force, dry_run, manager, note).carry_out(url, output)


def unload(
    model: Name,
    ttl: Ttl = None,
    wait: Wait = "10m",
    force: Force = False,
    dry_run: DryRun = False,
    manager: Manager = None,
    note: Note = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Take a model out of memory; its files stay. Requests that run may end.

    A model that is on-demand stays so: the next request loads it again. With --ttl it stays out
    for that time.

    \b
    Examples:
      lmxd unload tiny
      lmxd unload big --ttl 30m
    """
    from lmxd.cli.order_view import Order

    body = {"model": model, "ttl": ttl}
    order = Order("unload", body, seconds(wait), force, dry_run, manager, note)
    return order.carry_out(url, output)


def pull(
    source: Source,
    wait: Wait = "10m",
    dry_run: DryRun = False,
    manager: Manager = None,
    note: Note = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Have the files of a model on disk: a model with `state: downloaded`. Prints its key.

    A download that takes longer than --wait goes on; `lmxd status --watch` shows how it goes.

    \b
    Examples:
      lmxd pull hf:mlx-community/Llama-3.2-3B-Instruct-4bit
      lmxd pull https://huggingface.co/mlx-community/Qwen2.5-Coder-32B-Instruct-4bit --wait 0s
    """
    from lmxd.cli.order_view import Order

    order = Order("download", {"model": source}, seconds(wait), False, dry_run, manager, note)
    return order.carry_out(url, output)


def cp(
    model: Name,
    name: Annotated[str, typer.Argument(metavar="NAME", help="the further name")],
    force: Force = False,
    dry_run: DryRun = False,
    manager: Manager = None,
    note: Note = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Give a model a further name: an alias. No file is copied.

    \b
    Examples:
      lmxd cp tiny gpt-4o-mini
    """
    from lmxd.cli.order_view import Order

    body = {"source": model, "destination": name}
    return Order("copy", body, 0.0, force, dry_run, manager, note).carry_out(url, output)


def rm(
    model: Name,
    wait: Wait = "10m",
    force: Force = False,
    dry_run: DryRun = False,
    manager: Manager = None,
    note: Note = None,
    output: Output = Form.TABLE,
    url: Url = DEFAULT_URL,
) -> int:
    """Remove an alias; or a model, with the files that lmxd brought: `state: absent`.

    A model that is loaded is unloaded first, or removed with --force.

    \b
    Examples:
      lmxd rm gpt-4o-mini
      lmxd rm tiny --dry-run
    """
    from lmxd.cli.order_view import Order

    order = Order("delete", {"model": model}, seconds(wait), force, dry_run, manager, note)
    return order.carry_out(url, output)
