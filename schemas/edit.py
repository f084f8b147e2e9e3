"""A change of the desired-state document that somebody asks for over HTTP.

Built by `lmxd.http`, carried out by `lmxd.desired`; the shapes of what is asked, and of what it
comes to leaf by leaf. Nothing here decides whether it may be done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

__all__ = [
    "ANONYMOUS",
    "FILE",
    "MISSING",
    "Change",
    "Edit",
    "EditBody",
    "JsonPatch",
    "MergePatch",
    "Missing",
    "WholeData",
    "WholeText",
]

ANONYMOUS = "anonymous"
"""The manager of a caller that does not say who it is; it owns nothing against others."""
FILE = "file"
"""The manager of what people write into the file; nobody may call himself that over HTTP."""


class Missing(Enum):
    """The type of `MISSING`, so that it can be told from every JSON value."""

    MISSING = "missing"


MISSING = Missing.MISSING
"""There is no value at that path."""


@dataclass(frozen=True, slots=True)
class Change:
    """One leaf that differs: plain JSON values before and after, `MISSING` where there is none.

    Maps are compared key by key, lists are leaves and change whole. `path` are the keys from the
    root. A map that comes or goes whole is one change.
    """

    path: tuple[str, ...]
    before: object
    after: object


@dataclass(frozen=True, slots=True)
class MergePatch:
    """RFC 7396: maps merge, `null` removes, everything else replaces."""

    patch: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class JsonPatch:
    """RFC 6902: operations in order, all or nothing."""

    operations: Sequence[object]


@dataclass(frozen=True, slots=True)
class WholeText:
    """The whole document as YAML text; these bytes are what the file will hold."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class WholeData:
    """The whole document as JSON values; laid into the text that is there, comments stay."""

    data: Mapping[str, object]


EditBody = MergePatch | JsonPatch | WholeText | WholeData


@dataclass(frozen=True, slots=True)
class Edit:
    """What is asked, by whom, and under which condition.

    if_match: ETags (without quotes) one of which must be current, `*` for any document; empty:
    no condition. `force` overrides owners and protection. `note` goes into the history.
    """

    body: EditBody
    manager: str = ANONYMOUS
    if_match: tuple[str, ...] = ()
    force: bool = False
    note: str = ""
