"""3: files of removed models are deleted only where the document says so, and in time.

Keeps its own account of the keys that documents had, by every decision's own document, and
compares deletions with it. The account outlives restarts of the daemon, as the world does.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from reconciler.actions import Delete
from reconciler.loop.core import Decision
from reconciler.state import ArtifactRef


class Removals:
    """When the last model that named some files was removed, over all starts in one world."""

    def __init__(self) -> None:
        self._named: Mapping[str, ArtifactRef] | None = None
        self._document: object = None
        self._removed: dict[ArtifactRef, datetime | None] = {}

    def look(self, decision: Decision) -> None:
        """Note what the document of this decision has no more."""
        accepted, at = decision.picture.config.accepted, decision.picture.observed.at
        if accepted is None:
            return
        if accepted is not self._document:
            self._document = accepted
            document = accepted.document
            now = {k: ArtifactRef(*document.resolved(k).artifact) for k in document.models}
            if self._named is None:  # nobody knows since when these are removed
                stones = decision.picture.known.tombstones.removed
                self._removed.update((stone.artifact, None) for stone in stones)
            for key, artifact in (self._named or {}).items():
                if key not in now:
                    self._removed[artifact] = at
            for artifact in now.values():
                self._removed.pop(artifact, None)
            self._named = now
        for artifact, since in self._removed.items():
            if since is not None and at < since:  # the clock went back: it is anybody's guess
                self._removed[artifact] = None

    def check(self, decision: Decision, action: Delete) -> None:
        """One deletion."""
        accepted, at = decision.picture.config.accepted, decision.picture.observed.at
        assert accepted is not None
        absent = [
            model
            for model in decision.picture.effective.models
            if model.artifact == action.artifact and model.state == "absent"
        ]
        if absent:
            return
        reconcile = accepted.document.reconcile
        assert reconcile.prune_disk, f"{action.key} and reconcile.prune_disk is false"
        suspended = decision.picture.effective.suspended
        assert not suspended, f"{action.key} while all is suspended"
        assert action.artifact in self._removed, f"{action.key}: no model was removed that had it"
        since = self._removed[action.artifact]
        age = (at - since).total_seconds() if since is not None else None
        assert age is None or age >= reconcile.retention, f"{action.key} after {age} s"
