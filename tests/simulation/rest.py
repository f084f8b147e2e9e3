"""What holds once a world is at rest: nothing is left to do, every gap has a reason, and another
world that never saw the past comes to the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from reconciler.actions import Load, Publish
from reconciler.loop.core import GLANCE, SWAY, Decision
from reconciler.loop.memory import Remembered
from reconciler.picture import Picture
from reconciler.preview import at_instant
from reconciler.state import Effective, InstancePhase, ModelKey, ModelState
from schemas.status import Condition
from tests.reconciler.world import World
from tests.simulation.documents import SECONDS
from tests.simulation.rules import alive, held
from tests.simulation.scene import Scene
from tests.simulation.world import Simulated

MOMENT = timedelta(milliseconds=1)
FORETOLD = timedelta(days=2)
TAKES_S = 10.0
"""How long a load takes."""
ENFORCED = {"drift": "enforce", "prune_disk": False, "retention": "1d"}


def at_rest(world: World, decision: Decision) -> None:
    """20, 21: nothing is left to do, every gap has a reason, and looking again changes nothing."""
    picture = decision.picture
    assert picture.plan.empty, picture.plan
    effective = picture.effective
    if not effective.suspended and not any(model.suspended for model in effective.models):
        assert held(world) <= (picture.plan.budget or 0)
        _at_most_as_many(world, effective)
    for model in decision.status.models:
        ready = _condition(model.conditions, "Ready")
        verdict = next(v for k, v in picture.plan.verdicts.items() if k == model.key)
        meant = effective.model(ModelKey(model.key))
        spare = meant is not None and meant.spare is not None  # it answers nobody yet
        if verdict.wanted and ready.status != "True" and not spare:
            told = _condition(model.conditions, "Admitted").status == "False"
            stalled = _condition(model.conditions, "Stalled").status == "True"
            assert told or stalled or effective.suspended, f"{model.key}: {ready}"
        if model.target.state == ModelState.DOWNLOADED and not stalled_or_ready(model.conditions):
            left = effective.upkeep.drift != "enforce" and model.drift
            assert effective.suspended or verdict.reason == "Suspended" or left, model
    again = world.step()
    assert again.start == ()
    assert again.cancel == ()
    assert again.events == ()
    assert again.status == decision.status
    assert again.routes == decision.routes
    _unsaved(decision.remembered, again.remembered)


def _at_most_as_many(world: World, effective: Effective) -> None:
    """1: no more instances than `limits.loaded`, and at most one model of a group."""
    there = [r.action.model for r in alive(world)]
    assert effective.loaded is None or len(there) <= effective.loaded, there
    groups = [m.group for m in effective.models if m.group is not None and m.key in there]
    assert len(groups) == len(set(groups)), f"two of one group are loaded: {there}"


def _unsaved(before: Remembered, after: Remembered) -> None:
    """21: nothing is written a second time."""
    assert (before.epoch, before.fingerprint) == (after.epoch, after.fingerprint)
    assert before.ledger is after.ledger
    assert before.failures is after.failures
    assert before.tombstones is after.tombstones


def rests_until_woken(world: Simulated) -> None:
    """17: until just before the loop would look by itself, time alone changes nothing. Within a
    glance something may: what requests want is no finer than that.
    """
    decision = world.step()
    if decision.wake_at is None or decision.wake_at - GLANCE <= world.at:
        return
    world.sleep((decision.wake_at - MOMENT - world.at).total_seconds())
    later = world.step()
    assert not later.start, later.start
    assert later.remembered.epoch == decision.remembered.epoch, "an epoch begins unannounced"


def as_foretold(world: Simulated) -> None:
    """26: at the next instant at which the clock alone changes something, happens what a preview
    of that instant said.
    """
    picture = world.step().picture
    until = picture.effective.until
    if until is None or world.asked or until - world.at > FORETOLD:
        return
    if world.saved.drifts.found:
        return  # what was left as it was may be put right then, which no preview looks into
    world.sleep((until - world.at).total_seconds())
    preview = at_instant(picture, until, "")
    now = world.step().picture
    assert now.effective == preview.effective, "another state holds than was foretold"
    assert _steps(now) == _steps(preview)
    assert [*now.plan.verdicts.values()] == [*preview.plan.verdicts.values()]


def _steps(picture: Picture) -> list[str]:
    return [s.action.key for s in picture.plan.steps if not isinstance(s.action, Publish)]


def none_starves(world: Simulated, number: int) -> None:
    """28: a model that comes to be wanted most of all, whose files are there and for which there
    would be room, answers within its load and the longest drain, while nobody lets go of what he
    has.
    """
    decision = world.step()
    verdicts = decision.picture.plan.verdicts
    able = [key for key, v in verdicts.items() if v.spec is not None and v.reason != "Suspended"]
    accepted = world.config.accepted
    if not able or accepted is None or decision.picture.effective.suspended:
        return
    key = able[number % len(able)]
    for model in world.serving():
        world.pool.claim(model)
    longest = max((r.action.drain_s for r in alive(world)), default=0.0)
    models: Mapping[str, Any] = accepted.data["models"]  # type: ignore[assignment]
    longest = max(longest, *(SECONDS[each["drain"]] for each in models.values()))
    most = {**models[key], "state": "loaded", "priority": 1000, "pinned": True, "drain": "10s"}
    others = {k: {f: v for f, v in m.items() if f != "pinned"} for k, m in models.items()}
    plain = {name: each for name, each in accepted.data.items() if name != "schedules"}
    world.edit({**plain, "models": {**others, key: most}, "reconcile": ENFORCED})
    world.config = replace(world.config, leases=())
    world.retry(key)
    end = world.lived + longest + TAKES_S + 1.0
    while world.lived < end:
        decision = world.step()
        verdict = decision.picture.plan.verdicts[key]
        current = decision.picture.current(key)
        if verdict.admitted is not True:
            return  # there is no room, as `oracles` has made sure of
        if current is not None and verdict.spec and current.spec_hash == verdict.spec.spec_hash:
            return
        _go_on(world)
    raise AssertionError(f"{key} is wanted most and does not answer")


def _go_on(world: Simulated) -> None:
    """What can end does, and else time passes until something can. Loads take their time."""
    for key in [key for key, effect in world.running.items() if not effect.begun]:
        world.begin(key)
    moments = [world.lived + 60.0]
    for key, effect in [*world.running.items()]:
        load = isinstance(effect.action, Load)
        if load and effect.begun_at + TAKES_S > world.lived:
            moments.append(effect.begun_at + TAKES_S)
        elif world.can_end(key):
            world.end(key)
            return
        elif effect.until is not None:
            moments.append(effect.until)
    world.sleep(max(0.0, min(moments) - world.lived))


def same_as_fresh(world: Simulated, scene: Scene) -> None:
    """22: a new world with this document, instant, ledger, files and demand serves the same.

    What models ran when they last answered is remembered, and part of what the end follows from.
    Left out is what a suspended model, or something that was taken away and is not put right,
    makes depend on the past, and what only serves because what should follow it has failed.
    """
    accepted = world.config.accepted
    assert accepted is not None
    world.sleep(SWAY.total_seconds())  # a clock that was set back a little stood for so long
    effective = world.settle().picture.effective
    if effective.suspended or any(model.suspended for model in effective.models):
        return
    if effective.upkeep.drift != "enforce" and world.saved.drifts.found:
        return
    _look_anew(world)
    fresh = scene.world(replace(world.saved, epoch=0, fingerprint=""))
    fresh.repos, fresh.disk = world.repos, dict(world.disk)
    fresh.probed, fresh.credentials = True, world.credentials
    fresh.at, fresh.lived = world.at, world.lived
    fresh.boots = world.boots - 1
    fresh.restart()
    fresh.asked = dict(world.asked)
    fresh.edit(accepted.data)
    fresh.config = replace(fresh.config, leases=world.config.leases)
    there = fresh.settle()
    known = _largest(world)
    if any(size > known.get(spec, size) for spec, size in _largest(fresh).items()):
        return  # a load of the new world was larger than any before: it knows more
    here = world.step()
    fast = max(world.lived, fresh.lived)
    for each in (world, fresh):
        each.sleep(fast - each.lived)
    if fast > min(world.lived, fresh.lived):
        there, here = fresh.settle(), world.settle()
    apart = _serving(world) ^ _serving(fresh)
    excused = _excused(here) | _excused(there)
    assert apart <= excused, f"{apart - excused} differ: {world.serving()} {fresh.serving()}"


def _largest(world: Simulated) -> dict[str, int]:
    """What is known of sizes."""
    entries = world.saved.ledger.entries
    return {spec: max(each.memory for each in seen) for spec, seen in entries.items()}


def _look_anew(world: Simulated) -> None:
    """Begin an epoch in which nothing that matters is different, so that sizes are looked up."""
    accepted = world.config.accepted
    assert accepted is not None
    limits = accepted.data["limits"]
    assert isinstance(limits, dict)
    world.edit({**accepted.data, "limits": {**limits, "queue": 99}})
    world.settle()


def _serving(world: World) -> set[tuple[ModelKey, str]]:
    return {
        (r.action.model, r.action.spec.spec_hash)
        for r in world.pool.residents.values()
        if r.phase is InstancePhase.CURRENT
    }


def _excused(decision: Decision) -> set[tuple[ModelKey, str]]:
    """Instances that stay because what should follow them cannot be loaded."""
    picture = decision.picture
    held = {key for keys in picture.plan.held.values() for key in keys}
    failed = {
        key for key, v in picture.plan.verdicts.items() if v.wanted and v.admitted is not True
    }
    spare = {model.key for model in picture.effective.models if model.spare is not None}
    return {
        (i.key, i.spec_hash) for i in picture.observed.instances if i.key in held | failed | spare
    }


def stalled_or_ready(conditions: tuple[Condition, ...]) -> bool:
    """Files are there, or somebody is told why not."""
    there = _condition(conditions, "Downloaded").status == "True"
    return there or _condition(conditions, "Stalled").status == "True"


def _condition(conditions: tuple[Condition, ...], kind: str) -> Condition:
    return next(c for c in conditions if c.type == kind)
