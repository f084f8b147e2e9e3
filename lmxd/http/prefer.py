"""The header `Prefer`: whether an answer may wait for what it caused, and for how long. Pure.

Preferences nobody here knows, and such that make no sense, are passed over, as RFC 7240 wants it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

WAIT_MAX_S = 600.0
"""The longest wait; proxies on the way give up earlier."""

_WAIT = re.compile(r"wait\s*=\s*\"?([0-9]+)\"?")


@dataclass(frozen=True, slots=True)
class Preference:
    """`wait_s` None: answer as soon as it is decided. `applied` goes into `Preference-Applied`."""

    wait_s: float | None = None
    applied: str = ""


def preference(headers: Iterable[str]) -> Preference:
    """What all `Prefer` headers together ask for; the first of a kind counts."""
    items = [part.split(";")[0].strip().lower() for text in headers for part in text.split(",")]
    waits = [found for item in items if (found := _WAIT.fullmatch(item))]
    if waits:
        wait_s = min(float(waits[0][1]), WAIT_MAX_S)
        return Preference(wait_s, f"wait={wait_s:g}")
    if "respond-async" in items:
        return Preference(0.0, "respond-async")
    return Preference()
