"""A time on the command line -> an instant.

Without an offset it is a time of the document's zone, in which its windows are written too; of
this machine where the document names none. A mere hour is the next one of that name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import typer

from lmxd.cli import client
from reconciler.timetable import FIRST_YEAR, LAST_YEAR, instant

__all__ = ["Moment", "in_daemon", "read"]


@dataclass(frozen=True, slots=True)
class Moment:
    """As somebody wrote it: with a day or without, with an offset or without."""

    written: datetime | time

    @property
    def certain(self) -> bool:
        """Whether it is the same instant in every zone."""
        return isinstance(self.written, datetime) and self.written.tzinfo is not None

    def of_zone(self, name: str | None, now: datetime) -> datetime:
        """The instant in UTC; raises typer.BadParameter for one of no year that windows know.
        None: the zone of this machine.
        """
        with contextlib.suppress(OverflowError):
            found = self._of_zone(name, now)
            if FIRST_YEAR <= found.year <= LAST_YEAR:
                return found
        years = f"{FIRST_YEAR} and {LAST_YEAR}"
        raise typer.BadParameter(f"--at {self.written} is no instant between {years}")

    def _of_zone(self, name: str | None, now: datetime) -> datetime:
        zone = ZoneInfo(name) if name is not None else None
        if isinstance(self.written, time):
            today = now.astimezone(zone).date()
            found = _wall(datetime.combine(today, self.written), zone)
            if found >= now:
                return found
            return _wall(datetime.combine(today + timedelta(days=1), self.written), zone)
        if self.written.tzinfo is not None:
            return self.written.astimezone(UTC)
        return _wall(self.written, zone)


def read(text: str) -> Moment:
    """A moment as it is written; raises typer.BadParameter."""
    for kind in (time, datetime):
        try:
            written = kind.fromisoformat(text)
        except ValueError:
            continue
        if isinstance(written, datetime) or (written.tzinfo is None and ":" in text):
            return Moment(written)
    raise typer.BadParameter(
        f"--at {text[:60]!r} is not a time; write 22:00, or 2026-11-21T22:00, or with an offset"
    )


def in_daemon(url: str, moment: Moment) -> datetime:
    """The instant as the daemon's document has it; raises LmxdError."""
    zone = None
    if not moment.certain:
        with client.Client(url) as daemon:
            document = daemon.values(client.DESIRED)
        found = document.get("timezone") if isinstance(document, Mapping) else None
        zone = found if isinstance(found, str) else None
    return moment.of_zone(zone, datetime.now(UTC))


def _wall(at: datetime, zone: ZoneInfo | None) -> datetime:
    """A wall time as windows understand it, also in nights in which clocks change."""
    if zone is None:
        return at.astimezone(UTC)
    midnight = datetime.combine(at.date(), time())
    return instant(at.date(), int((at - midnight).total_seconds()), zone)
