"""Answers of calls that carried an `Idempotency-Key`, remembered for a day and over restarts.

`lmxd.http.calls` asks before it carries out a call and hands in the answer when it took effect.
`idempotency.json` in the state folder holds them. Who may use which key is not decided here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from lmxd.statefolder import StateFolder

__all__ = ["Answer", "Answers"]

log = logging.getLogger(__name__)

KEEP = timedelta(hours=24)
MOST = 2000
"""More than one a minute; the oldest are forgotten first."""


class Answer(Struct, frozen=True):
    """What a change came to. `asked` is a digest of what was asked for, `touched` are the models
    that a caller may want to wait for.
    """

    asked: str
    body: dict[str, object]
    headers: dict[str, str]
    touched: tuple[str, ...] = ()


class _Kept(Struct, frozen=True):
    at: datetime
    answer: Answer


class Answers:
    """All that is remembered; one daemon, one object. Reads its file at once: this blocks.

    Args:
        now: the wall clock, aware, in UTC.
    """

    def __init__(self, folder: StateFolder, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now
        self._saving = asyncio.Lock()
        self._kept: dict[str, _Kept] = {}
        entries = (folder.read("idempotency") or {}).get("answers")
        try:
            self._kept = msgspec.convert(entries or {}, dict[str, _Kept])
        except msgspec.ValidationError as error:
            folder.reject("idempotency", str(error))

    def find(self, key: str) -> Answer | None:
        """What the call with that key was answered within the last day."""
        kept = self._kept.get(key)
        return kept.answer if kept is not None and not self._old(kept) else None

    async def keep(self, key: str, answer: Answer) -> None:
        """Remember an answer. It counts at once; a disk that refuses it costs only the memory
        over a restart, and is logged.
        """
        self._kept.pop(key, None)
        self._kept[key] = _Kept(self._now(), answer)
        for name in [name for name, kept in self._kept.items() if self._old(kept)]:
            del self._kept[name]
        for name in list(self._kept)[:-MOST]:
            del self._kept[name]
        async with self._saving:  # of two that come together the later one writes both
            body = {"answers": dict(self._kept)}
            try:
                await asyncio.to_thread(self._save, body)
            except OSError as error:
                log.warning("idempotency key not kept", extra={"error": str(error)})

    def _save(self, body: dict[str, dict[str, _Kept]]) -> None:
        self._folder.write("idempotency", msgspec.to_builtins(body))

    def _old(self, kept: _Kept) -> bool:
        return self._now() - kept.at >= KEEP
