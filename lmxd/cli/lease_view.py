"""Leases as a table; the end of one, or more time for it."""

from __future__ import annotations

import json
from urllib.parse import quote

from lmxd.cli.client import LEASES, Client, decoded
from lmxd.cli.messages import note
from lmxd.cli.output import columns, rows
from lmxd.cli.speech import Call
from schemas.wire.control import LeaseMade, Leases

__all__ = ["end", "extend", "print_all"]


def print_all(content: bytes) -> None:
    """One line a lease."""
    found = decoded(content, Leases).leases
    if not found:
        note("no leases")
        return
    lines = [
        (each.id, each.expires_at, each.manager, json.dumps(each.patch, ensure_ascii=False))
        for each in found
    ]
    rows(columns(("LEASE", "UNTIL", "MANAGER", "PATCH"), lines))


def end(daemon: Client, lease: str) -> int:
    """What lies below it holds again."""
    daemon.send(Call.of_json("DELETE", _path(lease), {}))
    note(f"lease {lease} has ended")
    return 0


def extend(daemon: Client, lease: str, ttl: str) -> int:
    """It lasts so long from now."""
    found = decoded(daemon.send(Call.of_json("PATCH", _path(lease), {"ttl": ttl})), LeaseMade)
    note(f"lease {found.id} until {found.expires_at}")
    return 0


def _path(lease: str) -> str:
    return f"{LEASES}/{quote(lease, safe='')}"
