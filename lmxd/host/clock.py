"""The two clocks of the daemon, as the port `reconciler.ports.Clock` wants them."""

from __future__ import annotations

import time
from datetime import UTC, datetime


class SystemClock:
    """The machine's wall clock and a monotonic one."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds from some start; never goes back."""
        return time.monotonic()
