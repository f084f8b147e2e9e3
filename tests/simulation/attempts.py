"""Who may try again and when: terminal failures once, others later and later, until they succeed.

Keeps its own account of failures from outcomes and deaths, and compares starts with it. A clock
that went back, and another start of the daemon, forgive everything.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.actions import Action, Download, Failure, Load, Outcome, Verify
from reconciler.drift import UNLOADED_EXTERNALLY
from reconciler.knowledge import load_key
from reconciler.loop.core import Decision
from reconciler.state import InstancePhase, ModelKey
from tests.reconciler.world import World

HEALTHY = timedelta(minutes=10)
HOUR = timedelta(hours=1)
BRAKE = 5
FIRST_S, LONGEST_S = 5.0, 600.0
AT_ONCE = 12
"""So many starts of one thing at one instant are no busy loop: others may cancel it."""


@dataclass(slots=True)
class Account:
    """What failed under these facts: how often, when last, and whether for good."""

    facts: object
    count: int
    at: datetime
    recent: list[datetime]
    terminal: bool


class Attempts:
    """Rule 27, over all passes of one start of the daemon."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[str, object]] = {}
        self._failed: dict[str, Account] = {}
        self._filed: set[str] = set()
        self._since: dict[str, datetime] = {}
        self._starts: Counter[tuple[str, datetime]] = Counter()

    def check(
        self,
        world: World,
        decision: Decision,
        outcomes: tuple[Outcome, ...],
        retry: frozenset[ModelKey] = frozenset(),
    ) -> None:
        """27: check the starts of one pass. `retry`: models that somebody wants tried again."""
        at = decision.picture.observed.at
        self._forget(decision)
        for outcome in outcomes:
            self._ended(outcome, decision, at)
        self._deaths(decision, at)
        for key in sorted(retry):
            self._pardon(key, decision)
        self._healthy(decision, at)
        assert decision.wake_at is None or decision.wake_at > at, "the next look is at once"
        for action in decision.start:
            self._started(action, decision, world.credentials, at)

    def _forget(self, decision: Decision) -> None:
        """What no document names any more may come back as new."""
        models = decision.picture.effective.models
        known = {f"{what} {model.key}" for model in models for what in ("load", "previous")}
        known.update(f"download {model.artifact}" for model in models)
        self._failed = {s: a for s, a in self._failed.items() if s in known}

    def _pardon(self, key: ModelKey, decision: Decision) -> None:
        self._failed.pop(f"load {key}", None)
        self._failed.pop(f"previous {key}", None)
        model = decision.picture.effective.model(key)
        if model is not None:
            self._failed.pop(f"download {model.artifact}", None)

    def _ended(self, outcome: Outcome, decision: Decision, at: datetime) -> None:
        action = outcome.action
        if action.key not in self._begun or outcome.cancelled:
            return
        subject, facts = self._begun.pop(action.key)
        if outcome.error is not None:
            if isinstance(action, Load):
                if action.uid in self._filed:
                    return
                self._filed.add(action.uid)
            self._fail(subject, facts, outcome.error, at, brake=isinstance(action, Load))
        elif isinstance(action, Download | Verify):
            self._failed.pop(subject, None)
            record = f"download:{action.artifact}"
            assert record not in decision.remembered.failures, f"{record} is not forgiven"

    def _fail(
        self, subject: str, facts: object, error: Failure, at: datetime, *, brake: bool
    ) -> None:
        before = self._failed.get(subject)
        same = before is not None and before.facts == facts
        recent = [t for t in before.recent if at - t < HOUR] if before and same else []
        recent.append(at)
        terminal = error.terminal or (brake and len(recent) >= BRAKE)
        count = before.count + 1 if before and same else 1
        self._failed[subject] = Account(facts, count, at, recent, terminal)

    def _deaths(self, decision: Decision, at: datetime) -> None:
        for instance in decision.picture.observed.instances:
            if instance.phase is InstancePhase.DEAD and instance.uid not in self._filed:
                self._filed.add(instance.uid)
                left = decision.picture.effective.upkeep.drift != "enforce"
                taken = instance.exit and instance.exit.reason == UNLOADED_EXTERNALLY
                if instance.exit is not None and not (left and taken):
                    facts = _load_facts(instance.spec_hash, instance.key, decision)
                    failure = Failure("", "", instance.exit.terminal)
                    subject = _subject(instance.key, instance.spec_hash, decision)
                    self._fail(subject, facts, failure, at, brake=True)

    def _healthy(self, decision: Decision, at: datetime) -> None:
        """What answered for ten minutes has its crashes forgiven."""
        picture = decision.picture
        current = {i.uid: i for i in picture.observed.instances if i.phase is InstancePhase.CURRENT}
        self._since = {uid: self._since.get(uid, at) for uid in current}
        for uid, since in self._since.items():
            if at - since < HEALTHY:
                continue
            instance = current[uid]
            facts = _load_facts(instance.spec_hash, instance.key, decision)
            model = picture.effective.model(instance.key)
            key = load_key(
                instance.spec_hash,
                model,
                picture.plan.budget,
                picture.known.software,
            )
            for what in ("load", "previous"):
                account = self._failed.get(f"{what} {instance.key}")
                if account is not None and account.facts == facts:
                    del self._failed[f"{what} {instance.key}"]
                record = decision.remembered.failures.get(f"{what}:{instance.key}")
                assert record is None or record.key != key, f"{instance.key} is not forgiven"

    def _started(self, action: Action, decision: Decision, credentials: str, at: datetime) -> None:
        match action:
            case Download(artifact=artifact, limits=limits):
                subject, facts = f"download {artifact}", (limits, credentials)
            case Verify(artifact=artifact):
                limits = decision.picture.effective.disk
                subject, facts = f"download {artifact}", (limits, credentials)
            case Load(model=model, spec=spec):
                subject = _subject(model, spec.spec_hash, decision)
                facts = _load_facts(spec.spec_hash, model, decision)
            case _:
                return
        self._begun[action.key] = subject, facts
        self._starts[subject, at] += 1
        assert self._starts[subject, at] <= AT_ONCE, f"{subject} is started over and over"
        account = self._failed.get(subject)
        if account is None or account.facts != facts:
            return
        assert not account.terminal, f"{subject} is tried again after it failed for good"
        waited = (at - account.at).total_seconds()
        least = min(LONGEST_S, FIRST_S * 2.0 ** (account.count - 1)) / 2
        assert not 0 <= waited < least, f"{subject} is tried again after {waited} of {least} s"


def _load_facts(spec_hash: str, key: str, decision: Decision) -> object:
    model = next((m for m in decision.picture.effective.models if m.key == key), None)
    said = (model.load_timeout_s, model.canary) if model else None
    return spec_hash, said, decision.picture.plan.budget


def _subject(key: str, spec_hash: str, decision: Decision) -> str:
    """What a model should run, and what it ran before, fail apart."""
    wanted = next((v.spec for k, v in decision.picture.plan.verdicts.items() if k == key), None)
    right = wanted is not None and wanted.spec_hash == spec_hash
    return f"{'load' if right else 'previous'} {key}"
