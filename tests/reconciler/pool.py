"""The instances of the fake world: what the real pool does, without processes and without time.

Phases move as in `lmxd.serving.pool`: one current instance a model, a drain takes it out of
service, a cancelled drain brings it back, an action with a stale uid has no effect. Rules that
nobody may break are asserted here, where they would hurt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from reconciler.actions import Load
from reconciler.drift import UNLOADED_EXTERNALLY
from reconciler.state import ExitReport, InstancePhase, InstanceUid, InstanceView, ModelKey

LIVE = (InstancePhase.READY, InstancePhase.CURRENT)


@dataclass
class Resident:
    """One instance."""

    action: Load
    phase: InstancePhase = InstancePhase.LOADING
    measured: int | None = None
    in_flight: int = 0
    drain_until: float | None = None
    exit: ExitReport | None = None


class Pool:
    """All instances, and which of them answers for each model."""

    def __init__(self) -> None:
        self.residents: dict[InstanceUid, Resident] = {}
        self.current: dict[ModelKey, InstanceUid] = {}

    def view(self, at: datetime) -> tuple[InstanceView, ...]:
        """The snapshot of an instant."""
        return tuple(_view(resident) for resident in self.residents.values())

    def phases(self) -> dict[InstanceUid, InstancePhase]:
        """How each of them stands."""
        return {uid: resident.phase for uid, resident in self.residents.items()}

    def begin(self, action: Load, at: datetime) -> None:
        """A worker starts."""
        assert action.uid not in self.residents, f"{action.uid} is loaded twice"
        self.residents[action.uid] = Resident(action)

    def loaded(self, uid: InstanceUid, measured: int) -> None:
        """The worker has loaded."""
        resident = self.residents[uid]
        resident.phase, resident.measured = InstancePhase.READY, measured

    def promote(self, uid: InstanceUid) -> None:
        """This one answers from now on."""
        resident = self.residents.get(uid)
        if resident is None or resident.phase is not InstancePhase.READY:
            return
        key = resident.action.model
        if key in self.current:
            self.residents[self.current[key]].phase = InstancePhase.READY
        resident.phase = InstancePhase.CURRENT
        self.current[key] = uid

    def drain(self, uid: InstanceUid, until: float | None) -> None:
        """No more claims."""
        resident = self.residents.get(uid)
        if resident is not None and resident.phase in LIVE:
            resident.phase, resident.drain_until = InstancePhase.DRAINING, until
            self._clear(uid)

    def drained(self, uid: InstanceUid) -> None:
        """The running claims ended, or are cut off now."""
        resident = self.residents.get(uid)
        if resident is not None and resident.phase is InstancePhase.DRAINING:
            resident.phase, resident.in_flight = InstancePhase.DRAINED, 0

    def revive(self, uid: InstanceUid) -> None:
        """The drain was called off."""
        resident = self.residents.get(uid)
        if resident is not None and resident.phase is InstancePhase.DRAINING:
            resident.phase, resident.drain_until = InstancePhase.READY, None
            if resident.action.model not in self.current:
                self.promote(uid)

    def stop(self, uid: InstanceUid) -> None:
        """An unload begins."""
        resident = self.residents.get(uid)
        if resident is not None and resident.phase is not InstancePhase.DEAD:
            assert resident.in_flight == 0, f"{uid} is unloaded under {resident.in_flight} claims"
            assert resident.phase is not InstancePhase.CURRENT, (
                f"{uid} is unloaded while it answers"
            )
            resident.phase = InstancePhase.STOPPING

    def gone(self, uid: InstanceUid) -> None:
        """The process is gone."""
        resident = self.residents.get(uid)
        if resident is not None and resident.phase is not InstancePhase.DEAD:
            self._clear(uid)
            del self.residents[uid]

    def die(self, uid: InstanceUid, *, outside: bool = False) -> bool:
        """A worker dies, or somebody ends it; False when a load or unload has to deal with it."""
        resident = self.residents[uid]
        if resident.phase in (InstancePhase.DRAINING, InstancePhase.DRAINED):
            del self.residents[uid]
        elif resident.phase in LIVE:
            self._clear(uid)
            taken = outside and not resident.in_flight
            resident.phase, resident.in_flight = InstancePhase.DEAD, 0
            reason = UNLOADED_EXTERNALLY if taken else "WorkerCrashed"
            resident.exit = ExitReport(reason, "its process was killed by signal 9")
        return resident.phase not in (InstancePhase.LOADING, InstancePhase.STOPPING)

    def forget(self, uid: InstanceUid) -> None:
        """The loop knows of the death."""
        if self.residents[uid].phase is InstancePhase.DEAD:
            del self.residents[uid]

    def claim(self, key: ModelKey) -> bool:
        """A request takes a place, if an instance answers."""
        uid = self.current.get(key)
        if uid is None:
            return False
        self.residents[uid].in_flight += 1
        return True

    def release(self, uid: InstanceUid) -> None:
        """A request ends."""
        self.residents[uid].in_flight -= 1

    def _clear(self, uid: InstanceUid) -> None:
        key = self.residents[uid].action.model
        if self.current.get(key) == uid:
            del self.current[key]


def _view(resident: Resident) -> InstanceView:
    action, spec = resident.action, resident.action.spec
    return InstanceView(
        uid=action.uid,
        key=action.model,
        spec_hash=spec.spec_hash,
        phase=resident.phase,
        reserved=action.reserve,
        artifact=spec.artifact,
        revision=spec.revision,
        context=spec.context,
        kv_bytes=spec.kv_bytes,
        drain_s=action.drain_s,
        in_flight=resident.in_flight,
        exit=resident.exit,
        measured=resident.measured,
        load_s=None if resident.measured is None else 10.0,
    )
