"""What a change would lead to: the models it moves, warnings, and the name of its plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from reconciler import consequences, preview
from reconciler.picture import Picture
from reconciler.state import DiskPhase, Lease, ModelKey
from tests.reconciler.stage import Entry, edit, entry, world
from tests.reconciler.test_windows import EVENING, NIGHT, shop
from tests.reconciler.test_windows import edit as edit_shop
from tests.reconciler.world import World


def candidate(here: World, **models: Entry) -> tuple[Picture, Picture]:
    """The picture of now, and that with the other document, which nobody has accepted."""
    before, config = here.step().picture, here.config
    edit(here, **models)
    wanted, here.config = here.config, config
    here.generation -= 1
    return before, preview.candidate(before, wanted, {}, "")


def settled(**sizes: float) -> World:
    here = world(memory=10, **sizes)
    edit(here, day=entry("day"), night=entry("night", "downloaded"))
    here.settle()
    return here


def test_only_what_is_changed_is_touched() -> None:
    here = settled(day=6, night=3)
    before, after = candidate(here, night=entry("night"), day=entry("day"))
    assert consequences.touched(before, after) == {"night"}
    before, after = candidate(here, day=entry("day", sampling={"top_p": 0.5}))
    assert consequences.touched(before, after) == {"day", "night"}
    before, after = candidate(here, day=entry("day"), night=entry("night", "downloaded"))
    assert consequences.touched(before, after) == frozenset()


def test_who_loses_its_place_is_touched_and_warned_of() -> None:
    here = settled(day=6, night=6)
    before, after = candidate(here, day=entry("day"), night=entry("night", priority=90))
    assert consequences.touched(before, after) == {"day", "night"}
    (warning,) = consequences.warnings(before, after, changed=True)
    assert warning.startswith("day is not admitted after this: needs 6.2 GiB")
    edit(here, day=entry("day"), night=entry("night", priority=90))
    here.settle()
    again = candidate(here, day=entry("day"), night=entry("night", priority=91))
    assert consequences.warnings(*again, changed=True) == ()


def test_a_name_that_moves_touches_what_it_leads_to() -> None:
    here = shop(at=EVENING - timedelta(hours=1))
    before = here.settle().picture
    moved = {**NIGHT, "set": {"aliases": {"auto": "day"}}}
    edit_shop(here, night=moved)
    here.at = here.at.replace(hour=22)
    after = preview.at_instant(replace(before, config=here.config), here.at, "")
    names = replace(before, effective=replace(before.effective, aliases={}))
    assert consequences.touched(before, after) == frozenset()
    assert consequences.touched(names, after) == {"day"}


def test_a_change_for_later_says_that_nothing_changes_now_and_when_it_does() -> None:
    here = shop(at=EVENING - timedelta(hours=1))
    before = here.settle().picture
    edit_shop(here, night={**NIGHT, "when": [{"from": "23:00", "to": "06:00"}]})
    after = preview.at_instant(replace(before, config=here.config), here.at, "")
    assert consequences.warnings(before, after, changed=True) == (
        "nothing that holds at this instant changes; "
        "by the clock the next change comes at 2026-11-20T22:00Z",
    )
    assert consequences.warnings(before, after, changed=False) == ()
    until = here.at + timedelta(minutes=30)
    lease = Lease("l-1", "bot", here.at, until, {"models": {"day": {"priority": 9}}})
    lent = replace(before, config=replace(here.config, leases=(lease,)))
    lent = preview.at_instant(lent, here.at, "")
    (said,) = consequences.warnings(lent, lent, changed=True)
    assert said.endswith("the next change comes at 2026-11-20T20:29Z")


def test_a_plan_keeps_its_name_until_something_moves() -> None:
    here = settled(day=6, night=3)
    wanted = {"day": entry("day"), "night": entry("night")}
    _, first = candidate(here, **wanted)
    here.sleep(5)
    _, again = candidate(here, **wanted)
    name = consequences.plan_id(first)
    assert name == consequences.plan_id(again)
    assert name == consequences.plan_id(replace(again, epoch=99))
    assert name != consequences.plan_id(candidate(here, **wanted, third=entry("night"))[1])
    assert name != consequences.plan_id(replace(first, asked_at=here.at))
    here.kill(here.pool.current[ModelKey("day")])
    assert name != consequences.plan_id(candidate(here, **wanted)[1])
    here.settle()
    edit(here, day=entry("day"), night=entry("night", "downloaded"))
    here.settle()
    assert name != consequences.plan_id(candidate(here, **wanted)[1])


def test_files_that_only_the_candidate_names_are_taken_as_they_stand() -> None:
    here = settled(day=6, night=3, third=1)
    before, after = candidate(here, day=entry("day"), third=entry("third"))
    assert next(step.action.key for step in after.plan.steps) == "download:hf:org/third"
    artifact = next(m.artifact for m in after.effective.models if m.key == "third")
    there = {artifact: here.repos["org/third"].complete(ours=0)}
    assert there[artifact].phase is DiskPhase.VERIFIED
    known = preview.candidate(before, after.config, there, "")
    assert next(step.action.key for step in known.plan.steps) == "load:third#2"
