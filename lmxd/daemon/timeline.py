"""The coming hours as the control API shows them. Pure; also for previews of the command line."""

from __future__ import annotations

from datetime import UTC, datetime

from reconciler.timeline import Gap, Loser, Stretch, Timeline
from schemas.wire import control

__all__ = ["shown"]


def shown(found: Timeline) -> control.Timeline:
    """The same, with instants as text."""
    return control.Timeline(
        zone=found.zone,
        start=_iso(found.start),
        end=_iso(found.end),
        budget=found.budget,
        spans=tuple(map(_span, found.stretches)),
        gaps=tuple(map(_gap, found.gaps)),
        notes=found.notes,
    )


def _span(stretch: Stretch) -> control.TimelineSpan:
    return control.TimelineSpan(
        start=_iso(stretch.start),
        end=_iso(stretch.end),
        windows=stretch.windows,
        loaded={str(key): size for key, size in stretch.loaded.items()},
        standby={str(key): size for key, size in stretch.standby.items()},
        on_demand=stretch.on_demand,
        losers=tuple(map(_loser, stretch.losers)),
        aliases={name: tuple(keys) for name, keys in stretch.aliases.items()},
        reserved=stretch.reserved,
    )


def _loser(loser: Loser) -> control.TimelineLoser:
    return control.TimelineLoser(loser.model, loser.needs, loser.message)


def _gap(gap: Gap) -> control.Gap:
    return control.Gap(gap.name, _iso(gap.start), gap.seconds)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
