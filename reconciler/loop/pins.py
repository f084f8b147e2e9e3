"""Whether the pinned models of the document in force fit, remembered for as long as nothing that
matters to it is another. Owned by `core`.
"""

from __future__ import annotations

from reconciler.knowledge import Knowledge
from reconciler.pinned import Sizes, contexts, overfull, sizes
from reconciler.state import Accepted, Effective, Observed
from schemas.errors import Problem


class Pins:
    """The last answer, and what it was made of. `host` chooses among the entries of `hosts`."""

    def __init__(self, host: str) -> None:
        self._host = host
        self._document: Accepted | None = None
        self._wanted: frozenset[tuple[str, int]] = frozenset()
        self._asked: tuple[Sizes, int] | None = None
        self._found: Problem | None = None

    def look(
        self,
        accepted: Accepted | None,
        effective: Effective,
        observed: Observed,
        known: Knowledge,
        total: int | None,
    ) -> Problem | None:
        """The problem of the document, looked for again when it or a size is another."""
        if accepted is not self._document:
            self._document, self._asked, self._found = accepted, None, None
            self._wanted = contexts(accepted.document, self._host) if accepted else frozenset()
        if accepted is None or total is None or not self._wanted:
            return None
        asked = (sizes(self._wanted, effective, observed, known), total)
        if asked != self._asked:
            self._asked = asked
            self._found = overfull(accepted.document, self._host, *asked, observed.at)
        return self._found
