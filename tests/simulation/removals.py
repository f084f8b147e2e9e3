"""What may be deleted of models that were removed: an account of removals of its own."""

from __future__ import annotations

from datetime import datetime

from reconciler.actions import Delete
from reconciler.loop.core import Decision
from reconciler.state import DiskState


class Removals:
    """Rule 3, for keys that the document names no more; over all starts of the daemon."""

    def __init__(self) -> None:
        self._named: set[str] = set()
        self._since: dict[str, datetime] = {}

    def check(self, decision: Decision) -> None:
        """Check the deletions of one pass."""
        picture = decision.picture
        if picture.config.accepted is None:
            return
        at, upkeep = picture.observed.at, picture.effective.upkeep
        named = {str(model.key) for model in picture.effective.models}
        for key in self._named - named:
            self._since[key] = at
        self._named = named
        self._since = {k: min(s, at) for k, s in self._since.items() if k not in named}
        for action in (a for a in decision.start if isinstance(a, Delete)):
            gone = [key for key in action.models if key not in named]
            if not gone:
                continue
            assert upkeep.prune_disk, f"{action.key} without prune_disk"
            for key in filter(self._since.__contains__, gone):  # others left before it began
                passed = (at - self._since[key]).total_seconds()
                assert passed >= upkeep.retention_s, f"{action.key} after {passed} s"
            for model in picture.effective.models:
                disk = picture.observed.disk.get(model.artifact, DiskState())
                same = (model.artifact.source, disk.revision) == (
                    action.artifact.source,
                    action.revision,
                )
                assert not same, f"{action.key} is used by {model.key}"
