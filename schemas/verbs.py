"""What people and bots order in one word: load, unload, keep, download, copy, create, delete.

Built by `lmxd.http` from the paths that old bots and other servers' clients know. They are sugar:
`reconciler.wishes` says which change of the document, or lease over it, each of them is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["Copy", "Create", "Delete", "Download", "Keep", "Load", "Unload", "Verb"]


@dataclass(frozen=True, slots=True)
class Load:
    """Have a model in memory: `name` is an alias, a key, a repo id, or a source that is new.

    context: tokens the instance is to have; None leaves that to the document. known: only what
    the document has already, so that a name that is misspelt is not taken for a source.
    """

    name: str
    context: int | None = None
    known: bool = False


@dataclass(frozen=True, slots=True)
class Unload:
    """Take a model out of memory; its files stay."""

    name: str


@dataclass(frozen=True, slots=True)
class Download:
    """Have the files of a model on disk: of one the document has, or of a source that is new.

    state: what a model becomes that is new, or was absent.
    """

    name: str
    state: Literal["downloaded", "on-demand"] = "downloaded"


@dataclass(frozen=True, slots=True)
class Keep:
    """Have an on-demand model stay in memory for so long after the last request: a duration as
    the document writes it, `forever` or, to be let go now, `0s`. Says nothing to a model that the
    document has loaded.
    """

    name: str
    keep_alive: str


@dataclass(frozen=True, slots=True)
class Copy:
    """Let a further name lead where `name` leads."""

    name: str
    alias: str


@dataclass(frozen=True, slots=True)
class Create:
    """A model of its own: the source, or the entry of the model, `base`, with `fields` over it."""

    key: str
    base: str
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an alias, or a model with the files that lmxd brought."""

    name: str


Verb = Load | Unload | Keep | Download | Copy | Create | Delete
