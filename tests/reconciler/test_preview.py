"""Plans of another instant: its windows, against the world as it is now."""

from __future__ import annotations

from datetime import timedelta

from reconciler import explain, preview
from reconciler.state import ModelKey
from tests.reconciler.test_windows import CLOSES, EVENING, NIGHT, OPENS, edit, shop


def test_a_plan_says_what_comes_next_by_the_clock() -> None:
    picture = shop().settle().picture
    assert explain.text(picture) == (
        "plan for generation 1, epoch 1: memory now 6.2 GiB of 16 GiB\n"
        "Next by the clock: Fri 2026-11-20 22:00 Europe/Paris: night opens.\n"
        "Nothing to do.\n"
    )
    data = explain.data(picture)
    assert data["next"] == {"at": "2026-11-20T21:00:00Z", "opens": ["night"], "closes": []}
    assert data["at"] == "2026-11-20T20:59:00Z"


def test_the_plan_of_a_later_instant_is_what_will_be_done_then() -> None:
    here = shop(memory=10)
    picture = here.settle().picture
    seen = preview.at_instant(picture, OPENS + timedelta(hours=1), "")
    assert explain.text(seen) == (
        "plan for Fri 2026-11-20 23:00 Europe/Paris, with what is true now: "
        "memory now 6.2 GiB of 10 GiB\n"
        "Actions, in the order they will run:\n"
        "   1  ~   names  auto → night\n"
        "   2  ~   day  drain: its memory is needed, running requests get 10m\n"
        "   3  -   day  unload  -6.2 GiB\n"
        "   4  +   night  load  +6.2 GiB estimate\n"
        "   5  ~   night  answer from the new instance\n"
        "Memory after: 6.2 GiB; peak 6.2 GiB.\n"
        "auto answers nobody while a model loads; requests wait.\n"
        "Next by the clock: Sat 2026-11-21 06:00 Europe/Paris: night closes.\n"
        "Plan: 1 load, 1 unload, 1 alias change.\n"
    )
    planned = [step.action.key for step in seen.plan.steps]
    before = len(here.history)
    here.at = OPENS + timedelta(hours=1)
    here.settle()
    done = here.history[before:]
    assert done == [key for key in planned if not key.startswith("publish")]


def test_a_preview_of_another_epoch_looks_sizes_up_anew() -> None:
    here = shop()
    picture = here.settle().picture
    day = ModelKey("day")
    assert picture.plan.verdicts[day].need.basis == "estimate"
    assert preview.at_instant(picture, EVENING, "").plan.verdicts[day].need.basis == "estimate"
    then = preview.at_instant(picture, CLOSES, "").plan.verdicts[day]
    here.at = CLOSES
    assert then.need.basis == "measured"
    assert then == here.step().picture.plan.verdicts[day]


def test_a_preview_changes_nothing_and_that_of_now_is_the_plan() -> None:
    here = shop()
    picture = here.settle().picture
    assert preview.at_instant(picture, EVENING, "").plan == picture.plan
    before = list(here.history)
    preview.at_instant(picture, OPENS, "")
    assert here.step().picture.plan.empty
    assert here.history == before


def test_what_holds_at_an_instant_names_windows_and_layers() -> None:
    picture = shop().settle().picture
    data = explain.effective_data(preview.at_instant(picture, OPENS, ""))
    assert (data["at"], data["windows"]) == ("2026-11-20T21:00:00Z", ["night"])
    assert data["next"] == {"at": "2026-11-21T05:00:00Z", "opens": [], "closes": ["night"]}
    models = data["models"]
    assert isinstance(models, dict)
    assert (models["night"]["state"], models["night"]["because"]) == ("loaded", "schedule/night")
    assert data["aliases"] == {"auto": ["night"]}


def test_windows_that_meet_turn_together() -> None:
    here = shop()
    rest = {**NIGHT, "when": [{"from": "06:00", "to": "22:00"}], "set": {}}
    edit(here, night=NIGHT, rest=rest)
    picture = here.settle().picture
    seen = preview.at_instant(picture, CLOSES - timedelta(hours=1), "")
    text = explain.text(seen)
    assert "Sat 2026-11-21 06:00 Europe/Paris: rest opens, night closes." in text
