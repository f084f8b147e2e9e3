"""The picture of one pass: everything it knew and decided, for those who describe it.

Conditions, status and explanations are computed from a `Picture` and from nothing else. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from reconciler.actions import Action, Plan
from reconciler.backoff import Record
from reconciler.knowledge import Knowledge, delete_subject, standing
from reconciler.state import (
    NO_FILES,
    ConfigView,
    DiskState,
    Effective,
    EffectiveModel,
    InstancePhase,
    InstanceView,
    ModelKey,
    ModelState,
    Observed,
)
from schemas.errors import Problem
from schemas.status import ScheduleStatus


@dataclass(frozen=True, slots=True)
class ClockStep:
    """The wall clock jumped: by how many seconds, negative is back, and what it said then."""

    at: datetime
    seconds: float


@dataclass(frozen=True)
class Picture:
    """Everything one pass knew and decided. Without slots, as it keeps what it has looked up.

    `asked_at`: the instant a preview was asked for; None for what the loop decided. `stepped`: the
    last jump of the wall clock since the start. `overfull`: pinned models that at some time do not
    fit together. `schedules`: what the calendar says of models.
    """

    epoch: int
    config: ConfigView
    effective: Effective
    observed: Observed
    plan: Plan
    known: Knowledge
    running: Mapping[str, Action]
    asked_at: datetime | None = None
    stepped: ClockStep | None = None
    overfull: Problem | None = None
    schedules: Mapping[ModelKey, ScheduleStatus] = field(default_factory=dict)

    @property
    def zone(self) -> str:
        """The zone in which people think of instants: the document's."""
        accepted = self.config.accepted
        return (accepted.document.timezone if accepted is not None else None) or "UTC"

    def current(self, key: ModelKey) -> InstanceView | None:
        """The instance that answers for a model."""
        return self._instances.get((key, InstancePhase.CURRENT))

    def loading(self, key: ModelKey) -> InstanceView | None:
        """The instance of a model that is being loaded."""
        return self._instances.get((key, InstancePhase.LOADING))

    def ready(self, key: ModelKey) -> InstanceView | None:
        """The instance of a model that is loaded and answers nobody yet."""
        return self._instances.get((key, InstancePhase.READY))

    @cached_property
    def _instances(self) -> Mapping[tuple[ModelKey, InstancePhase], InstanceView]:
        return {(i.key, i.phase): i for i in self.observed.instances}

    def disk(self, model: EffectiveModel) -> DiskState:
        """The model's files."""
        return self.observed.disk.get(model.artifact, NO_FILES)

    def failure(self, model: EffectiveModel) -> Record | None:
        """The failure that stands between the model and its next step."""
        if not self.known.failures:
            return None
        if model.state is ModelState.ABSENT:
            return self.known.failures.get(delete_subject(model.artifact))
        verdict, current = self.plan.verdicts[model.key], self.current(model.key)
        if verdict.spec is not None:
            arrived = current is not None and current.spec_hash == verdict.spec.spec_hash
            if arrived or not verdict.wanted:
                return None
        return standing(model, verdict.spec, self.plan.budget, self.effective.disk, self.known)

    def busy(self, key: ModelKey) -> bool:
        """Whether a step of the plan concerns the model."""
        return key in self._busy

    @cached_property
    def _busy(self) -> frozenset[ModelKey]:
        return frozenset(key for step in self.plan.steps for key in concerned(step.action))


def concerned(action: Action) -> tuple[ModelKey, ...]:
    """The models an action concerns."""
    models = getattr(action, "models", None)
    if models is not None:
        return tuple(models)
    model = getattr(action, "model", None)
    return (model,) if model is not None else ()
