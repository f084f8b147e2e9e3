"""A picture of another instant: what its windows would have the loop do to the world as it is now.

Called by previews over HTTP; the loop never does. What is observed, remembered and running stays
that of the picture it starts from, so a preview of the present instant is that picture. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconciler.picture import Picture
from reconciler.plan import plan
from reconciler.prewarm import loads
from reconciler.resolve import resolve, variants


def at_instant(picture: Picture, at: datetime, host: str) -> Picture:
    """What would be planned if it were `at`, an aware instant, on the machine of that name."""
    accepted, observed = picture.config.accepted, picture.observed
    took = loads(variants(accepted, host), observed.disk, picture.known.fresh)
    effective = resolve(accepted, at, observed.demands, host, took)
    decided = plan(effective, observed, picture.known, picture.running)
    return replace(picture, effective=effective, plan=decided, asked_at=at)
