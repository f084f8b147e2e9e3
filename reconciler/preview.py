"""A picture of another instant, or of another document: what it would have the loop do to the world
as it is now.

Called by previews over HTTP; the loop never does. What is observed, remembered and running stays
that of the picture it starts from, so a preview of the present instant is that picture. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from reconciler.picture import Picture
from reconciler.plan import plan
from reconciler.prewarm import loads
from reconciler.resolve import named, resolve, variants
from reconciler.state import ArtifactRef, ConfigView, DiskState
from reconciler.tombstones import following


def at_instant(picture: Picture, at: datetime, host: str) -> Picture:
    """What would be planned if it were `at`, an aware instant, on the machine of that name."""
    config, observed = picture.config, picture.observed
    accepted = config.accepted
    took = loads(variants(accepted, host), observed.disk, picture.known.fresh)
    effective = resolve(accepted, at, observed.demands, host, took, config.leases)
    known = picture.known
    if effective != picture.effective:  # an epoch begins, and sizes are looked up anew
        known = replace(known, ledger=known.fresh)
    then = replace(observed, at=at)  # what waits for its time has it by then
    decided = plan(effective, then, known, picture.running)
    return replace(picture, effective=effective, plan=decided, known=known, asked_at=at)


def candidate(
    picture: Picture,
    config: ConfigView,
    disk: Mapping[ArtifactRef, DiskState],
    host: str,
    at: datetime | None = None,
) -> Picture:
    """What would be planned if document and leases were those of `config`: at once, or at an
    instant. `disk` is how the files stand that they name and the document in force does not.
    """
    observed = replace(picture.observed, disk={**picture.observed.disk, **disk})
    other = replace(picture, config=config, observed=observed)
    if config.accepted is not None and config.accepted is not picture.config.accepted:
        tombstones = following(
            picture.known.tombstones,
            config.path,
            named(config.accepted, host),
            config.accepted.generation,
            observed.at,
        )
        other = replace(other, known=replace(picture.known, tombstones=tombstones))
    found = at_instant(other, at or observed.at, host)
    return found if at is not None else replace(found, asked_at=None)
