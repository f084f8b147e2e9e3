"""A plan in words and as JSON: three whole texts, word by word."""

from __future__ import annotations

import json
from dataclasses import replace

from reconciler import explain
from reconciler.picture import Picture
from reconciler.plan import plan
from tests.reconciler.stage import BROKEN, edit, entry, uid_of, world
from tests.reconciler.world import World


def preview(here: World) -> Picture:
    """What the next pass would plan, with nothing started."""
    before = here.core._running.copy()
    seen = here.seen()
    assert here.decision is not None
    known = here.decision.picture.known
    effective = here.core._enter(seen.config, seen.observed)
    decided = plan(effective, seen.observed, known, before)
    epoch = here.decision.picture.epoch
    return Picture(epoch, seen.config, effective, seen.observed, decided, known, before)


def test_the_first_plan_of_a_fresh_machine() -> None:
    here = world(a=2, b=3)
    edit(here, {"auto": ["a", "b"]}, a=entry("a"), b=entry("b", "downloaded"))
    picture = here.step().picture
    assert explain.text(picture) == (
        "plan for generation 1, epoch 1: memory now 0 B of 16 GiB\n"
        "Actions, in the order they will run:\n"
        "   1  ↓   a  download hf:org/a  (running)\n"
        "   2  ↓   b  download hf:org/b  (running)\n"
        "Memory after: 0 B; peak 0 B.\n"
        "auto answers nobody while a model loads; requests wait.\n"
        "Plan: 2 downloads.\n"
    )


def test_a_switch_for_which_there_is_no_room_beside_what_never_fits() -> None:
    here = world(a=10, b=12, huge=40, gone=2)
    on_disk = {key: entry(key, "downloaded") for key in ("b", "huge", "gone")}
    edit(here, {"auto": "a"}, a=entry("a"), **on_disk)
    here.settle()
    edit(
        here,
        {"auto": "b"},
        a=entry("a", "downloaded", drain="90s"),
        b=entry("b"),
        huge=entry("huge"),
        gone=entry("gone", "absent"),
    )
    assert explain.text(preview(here)) == (
        "plan for generation 2, epoch 1: memory now 10.2 GiB of 16 GiB\n"
        "Actions, in the order they will run:\n"
        "   1  x   gone  delete 2 GiB of files that lmxd downloaded\n"
        "   2  ~   names  auto → b\n"
        "   3  ~   a  drain: its memory is needed, running requests get 1m30s\n"
        "   4  -   a  unload  -10.2 GiB\n"
        "   5  +   b  load  +12.2 GiB estimate\n"
        "   6  ~   b  answer from the new instance\n"
        "Wanted but not done:\n"
        "   x  huge: needs 40.2 GiB, the whole budget is 16 GiB; raise limits.memory to 40.2 GiB, "
        "or lower its context or kv_memory (weights 40.2 GiB, KV 0 B)\n"
        "Memory after: 12.2 GiB; peak 12.2 GiB.\n"
        "auto answers nobody while a model loads; requests wait.\n"
        "Plan: 1 load, 1 unload, 1 alias change, 1 deletion.\n"
    )


def test_what_is_as_it_should_be_misses_nothing_while_all_stands_still() -> None:
    here = world(a=3, b=3, c=3)
    edit(here, a=entry("a"), b=entry("b", "downloaded"))
    here.settle()
    accepted = here.config.accepted
    assert accepted is not None
    models = {"a": entry("a"), "b": entry("b", "downloaded"), "c": entry("c")}
    here.edit({**accepted.data, "models": models, "suspend": True})
    text = explain.text(here.settle().picture)
    assert "x  c: the whole document is suspended" in text
    assert "x  a:" not in text
    assert "x  b:" not in text


def test_names_that_nobody_answers_for_are_listed_with_the_seconds_of_measured_loads() -> None:
    here = world(a=10, b=12)
    aliases = {"auto": "b", "both": ["a", "b"], "old": "a"}
    edit(here, aliases, a=entry("a", "downloaded"), b=entry("b"))
    here.settle()  # the load of b is measured
    edit(here, {**aliases, "auto": "a"}, a=entry("a"), b=entry("b", "downloaded"))
    here.settle()
    edit(here, aliases, a=entry("a", "downloaded"), b=entry("b"))
    picture = preview(here)
    took = 10.0
    assert explain.data(picture)["gaps"] == [
        {"name": "auto", "seconds": took},
        {"name": "both", "seconds": took},
    ]
    assert "\nauto, both answer nobody for about 10 s; requests wait.\n" in explain.text(picture)


def test_nobody_waits_where_both_fit_and_a_model_that_makes_room_for_itself_is_a_gap() -> None:
    here = world(a=4, b=9)
    edit(here, {"auto": "b"}, a=entry("a"), b=entry("b", "downloaded"))
    here.settle()
    edit(here, {"auto": "a"}, a=entry("a", context="8k"), b=entry("b", "downloaded"))
    assert explain.data(preview(here))["gaps"] == []
    here.settle()
    edit(here, {"auto": "b"}, a=entry("a", "downloaded"), b=entry("b"))
    here.settle()
    edit(here, {"auto": "b"}, a=entry("a", "downloaded"), b=entry("b", context="8k"))
    gaps = explain.data(preview(here))["gaps"]
    assert gaps == [{"name": "b", "seconds": None}, {"name": "auto", "seconds": None}]


def test_what_changed_past_lmxd_stands_apart_and_its_repair_is_marked() -> None:
    here = world(a=2, b=2)
    edit(here, a=entry("a"), b=entry("b", "downloaded"))
    here.settle()
    here.kill(uid_of(here, "a"), outside=True)
    here.step()
    here.sleep(6)
    picture = here.step().picture
    (drift,) = explain.data(picture)["drift"]  # type: ignore[misc,has-type]
    assert (drift["model"], drift["path"]) == ("a", "memory.loaded")
    lines = explain.text(picture).splitlines()
    assert lines[1] == "Changed past lmxd:"
    assert lines[2].startswith("   !  a: memory.loaded was loaded, found since 20")
    assert lines[3] == "Actions, in the order they will run:"
    assert lines[4].endswith("(running)  (repairs drift)")


def test_nothing_to_do_beside_a_failure() -> None:
    here = world(a=2, b=2)
    here.repos["org/b"].load_fault = BROKEN
    edit(here, a=entry("a"), b=entry("b"))
    assert explain.text(here.settle().picture) == (
        "plan for generation 1, epoch 1: memory now 2.2 GiB of 16 GiB\n"
        "Wanted but not done:\n"
        "   x  b: no such architecture\n"
        "Nothing to do.\n"
    )


def test_what_a_worker_wrote_last_stays_on_one_line() -> None:
    here = world(a=2)
    said = "worker 7 died; it last wrote:\n  loading\n  no room"
    here.repos["org/a"].load_fault = replace(BROKEN, message=said)
    edit(here, a=entry("a"))
    lines = explain.text(here.settle().picture).splitlines()
    assert "   x  a: worker 7 died; it last wrote: | loading | no room" in lines


def test_json_says_the_same_and_is_json() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    data = explain.data(here.step().picture)
    assert json.loads(json.dumps(data)) == data
    assert data["actions"] == [
        {
            "key": "download:hf:org/a",
            "kind": "download",
            "sign": "↓",
            "what": "a  download hf:org/a",
            "after": [],
            "running": True,
            "repairs": False,
            "memory_after": 0,
        }
    ]
    assert data["memory"] == {"budget": 16 << 30, "now": 0, "after": 0, "peak": 0}
    assert data["exceptions"] == []
    assert data["generation"] == data["epoch"] == 1


def test_the_effective_state_is_json_with_null_for_forever() -> None:
    here = world(a=2)
    edit(here, {"x": "a"}, a=entry("a", "on-demand", keep_alive="forever", revision="main"))
    picture = here.step().picture
    data = explain.effective_data(picture)
    assert json.loads(json.dumps(data)) == data
    models = data["models"]
    assert isinstance(models, dict)
    assert models["a"]["source"] == "hf:org/a"
    assert models["a"]["revision"] == "main"
    assert models["a"]["keep_alive_s"] is None
    assert data["aliases"] == {"x": ["a"]}


def test_a_plan_that_is_carried_out_does_what_it_said() -> None:
    """When nothing changes in between, what is started is what was planned, in that order."""
    here = world(a=10, b=12)
    edit(here, a=entry("a"), b=entry("b", "downloaded"))
    here.settle()
    edit(here, a=entry("a", "downloaded"), b=entry("b"))
    planned = [step.action.key for step in preview(here).plan.steps]
    before = len(here.history)
    here.settle()
    assert here.history[before:] == planned
