"""Who may talk to the server: Host names, origins of web pages, and CORS headers.

A page on the web can make a browser send requests to loopback. Two checks stop it: the Host must
be a name of ours (a rebound DNS name is not), and an Origin must be the server's own or one given
by `--cors`. Pure: headers in, an error or headers out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from lmxd.http.outgoing import ascii_header
from schemas.errors import Code, RequestError

HEALTH_PATHS = frozenset({"/health", "/livez", "/api/health", "/admin/health", "/ready", "/readyz"})
"""Exempt from the Host check: probes come under any name and learn nothing."""

_HOST = re.compile(r"(\[(?P<address>[^\[\]]+)\]|(?P<name>[^:\[\]]*))(:\d*)?")
_EXPOSED = (
    "x-request-id, Lmxd-Model, Lmxd-Route, Lmxd-Ignored, Lmxd-Generation, Lmxd-Epoch, ETag,"
    " Retry-After"
)


def is_loopback(host: str) -> bool:
    """Whether a name or address means this machine and only this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def host_of(header: str) -> str:
    """The name in a Host header: without port, brackets, trailing dot; lower case. "" for none."""
    found = _HOST.fullmatch(header.strip().lower())
    return (found["address"] or found["name"] or "").removesuffix(".") if found else ""


def _name_of(given: str) -> str:
    """A host as people write it in options: there, an IPv6 address may come without brackets."""
    return given.strip().lower() if given.count(":") > 1 and "[" not in given else host_of(given)


class Guard:
    """The rules of one server.

    Args:
        listen: host names the server was told to listen on.
        hosts: further allowed Host names (`--allow-host`); `*` allows any.
        origins: origins of web pages that may use the server (`--cors`); `*` allows any.
    """

    def __init__(self, listen: Iterable[str], hosts: Iterable[str], origins: Iterable[str]) -> None:
        self._hosts = {_name_of(name) for name in (*listen, *hosts)} - {""}
        self._origins = {origin.rstrip("/").lower() for origin in origins}

    def check(self, path: str, host: str | None, origin: str | None) -> None:
        """Raises RequestError (forbidden) for a Host or an Origin that is not allowed."""
        if path not in HEALTH_PATHS and not self._host_allowed(host or ""):
            raise RequestError(
                Code.FORBIDDEN,
                f"Host {host or ''!r} is not a name of this server",
                hint="start lmxd with --allow-host NAME to allow it",
            )
        if origin and not self._origin_allowed(origin, host or ""):
            raise RequestError(
                Code.FORBIDDEN,
                f"web pages of origin {origin!r} may not use this server",
                hint=f"start lmxd with --cors {origin} to allow it",
            )

    def _host_allowed(self, header: str) -> bool:
        name = host_of(header)
        return "*" in self._hosts or name in self._hosts or is_loopback(name)

    def _origin_allowed(self, origin: str, host: str) -> bool:
        return self._shares_with(origin) or urlsplit(origin).netloc.lower() == host.lower()

    def _shares_with(self, origin: str) -> bool:
        return "*" in self._origins or origin.lower() in self._origins

    def cors(self, origin: str | None, asked: str | None = None) -> dict[str, str]:
        """CORS headers for an answer to `origin`; none unless `--cors` names it.

        `asked` are the headers a preflight wants to send.
        """
        if not self._origins:
            return {}
        if not origin or not self._shares_with(origin):
            return {"Vary": "Origin"}
        headers = {
            "Access-Control-Allow-Origin": ascii_header(origin),
            "Access-Control-Expose-Headers": _EXPOSED,
            "Vary": "Origin",
        }
        if asked is not None:
            headers["Access-Control-Allow-Headers"] = ascii_header(asked)
            headers["Access-Control-Max-Age"] = "600"
        return headers
