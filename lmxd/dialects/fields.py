"""How a dialect treats request fields it does not read: refuse, accept, or name as ignored.

A field that means something is never dropped silently: it is either refused, unless its value
asks for nothing, or it only advises a server (advisory). Fields nobody knows are ignored and
named to the client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

from schemas.errors import Code, RequestError

_NAMES_MAX = 32


@dataclass(frozen=True, slots=True)
class Table:
    """The fields of one kind of request that are known and not read.

    unserved: field to the values, beside null, that ask for nothing.
    advisory: fields that may hold anything and have no effect.
    instead: what to use in place of an unserved field, where there is something.
    """

    unserved: Mapping[str, tuple[object, ...]]
    advisory: frozenset[str]
    instead: Mapping[str, str] = field(default_factory=dict)

    def sift(self, extra: Mapping[str, object], where: str = "") -> tuple[str, ...]:
        """The names to report as ignored. Raises RequestError (unsupported_parameter).

        `where` is put before the names, such as "messages[2]." .
        """
        ignored: list[str] = []
        for name, value in extra.items():
            if value is None or name in self.advisory:
                continue
            if name not in self.unserved:
                ignored.append(f"{where}{name}")
            elif not any(_same(value, neutral) for neutral in self.unserved[name]):
                raise unsupported(f"{where}{name}", self.unserved[name], self.instead.get(name))
        return tuple(ignored)


def _same(value: object, neutral: object) -> bool:
    """Equal as JSON: false is not 0, but 1 is 1.0."""
    return isinstance(value, bool) == isinstance(neutral, bool) and value == neutral


def unsupported(
    param: str, neutral: tuple[object, ...] = (), instead: str | None = None
) -> RequestError:
    """The error for a field that means something lmxd cannot do."""
    values = " or ".join(repr(value).lower() for value in neutral)
    return RequestError(
        Code.UNSUPPORTED_PARAMETER,
        f"{param} is not supported" + (f" with a value other than {values}" if values else ""),
        hint=f"use {instead}" if instead else "leave it out",
        param=param,
    )


def header(ignored: Iterable[str]) -> str:
    """The names as one header value: ASCII, bounded; "" for none."""
    names = list(dict.fromkeys(ignored))
    shown = [quote(name[:64], safe="[]") for name in names[:_NAMES_MAX]]
    more = len(names) - len(shown)
    return ", ".join([*shown, f"{more} more"] if more else shown)
