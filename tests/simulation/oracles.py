"""The rules of a simulated world, with everything that can be computed a second time.

What holds, who is wanted and who is admitted are taken from `naive`, sizes from the ledger's
entries, and all memory is counted by a meter of its own, at every event and not only at a pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from reconciler.actions import (
    Action,
    Delete,
    Download,
    Drain,
    InstanceSpec,
    Load,
    MemoryLane,
    Outcome,
    Promote,
    Unload,
    Verify,
)
from reconciler.loop.core import Decision
from reconciler.state import Effective, InstancePhase, InstanceView, Live, Routes
from tests.reconciler.world import World
from tests.simulation import naive, spares
from tests.simulation.naive import Wanted
from tests.simulation.rules import Rules
from tests.simulation.spares import drained_s

SWAY = timedelta(minutes=1)
FILES = ("absent", "downloaded")
UNJUDGED = ("Suspended", "ProbePending")
START = datetime.min.replace(tzinfo=UTC)


class Oracles(Rules):
    """All rules, over all starts of the daemon in one world."""

    def __init__(self) -> None:
        super().__init__()
        self._latest = START
        self._table = Routes()
        self._kept: tuple[object, Mapping[str, Wanted]] | None = None

    def restarted(self) -> None:
        """The daemon starts anew."""
        super().restarted()
        self._latest = START
        self._table = Routes()

    def __call__(self, world: World, decision: Decision, outcomes: tuple[Outcome, ...]) -> None:
        """Check one decision."""
        super().__call__(world, decision, outcomes)
        wanted = self._effective(decision)
        self._admission(decision, wanted)
        self._sizes(decision)
        if wanted:
            spares.check(decision, wanted, self._latest)
        self._surgical(decision, wanted)
        self._suspension(decision, wanted)
        self._busy(decision)
        self._names(decision)

    def _effective(self, decision: Decision) -> Mapping[str, Wanted]:
        """5, 16, 17: what holds is what the last good document says of this instant."""
        accepted, at = decision.picture.config.accepted, decision.picture.observed.at
        effective = decision.picture.effective
        if accepted is None:
            assert not effective.models
            return {}
        at = self._latest if timedelta() < self._latest - at < SWAY else at
        self._latest = at
        data: Mapping[str, Any] = accepted.data
        leases = decision.picture.config.leases
        if data.get("schedules") or leases:
            wanted = naive.models(data, at, leases)
        else:
            if self._kept is None or self._kept[0] is not data:
                self._kept = data, naive.models(data, at)
            wanted = self._kept[1]
        assert [m.key for m in effective.models] == [*wanted]
        demands = decision.picture.observed.demands
        for model in effective.models:
            should = wanted[model.key]
            same = should.state == model.state or {should.state, str(model.state)} <= {*FILES}
            assert same, f"{model.key} is {model.state}, should be {should.state} at {at}"
            assert (model.priority, model.window) == (should.priority, should.window), model.key
            found = (model.pinned, model.suspended, model.group)
            assert found == (should.pinned, should.suspended, should.group), model.key
            asked = should.state == "on-demand" and should.raised(demands.get(model.key))
            assert model.demanded == asked, f"{model.key} is demanded: {model.demanded}"
        assert effective.suspended == naive.suspended(data, at, leases)
        aliases = naive.names(data, at, leases)
        assert {name: [*keys] for name, keys in effective.aliases.items()} == aliases
        return wanted

    def _admission(self, decision: Decision, wanted: Mapping[str, Wanted]) -> None:
        """22: who is admitted follows from what is wanted and how large it is, by trying all."""
        picture = decision.picture
        total, instances = picture.plan.budget, picture.observed.instances
        refused = picture.known.refused
        verdicts: Mapping[str, Any] = picture.plan.verdicts
        spare = {m.key for m in picture.effective.models if m.spare is not None}
        away = _away(decision)
        order = [
            key
            for key in naive.in_order(wanted, picture.observed.demands, instances, refused)
            if key not in away or verdicts[key].wanted
        ]
        assert {k for k, v in verdicts.items() if v.wanted and k not in spare} == {*order}
        if total is None or picture.effective.suspended:
            assert not any(verdicts[key].admitted for key in order)
            return
        rivals = [key for key in order if not _hopeless(verdicts[key], decision)]
        kept = [
            i
            for i in instances
            if i.phase is not InstancePhase.DEAD
            and (model := wanted.get(i.key)) is not None
            and model.suspended
        ]
        room = total - sum(map(naive.held, kept))
        places = picture.effective.loaded
        sizes = tuple(verdicts[key].need.total for key in rivals)
        should = naive.admitted(
            sizes,
            tuple(wanted[key].group for key in rivals),
            room,
            places if places is None else places - len(kept),
            frozenset(group for i in kept if (group := wanted[i.key].group) is not None),
        )
        found = tuple(bool(verdicts[key].admitted) for key in rivals)
        assert found == should, f"admitted {found}, should be {should}: {rivals} {sizes} {room}"
        before = [verdicts[key] for key in order if key not in rivals and verdicts[key].admitted]
        left = room - sum(size for size, taken in zip(sizes, found, strict=True) if taken)
        taken = sum(v.need.total for v in before)
        assert not before or taken <= left, "what ran before takes what is wanted"

    def _sizes(self, decision: Decision) -> None:
        """1: sizes are the largest of five measurements, and loads reserve by the newest."""
        known = decision.picture.known
        for key, verdict in decision.picture.plan.verdicts.items():
            spec = _run(verdict)
            if spec is None:
                continue
            seen = known.ledger.entries.get(spec.spec_hash)
            if seen:
                most = naive.rounded(max(m.memory for m in seen[-5:]))
                assert verdict.need.total == most + spec.kv_bytes, key
        for action in decision.start:
            if isinstance(action, Load):
                seen = decision.remembered.ledger.entries.get(action.spec.spec_hash, ())
                most = max((m.memory for m in seen[-5:]), default=0)
                assert action.reserve >= most + action.spec.kv_bytes, f"{action.model} is cramped"

    def _surgical(self, decision: Decision, wanted: Mapping[str, Wanted]) -> None:
        """2, 9: only what differs moves, by actions that fit what is there."""
        views: Mapping[str, InstanceView] = {i.uid: i for i in decision.picture.observed.instances}
        verdicts: Mapping[str, Any] = decision.picture.plan.verdicts
        accepted = decision.picture.config.accepted
        data: Mapping[str, Any] = accepted.data if accepted else {}
        for action in decision.start:
            match action:
                case Load(model=model, spec=spec):
                    verdict = verdicts[model]
                    assert verdict.admitted, f"{model} is loaded and not admitted"
                    assert spec == _run(verdict)
                    rivals = [v for v in views.values() if v.key == model and _serves(v)]
                    assert all(v.spec_hash != spec.spec_hash for v in rivals), f"{model} is there"
                case Promote(uid=uid):
                    assert views[uid].phase is InstancePhase.READY, f"{uid} is not loaded"
                case Drain(uid=uid, deadline_s=deadline):
                    view = views[uid]
                    model = wanted.get(view.key)
                    limit = view.drain_s
                    if model is not None:
                        limit = drained_s(data, view.key, model, self._latest)
                    assert deadline == limit, f"{uid} is drained for {deadline} s, not {limit}"
                    verdict = verdicts.get(view.key)
                    if verdict and verdict.admitted and (spec := _run(verdict)):
                        right = spec.spec_hash == view.spec_hash
                        assert not (right and view.phase is InstancePhase.CURRENT), (
                            f"{uid} is right"
                        )
                case Unload(uid=uid):
                    view = views[uid]
                    assert view.in_flight == 0, f"{uid} is unloaded under {view.in_flight} claims"
                    ending = (InstancePhase.READY, InstancePhase.DRAINED, InstancePhase.STOPPING)
                    assert view.phase in ending, f"{uid} is unloaded while {view.phase}"

    def _busy(self, decision: Decision) -> None:
        """28: the memory lane does not stand still while a model that is admitted, that has not
        failed, and of which nothing is there, has room. While something drains it may: the room
        may be kept for a load that comes first, or that takes over before the old one leaves.
        """
        picture, total = decision.picture, decision.picture.plan.budget
        lane = (*picture.running.values(), *decision.start)
        if total is None or picture.effective.suspended or any(map(_in_lane, lane)):
            return
        there = [i for i in picture.observed.instances if i.phase is not InstancePhase.DEAD]
        free, places = total - sum(map(naive.held, there)), picture.effective.loaded
        if places is not None and len(there) >= places:
            return
        groups = {m.key: m.group for m in picture.effective.models if m.group is not None}
        held = {groups.get(i.key) for i in there} - {None}
        failures = decision.remembered.failures
        for key, verdict in picture.plan.verdicts.items():
            spec = _run(verdict)
            if not verdict.admitted or spec is None or any(i.key == key for i in there):
                continue
            if groups.get(key) in held or {f"load:{key}", f"previous:{key}"} & failures.keys():
                continue
            seen = decision.remembered.ledger.entries.get(spec.spec_hash, ())
            most = max((naive.rounded(m.memory) for m in seen), default=0) + spec.kv_bytes
            assert max(most, verdict.need.total) > free, f"nobody loads {key}, and there is room"

    def _suspension(self, decision: Decision, wanted: Mapping[str, Wanted]) -> None:
        """Suspended models are left as they are, and with the whole document everything is."""
        if decision.picture.effective.suspended:
            assert not decision.start, "something is done while all is suspended"
        for action in decision.start:
            match action:
                case Load(model=key) | Promote(model=key) | Drain(model=key) | Unload(model=key):
                    assert key not in wanted or not wanted[key].suspended, f"{key} is suspended"
                case Download(models=keys) | Verify(models=keys) | Delete(models=keys):
                    held = all(key in wanted and wanted[key].suspended for key in keys)
                    assert not held, f"{keys} are suspended"

    def _names(self, decision: Decision) -> None:
        """8: a name that was answered goes on being answered while its new models are on their
        way, for as long as the instance that answers stays.
        """
        picture, routes = decision.picture, decision.routes
        effective: Effective = picture.effective
        known, self._table = self._table, routes
        roomy = _roomy(decision)
        spare = {m.key for m in effective.models if m.spare is not None}
        leaving = {a.model for a in decision.start if isinstance(a, Drain)}
        ending = {a.uid for a in picture.running.values() if isinstance(a, Drain)}
        ending.difference_update(a.uid for a in decision.start if isinstance(a, Drain))
        current = {
            i.key
            for i in picture.observed.instances
            if i.phase is InstancePhase.CURRENT and i.uid not in ending
        }
        for name, keys in effective.aliases.items():
            before = known.names.get(name, ())
            if any(key in current for key in keys):
                continue
            coming = any(
                verdict.wanted and verdict.admitted and key not in spare
                for key in keys
                if (verdict := picture.plan.verdicts[key])
            )
            able = [
                k
                for k in before
                if k in current and k in known.targets and (roomy or k not in leaving)
            ]
            if coming and able:
                ready = [k for k in routes.names[name] if routes.targets[k].live is Live.READY]
                assert ready, f"{name} is answered by nobody, and {able} could"


def _roomy(decision: Decision) -> bool:
    """Whether all that is there and all that is to come fit beside each other."""
    picture, total = decision.picture, decision.picture.plan.budget
    effective, there = picture.effective, picture.observed.instances
    if total is None or effective.loaded is not None or any(m.group for m in effective.models):
        return False
    coming = [
        v.need.total
        for key, v in picture.plan.verdicts.items()
        if v.admitted and not any(i.key == key and i.spec_hash == _hash(v) for i in there)
    ]
    return sum(map(naive.held, there)) + sum(coming) <= total


def _hash(verdict: Any) -> str | None:
    spec = _run(verdict)
    return None if spec is None else spec.spec_hash


def _away(decision: Decision) -> set[str]:
    """Models of which somebody took something away that is not to be put right."""
    if decision.picture.effective.upkeep.drift == "enforce":
        return set()
    return {key for key, drifts in decision.picture.known.drifts.items() if drifts}


def _in_lane(action: Action) -> bool:
    return isinstance(action, (MemoryLane, Drain))


def _serves(view: InstanceView) -> bool:
    return view.phase in (InstancePhase.LOADING, InstancePhase.READY, InstancePhase.CURRENT)


def _run(verdict: Any) -> InstanceSpec | None:
    """What is to be loaded: what is wanted, or what ran before that failed for good."""
    again: InstanceSpec | None = verdict.previous if verdict.admitted else None
    return again or verdict.spec  # type: ignore[no-any-return]


def _hopeless(verdict: Any, decision: Decision) -> bool:
    """Wanted, and in the way of nobody, because only a change can help it."""
    judged = verdict.admitted is not None and _run(verdict) == verdict.spec
    if judged or verdict.reason in UNJUDGED:
        return False
    failures = decision.picture.known.failures
    own = failures.get(f"load:{verdict.model}")
    model = decision.picture.effective.model(verdict.model)
    assert model is not None
    brought = failures.get(f"download:{model.artifact}")
    assert any(r is not None and r.retry_at is None for r in (own, brought)), verdict
    return True
