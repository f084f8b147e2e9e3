"""A picture of another instant: what its windows would have the loop do to the world as it is now.

Called by previews over HTTP; the loop never does. What is observed, remembered and running stays
that of the picture it starts from, so a preview of the present instant is that picture. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from reconciler.picture import Picture
from reconciler.plan import plan
from reconciler.resolve import resolve


def at_instant(picture: Picture, at: datetime, host: str) -> Picture:
    """What would be planned if it were `at`, an aware instant, on the machine of that name."""
    config, observed = picture.config, picture.observed
    effective = resolve(config.accepted, at, observed.demands, host, config.leases)
    decided = plan(effective, observed, picture.known, picture.running)
    return replace(picture, effective=effective, plan=decided, asked_at=at)
