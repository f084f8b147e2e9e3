"""The memory lane: the ordered loads, promotions, drains and unloads that lead to a set of models.

`plan` says which models are admitted and what each should run; this file says in which order
memory moves. Make before break where both fit; else drain, unload, load, and only as many
instances go as the newcomer needs. An instance that still answers for a name whose new model is
on its way stays until that model is there, unless its memory is needed. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.actions import Action, Cancel, Drain, InstanceSpec, Load, Promote, Step, Unload
from reconciler.budget import accounted
from reconciler.state import EffectiveModel, InstancePhase, InstanceUid, InstanceView, ModelKey

LOAD_TIMEOUT_S = 120.0
LOADED = (InstancePhase.LOADING, InstancePhase.READY, InstancePhase.CURRENT)


@dataclass(frozen=True, slots=True)
class Wish:
    """A model that is admitted: what to run and what to reserve. `spec` None: files not known.

    `may_load` False: a failure forbids a try now. `timeout_s` is the longest load.
    """

    model: EffectiveModel
    spec: InstanceSpec | None
    reserve: int
    may_load: bool
    load_s: float | None


@dataclass(slots=True)
class Lane:
    """Builds the steps of one plan. Instances are looked at in the order they were started."""

    total: int
    instances: Sequence[InstanceView]
    wishes: Sequence[Wish]
    drains: Mapping[ModelKey, float]
    held: frozenset[ModelKey]
    suspended: frozenset[ModelKey]
    running: Mapping[str, Action]
    serial: int
    steps: list[Step] = field(default_factory=list)
    cancels: list[Cancel] = field(default_factory=list)
    used: int = 0
    _leaving: list[InstanceView] = field(default_factory=list)
    _going: list[tuple[str, int]] = field(default_factory=list)

    def build(self) -> None:
        """Fill `steps` and `cancels`."""
        self.used = sum(accounted(instance) for instance in self.instances)
        kept = [i for i in self.instances if self._keep(i)]
        for instance in self.instances:
            if instance not in kept:
                self._let_go(instance)
        have = {i.key for i in kept if i.key in self.suspended or self._continue(i)}
        promotes = [s.action.key for s in self.steps if isinstance(s.action, Promote)]
        for wish in self.wishes:
            if wish.spec is not None and wish.may_load and wish.model.key not in have:
                promotes.extend(self._load(wish, wish.spec))
        for instance in self._leaving:
            self._retire_when_free(instance, promotes)

    def _keep(self, instance: InstanceView) -> bool:
        """Whether this instance is what its model should run."""
        if instance.key in self.suspended:
            return True
        for wish in self.wishes:
            if wish.model.key == instance.key:
                same = wish.spec is None or wish.spec.spec_hash == instance.spec_hash
                return same and instance.phase not in (
                    InstancePhase.DRAINED,
                    InstancePhase.STOPPING,
                    InstancePhase.DEAD,
                )
        return False

    def _continue(self, instance: InstanceView) -> bool:
        """Take a kept instance one step nearer to current; False when it cannot serve again."""
        load, drain = f"load:{instance.uid}", f"drain:{instance.uid}"
        if instance.phase is InstancePhase.LOADING and load in self.running:
            self.steps.append(Step(self.running[load], (), self.used))
            self._add(Promote(instance.key, instance.uid), (load,))
        elif instance.phase is InstancePhase.READY:
            self._add(Promote(instance.key, instance.uid), ())
        elif instance.phase is InstancePhase.DRAINING:
            if drain not in self.running or self._superseded(instance):
                self._let_go(instance)
                return False
            self.cancels.append(Cancel(drain))
        return True

    def _superseded(self, instance: InstanceView) -> bool:
        return any(
            other.key == instance.key and other.phase in LOADED and other.uid != instance.uid
            for other in self.instances
        )

    def _let_go(self, instance: InstanceView) -> None:
        """Start or continue the way out of an instance that is not what its model should run."""
        match instance.phase:
            case InstancePhase.LOADING:
                self.cancels.append(Cancel(f"load:{instance.uid}"))
                self._going.append((f"load:{instance.uid}", accounted(instance)))
            case InstancePhase.READY if instance.in_flight:
                self._retire(instance, ())  # another was promoted over it: its claims may end
            case InstancePhase.READY | InstancePhase.DRAINED:
                self._unload(instance, ())
            case InstancePhase.CURRENT:
                self._leaving.append(instance)
            case InstancePhase.DRAINING:
                self._retire(instance, ())
            case InstancePhase.STOPPING:
                self._unload(instance, ())
            case InstancePhase.DEAD:
                pass

    def _load(self, wish: Wish, spec: InstanceSpec) -> list[str]:
        """Load and promote; what must leave first leaves first. Empty when no room can be made."""
        waits = self._make_room(wish)
        if waits is None:
            return []
        uid = InstanceUid(f"{wish.model.key}#{self.serial}")
        self.serial += 1
        load = Load(
            model=wish.model.key,
            uid=uid,
            spec=spec,
            reserve=wish.reserve,
            timeout_s=wish.model.load_timeout_s or max(LOAD_TIMEOUT_S, 5 * (wish.load_s or 0.0)),
            drain_s=wish.model.drain_s,
        )
        self._add(load, waits, wish.reserve)
        promote = Promote(wish.model.key, uid)
        self._add(promote, (load.key,))
        for old in [i for i in self._leaving if i.key == wish.model.key]:
            self._leaving.remove(old)
            self._retire(old, (promote.key,))
        return [promote.key]

    def _make_room(self, wish: Wish) -> tuple[str, ...] | None:
        """The keys a load waits for, letting go of as few instances as possible; None: no room."""
        missing = wish.reserve - (self.total - self.used)
        waits: list[str] = []
        while missing > 0 and self._going:
            key, size = self._going.pop(0)
            missing -= size
            self.used -= size
            waits.append(key)
        while missing > 0 and self._leaving:
            victim = self._victim(wish.model.key)
            self._leaving.remove(victim)
            self._retire(victim, ())
            key, size = self._going.pop()
            missing -= size
            self.used -= size
            waits.append(key)
        return None if missing > 0 else tuple(waits)

    def _victim(self, newcomer: ModelKey) -> InstanceView:
        """Who goes first: the newcomer's own old one, then one nobody needs, then held ones."""
        return min(self._leaving, key=lambda i: (i.key != newcomer, i.key in self.held))

    def _retire_when_free(self, instance: InstanceView, promotes: Sequence[str]) -> None:
        """An instance nobody wants goes at once; one that holds a name waits for the promotion."""
        replaced = any(w.model.key == instance.key for w in self.wishes)
        if replaced:
            return  # its replacement cannot be loaded now: an old instance beats none
        if instance.key not in self.held:
            self._retire(instance, ())
        elif promotes:
            self._retire(instance, tuple(promotes))

    def _retire(self, instance: InstanceView, after: tuple[str, ...]) -> None:
        drain = self.running.get(f"drain:{instance.uid}")
        if drain is None:
            limit = self.drains.get(instance.key, instance.drain_s)
            why = "replaced" if after else "no longer wanted"
            drain = Drain(instance.key, instance.uid, limit, why)
        self._add(drain, after)
        self._unload(instance, (drain.key,))

    def _unload(self, instance: InstanceView, after: tuple[str, ...]) -> None:
        frees = accounted(instance)
        unload = Unload(instance.key, instance.uid, frees)
        self.steps.append(Step(unload, after, 0))
        self._going.append((unload.key, frees))

    def _add(self, action: Action, after: tuple[str, ...], grows: int = 0) -> None:
        self.used += grows
        self.steps.append(Step(action, after, 0))
