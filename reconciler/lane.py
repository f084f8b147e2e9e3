"""The memory lane: the ordered loads, promotions, drains and unloads that lead to a set of models.

`plan` says which models are admitted and what each should run; this file says in which order
memory moves. Make before break where both fit; else drain, unload, load, and only as many
instances go as the newcomer needs. What still serves stays while nothing better can: an instance
that answers for a name whose new model is on its way, the one before while its model's new one
loads or cannot be loaded; unless their memory is needed. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.actions import Action, Cancel, Drain, InstanceSpec, Load, Promote, Step, Unload
from reconciler.budget import VECTORS, accounted
from reconciler.state import (
    EffectiveModel,
    InstancePhase,
    InstanceUid,
    InstanceView,
    ModelKey,
    Spare,
)

LOAD_TIMEOUT_S = 120.0
CURRENT = (InstancePhase.CURRENT,)
LOADED = (InstancePhase.LOADING, InstancePhase.READY, InstancePhase.CURRENT)
ENDING = (InstancePhase.DRAINED, InstancePhase.STOPPING, InstancePhase.DEAD)


@dataclass(frozen=True, slots=True)
class Wish:
    """A model that is admitted: what to run and what to reserve. `spec` None: files not known.

    `may_load` False: a failure forbids a try now. `load_s`: how long its slowest load took.
    `wanted`: what it should run, if that is another, which failed.
    """

    model: EffectiveModel
    spec: InstanceSpec | None
    reserve: int
    may_load: bool
    load_s: float | None
    wanted: InstanceSpec | None

    @property
    def previous(self) -> bool:
        """It is served as before, as it cannot be served as it should be."""
        return self.spec is not None and self.spec != self.wanted

    @property
    def ahead(self) -> bool:
        """Loaded ahead of its window: it answers nobody yet, and displaces nobody who does."""
        return self.model.spare is Spare.PREWARM


@dataclass(frozen=True, slots=True)
class _Exit:
    """The step that ends an instance, whose it is, and the bytes it frees."""

    step: str
    model: ModelKey
    frees: int


@dataclass(slots=True)
class Lane:
    """Builds the steps of one plan. Instances are looked at in the order they were started.

    places: most instances at once. held: models that answer for a name whose own is on its way.
    lasting: models whose instances stay while there is room. spare: why models may be in spare
    memory. suspended: models whose instances are left as they are.
    """

    total: int
    instances: Sequence[InstanceView]
    wishes: Sequence[Wish]
    places: int | None
    groups: Mapping[ModelKey, str | None]
    drains: Mapping[ModelKey, float]
    held: frozenset[ModelKey]
    lasting: frozenset[ModelKey]
    spare: Mapping[ModelKey, Spare]
    suspended: frozenset[ModelKey]
    running: Mapping[str, Action]
    serial: int
    steps: list[Step] = field(default_factory=list)
    cancels: list[Cancel] = field(default_factory=list)
    used: int = 0
    _count: int = 0
    _leaving: list[InstanceView] = field(default_factory=list)
    _exits: list[_Exit] = field(default_factory=list)
    _going: list[_Exit] = field(default_factory=list)
    _promotes: dict[ModelKey, str] = field(default_factory=dict)

    def build(self) -> None:
        """Fill `steps` and `cancels`."""
        self.used = sum(accounted(instance) for instance in self.instances)
        self._count = len(self.instances)
        wishes = {wish.model.key: wish for wish in self.wishes}
        have: set[ModelKey] = set()
        for instance in self.instances:
            wish = wishes.get(instance.key)
            untouched = instance.key in self.suspended
            if untouched or (wish is not None and self._continue(instance, wish)):
                have.add(instance.key)
            else:
                self._let_go(instance)
        self._retire_useless(frozenset(wishes))
        for wish in self.wishes:
            if wish.spec is not None and wish.may_load and wish.model.key not in have:
                self._load(wish, wish.spec)
        self._shed(have)
        for instance in self._leaving:
            if instance.key in self.held and self._promotes:
                self._retire(instance, tuple(self._promotes.values()))

    def _continue(self, instance: InstanceView, wish: Wish) -> bool:
        """Take an instance one step nearer to current; False when its model should run another."""
        if not _is_wanted(instance, wish):
            return False
        load, drain = f"load:{instance.uid}", f"drain:{instance.uid}"
        match instance.phase:
            case InstancePhase.LOADING:
                if load in self.running:
                    self.steps.append(Step(self.running[load]))
                    if not wish.ahead:
                        self._promote(instance.key, instance.uid, (load,))
            case InstancePhase.READY if not self._superseded(instance, wish, CURRENT):
                if not wish.ahead:
                    self._promote(instance.key, instance.uid, ())
            case InstancePhase.DRAINING if not self._superseded(instance, wish, LOADED):
                if drain not in self.running:
                    return False
                self.cancels.append(Cancel(drain))
            case InstancePhase.CURRENT:
                pass
            case _:
                return False
        return True

    def _superseded(
        self, instance: InstanceView, wish: Wish, phases: tuple[InstancePhase, ...]
    ) -> bool:
        """Whether another instance that its model could run is nearer to current."""
        return any(
            other.key == instance.key
            and other.uid != instance.uid
            and other.phase in phases
            and _is_wanted(other, wish)
            for other in self.instances
        )

    def _let_go(self, instance: InstanceView) -> None:
        """Start or continue the way out of an instance that is not what its model should run."""
        match instance.phase:
            case InstancePhase.LOADING:
                self.cancels.append(Cancel(f"load:{instance.uid}"))
                self._exit(f"load:{instance.uid}", instance)
            case InstancePhase.READY if instance.in_flight:
                self._retire(instance, ())  # another was promoted over it: its claims may end
            case InstancePhase.READY if self._bridged(instance):
                self._leaving.append(instance)
            case InstancePhase.READY | InstancePhase.DRAINED | InstancePhase.STOPPING:
                self._unload(instance, ())
            case InstancePhase.DRAINING:
                self._retire(instance, ())
            case InstancePhase.CURRENT:
                self._leaving.append(instance)
            case InstancePhase.DEAD:
                pass

    def _bridged(self, instance: InstanceView) -> bool:
        """Whether what was loaded ahead stays for the window that opens soon: because loads turned
        out to be quicker, it was early.
        """
        others = (o for o in self.instances if o.key == instance.key and o.uid != instance.uid)
        alone = all(other.phase not in LOADED for other in others)
        return alone and self.spare.get(instance.key) is Spare.BRIDGE

    def _retire_useless(self, wished: frozenset[ModelKey]) -> None:
        """Let go at once of what nobody needs, so that its memory is taken before any other's; and
        of what is being replaced as soon as its replacement answers.
        """
        needed = wished | self.held | self.lasting
        for instance in [i for i in self._leaving if i.key not in needed]:
            self._leaving.remove(instance)
            self._retire(instance, ())
        for instance in [i for i in self._leaving if i.key in self._promotes]:
            self._leaving.remove(instance)
            self._retire(instance, (self._promotes[instance.key],))

    def _load(self, wish: Wish, spec: InstanceSpec) -> None:
        """Load and promote; what must leave first leaves first. Nothing when there is no room."""
        waits = self._make_room(wish)
        if waits is None:
            return
        key = wish.model.key
        uid = InstanceUid(f"{key}#{self.serial}")
        self.serial += 1
        load = Load(
            model=key,
            uid=uid,
            spec=spec,
            reserve=wish.reserve,
            timeout_s=wish.model.load_timeout_s or max(LOAD_TIMEOUT_S, 5 * (wish.load_s or 0.0)),
            drain_s=wish.model.drain_s,
            previous=wish.previous,
            canary=None if wish.previous or spec.task in VECTORS else wish.model.canary,
        )
        self.used += wish.reserve
        self._count += 1
        self.steps.append(Step(load, waits))
        if wish.ahead:
            return
        promote = self._promote(key, uid, (load.key,))
        for old in [i for i in self._leaving if i.key == key]:
            self._leaving.remove(old)
            self._retire(old, (promote,))

    def _make_room(self, wish: Wish) -> tuple[str, ...] | None:
        """The keys a load waits for, letting go of as few instances as possible; None: no room."""
        victims = self._victims(wish)
        rivals = [i for i in self._leaving if self._rivals(i.key, wish.model.key)]
        if not all(i in victims for i in rivals) or not self._enough(wish, victims):
            return None
        for rival in rivals:
            victims.remove(rival)
            self._leaving.remove(rival)
            self._retire(rival, (), f"{wish.model.key} of its group is to be loaded")
        waits = []
        for leaves in self._exits:
            if self._rivals(leaves.model, wish.model.key):
                waits.append(leaves.step)
                if leaves in self._going:
                    self._gone(leaves)
        while self.used + wish.reserve > self.total or self._crowded(1):
            if not self._going:
                victim = victims.pop(0)
                self._leaving.remove(victim)
                scarce = "place" if self.used + wish.reserve <= self.total else "memory"
                self._retire(victim, (), f"its {scarce} is needed")
            waits.append(self._going[0].step)
            self._gone(self._going[0])
        return tuple(waits)

    def _enough(self, wish: Wish, victims: Sequence[InstanceView]) -> bool:
        """Whether there is room once all have left that may."""
        free = sum(each.frees for each in self._going) + sum(map(accounted, victims))
        gone = len(self._going) + len(victims)
        return self.used + wish.reserve - free <= self.total and not self._crowded(1 - gone)

    def _crowded(self, more: int) -> bool:
        """Whether so many more instances are too many."""
        return self.places is not None and self._count + more > self.places

    def _rivals(self, key: ModelKey, other: ModelKey) -> bool:
        """Whether two models are of one group."""
        group = self.groups.get(other)
        return group is not None and key != other and self.groups.get(key) == group

    def _gone(self, leaves: _Exit) -> None:
        """Count on what leaves, for one load."""
        self._going.remove(leaves)
        self.used -= leaves.frees
        self._count -= 1

    def _shed(self, have: set[ModelKey]) -> None:
        """What stays only because nothing better answers goes when it takes what others have."""
        for instance in sorted(self._leaving, key=lambda i: i.key in self.held):
            free = sum(each.frees for each in self._going)
            over = self.used - free > self.total or self._crowded(-len(self._going))
            if over or any(self._rivals(instance.key, key) for key in have):
                self._leaving.remove(instance)
                self._retire(instance, (), "there is no room for it beside what is wanted")

    def _victims(self, wish: Wish) -> list[InstanceView]:
        """Who may go, the first one first: the newcomer's own old one, what lazily stayed, then
        others that no name needs. Ahead of its window a newcomer takes the place of nobody who
        answers, nor of one that will soon.
        """
        newcomer, leaving = wish.model.key, list(self._leaving)
        if wish.ahead:
            idle = [i for i in leaving if not i.in_flight and i.key not in self.held]
            leaving = [i for i in idle if self.spare.get(i.key) is Spare.LAZY]
        leaving.sort(
            key=lambda i: (
                i.key != newcomer,
                i.key in self.held,
                self.spare.get(i.key) is not Spare.LAZY,
            )
        )
        return leaving

    def _promote(self, key: ModelKey, uid: InstanceUid, after: tuple[str, ...]) -> str:
        promote = Promote(key, uid)
        self.steps.append(Step(promote, after))
        self._promotes[key] = promote.key
        return promote.key

    def _retire(self, instance: InstanceView, after: tuple[str, ...], why: str = "") -> None:
        drain = self.running.get(f"drain:{instance.uid}")
        if drain is None:
            limit = self.drains.get(instance.key, instance.drain_s)
            why = why or ("replaced" if after else "no longer to be loaded")
            drain = Drain(instance.key, instance.uid, limit, why)
        self.steps.append(Step(drain, after))
        self._unload(instance, (drain.key,))

    def _unload(self, instance: InstanceView, after: tuple[str, ...]) -> None:
        unload = Unload(instance.key, instance.uid, accounted(instance))
        self.steps.append(Step(unload, after))
        self._exit(unload.key, instance)

    def _exit(self, step: str, instance: InstanceView) -> None:
        leaves = _Exit(step, instance.key, accounted(instance))
        self._exits.append(leaves)
        self._going.append(leaves)


def _is_wanted(instance: InstanceView, wish: Wish) -> bool:
    """Whether this instance is what its model should run."""
    if instance.phase in ENDING:
        return False
    return wish.spec is None or wish.spec.spec_hash == instance.spec_hash
