"""What the core carries from pass to pass: epoch, ledger, failures, and who has been healthy.

Plain state with one owner, `core`. Everything that must survive a restart is in `Remembered`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.actions import Action, Download, Failure, Load, Outcome, Verify
from reconciler.backoff import Record, failed
from reconciler.budget import Ledger, Measurement
from reconciler.drift import UNLOADED_EXTERNALLY, Drifts, noticed, pardoned
from reconciler.knowledge import (
    download_key,
    download_subject,
    load_key,
    load_subject,
    previous_subject,
    spec_of,
    subjects_of,
)
from reconciler.previous import Proven
from reconciler.state import (
    ArtifactRef,
    Effective,
    EffectiveModel,
    InstancePhase,
    InstanceUid,
    InstanceView,
    ModelKey,
    Observed,
)
from reconciler.tombstones import Tombstones, following, remaining

HEALTHY = timedelta(minutes=10)
"""An instance that answered this long forgives the crashes before it."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """What survives a restart. `fingerprint` is that of the effective state of `epoch`."""

    epoch: int = 0
    fingerprint: str = ""
    ledger: Ledger = field(default_factory=Ledger)
    failures: dict[str, Record] = field(default_factory=dict)
    drifts: Drifts = field(default_factory=Drifts)
    proven: dict[ModelKey, Proven] = field(default_factory=dict)
    tombstones: Tombstones = field(default_factory=Tombstones)


@dataclass(slots=True)
class Memory:
    """The mutable memory of the core.

    `view` is the ledger that admission uses, `software` names what loads models.
    """

    kept: Remembered
    view: Ledger
    serial: int = 1
    software: str = ""
    _loads: dict[InstanceUid, Proven] = field(default_factory=dict)
    _filings: dict[str, tuple[str, str]] = field(default_factory=dict)
    _measured: set[InstanceUid] = field(default_factory=set)
    _reported: set[InstanceUid] = field(default_factory=set)
    _current_since: dict[InstanceUid, datetime] = field(default_factory=dict)

    def enter(self, fingerprint: str) -> None:
        """Count a new epoch when the effective state is another; admission looks anew then."""
        if fingerprint != self.kept.fingerprint:
            self.kept = replace(self.kept, epoch=self.kept.epoch + 1, fingerprint=fingerprint)
            self.view = self.kept.ledger

    def begin(
        self, action: Action, effective: Effective, credentials: str, total: int | None
    ) -> None:
        """Note under what a failure of this action is to be filed: by the facts it starts with."""
        filing = action.key, action.key
        match action:
            case Download(artifact=artifact) | Verify(artifact=artifact):
                key = download_key(artifact, effective.disk, credentials)
                filing = download_subject(artifact), key
            case Load(model=model, spec=spec, previous=previous):
                self._loads[action.uid] = Proven(spec, action.reserve)
                filing = (
                    previous_subject(model) if previous else load_subject(model),
                    self._load_key(spec.spec_hash, model, effective, total),
                )
        self._filings[action.key] = filing

    def finish(self, outcome: Outcome, at: datetime) -> bool:
        """File the end of an action: a failure under its subject, a success clears it. False when
        it is no news: cancelled, or the death of an instance that is filed already.
        """
        action = outcome.action
        subject, key = self._filings.pop(action.key, (action.key, action.key))
        if outcome.cancelled:
            return False
        if outcome.error is None:
            if not isinstance(action, Load):  # a load is forgiven once it has served for a while
                self._clear(subject)
        elif not isinstance(action, Load):
            self._fail(subject, key, outcome.error, at, brake=False)
        elif action.uid not in self._reported:
            self._reported.add(action.uid)
            self._fail(subject, key, outcome.error, at, brake=True)
        else:
            return False
        return True

    def died(
        self, instance: InstanceView, effective: Effective, observed: Observed, total: int | None
    ) -> bool:
        """File the death of an instance that nobody ended; a failed load is filed only once, and
        False then.
        """
        if instance.uid in self._reported or instance.exit is None:
            return False
        self._reported.add(instance.uid)
        exit_ = instance.exit
        if exit_.reason == UNLOADED_EXTERNALLY and effective.upkeep.drift != "enforce":
            return True  # no failure: it stays away because somebody took it away
        failure = Failure(exit_.reason, exit_.message, exit_.terminal)
        key = self._load_key(instance.spec_hash, instance.key, effective, total)
        model = effective.model(instance.key)
        wanted = spec_of(model, observed.disk.get(model.artifact)) if model is not None else None
        right = wanted is not None and wanted.spec_hash == instance.spec_hash
        subject = load_subject(instance.key) if right else previous_subject(instance.key)
        self._fail(subject, key, failure, observed.at, brake=True)
        return True

    def measure(
        self,
        instances: Iterable[InstanceView],
        effective: Effective,
        total: int | None,
        at: datetime,
    ) -> None:
        """Note the size of instances seen loaded for the first time; forgive the healthy ones."""
        for instance in instances:
            if instance.measured is not None and instance.uid not in self._measured:
                self._measured.add(instance.uid)
                found = Measurement(instance.measured, instance.load_s or 0.0)
                ledger = self.kept.ledger.noting(instance.spec_hash, found)
                self.kept = replace(self.kept, ledger=ledger)
            if instance.phase is InstancePhase.CURRENT:
                self._prove(instance)
                since = self._current_since.setdefault(instance.uid, at)
                if at - since >= HEALTHY:
                    self._forgive(instance, effective, total)

    def _prove(self, instance: InstanceView) -> None:
        """What answers is what to come back to."""
        proven = self._loads.pop(instance.uid, None)
        if proven is not None and proven != self.kept.proven.get(instance.key):
            self.kept = replace(self.kept, proven={**self.kept.proven, instance.key: proven})

    def forget(self, alive: set[InstanceUid], subjects: set[str]) -> None:
        """Drop memories of instances that are gone and of subjects nobody can meet again."""
        self._measured &= alive
        self._reported &= alive
        self._loads = {u: p for u, p in self._loads.items() if u in alive}
        self._current_since = {u: t for u, t in self._current_since.items() if u in alive}
        if not self.kept.failures.keys() <= subjects:
            failures = {s: r for s, r in self.kept.failures.items() if s in subjects}
            self.kept = replace(self.kept, failures=failures)

    def notice(
        self,
        effective: Effective,
        observed: Observed,
        died: Iterable[InstanceView],
        removed: Collection[str],
    ) -> None:
        """Note what changed outside lmxd. `removed`: sources whose files lmxd takes away."""
        drifts = noticed(self.kept.drifts, effective, observed, died, removed)
        if drifts is not self.kept.drifts:
            self.kept = replace(self.kept, drifts=drifts)

    def pardon(self, model: EffectiveModel) -> None:
        """Somebody wants it tried again: what failed never happened, what was taken away comes
        back.
        """
        for subject in subjects_of(model):
            self._clear(subject)
        self.kept = replace(self.kept, drifts=pardoned(self.kept.drifts, {model.key}))

    def _forgive(self, instance: InstanceView, effective: Effective, total: int | None) -> None:
        """Forget the crashes of what runs; those of what should replace it stand."""
        for subject in (load_subject(instance.key), previous_subject(instance.key)):
            record = self.kept.failures.get(subject)
            if record is None:
                continue
            if record.key == self._load_key(instance.spec_hash, instance.key, effective, total):
                self._clear(subject)

    def read(
        self,
        document: str,
        present: Mapping[ModelKey, ArtifactRef],
        generation: int,
        at: datetime,
    ) -> None:
        """The accepted document of that path names these models: note which are removed."""
        self._bury(following(self.kept.tombstones, document, present, generation, at))

    def unbury(self, observed: Observed, moving: Collection[ArtifactRef]) -> None:
        """Forget removed models of which nothing is left. `moving`: see `remaining`."""
        self._bury(remaining(self.kept.tombstones, observed, moving))

    def _bury(self, tombstones: Tombstones) -> None:
        if tombstones is not self.kept.tombstones:
            self.kept = replace(self.kept, tombstones=tombstones)

    def drop(self, keys: Collection[str]) -> None:
        """Forget what models ran whose key is none of these."""
        if not self.kept.proven.keys() <= set(keys):
            proven = {key: p for key, p in self.kept.proven.items() if key in keys}
            self.kept = replace(self.kept, proven=proven)

    def _load_key(
        self, spec_hash: str, key: ModelKey, effective: Effective, total: int | None
    ) -> str:
        return load_key(spec_hash, effective.model(key), total, self.software)

    def _fail(self, subject: str, key: str, failure: Failure, at: datetime, *, brake: bool) -> None:
        record = failed(self.kept.failures.get(subject), key, failure, at, brake=brake)
        self.kept = replace(self.kept, failures={**self.kept.failures, subject: record})

    def _clear(self, subject: str) -> None:
        if subject in self.kept.failures:
            failures = {s: r for s, r in self.kept.failures.items() if s != subject}
            self.kept = replace(self.kept, failures=failures)
