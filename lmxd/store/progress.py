"""How far running downloads are, in bytes; read by `observe`, written by the fetchers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Progress:
    """One running download: the bytes that are here, by blob, of `total`."""

    commit: str
    total: int
    here: dict[str, int] = field(default_factory=dict)

    @property
    def have(self) -> int:
        """Bytes that are here."""
        return sum(tuple(self.here.values()))

    @property
    def missing(self) -> int:
        """Bytes that are still to come."""
        return max(0, self.total - self.have)
