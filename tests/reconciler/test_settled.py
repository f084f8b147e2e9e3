"""Who has arrived after a change, who cannot, and for whom waiting helps."""

from __future__ import annotations

from reconciler.settled import gaps
from tests.reconciler.stage import BROKEN, CUT, Entry, edit, entry, run_until, world
from tests.reconciler.world import World


def standing(at: World, *keys: str) -> list[tuple[str, str, bool]]:
    """Model, reason and whether waiting helps, as the next pass sees it."""
    return [(gap.model, gap.reason, gap.pending) for gap in gaps(at.step().picture, keys)]


def test_a_model_on_its_way_is_waited_for_and_one_that_answers_has_arrived() -> None:
    here = world(day=4)
    edit(here, day=entry("day"))
    assert standing(here, "day") == [("day", "Downloading", True)]
    run_until(here, "load:")
    assert standing(here, "day") == [("day", "Loading", True)]
    here.settle()
    assert standing(here, "day") == []


def test_a_model_with_new_options_has_not_arrived_while_the_old_instance_answers() -> None:
    here = world(day=4)
    edit(here, day=entry("day"))
    here.settle()
    edit(here, day=entry("day", context="8k"))
    assert standing(here, "day") == [("day", "Loading", True)]
    assert here.serving() == {"day"}
    here.settle()
    assert standing(here, "day") == []


def test_a_model_without_a_place_is_not_waited_for() -> None:
    here = world(memory=10, day=6, night=6)
    edit(here, day=entry("day"), night=entry("night"))
    here.settle()
    (gap,) = gaps(here.step().picture, ["day", "night"])
    assert (gap.model, gap.pending) == ("night", False)
    assert "day" in gap.message


def test_what_only_a_change_can_mend_is_not_waited_for() -> None:
    here = world(day=4)
    here.repos["org/day"].download_fault = BROKEN
    edit(here, day=entry("day"))
    here.settle()
    assert standing(here, "day") == [("day", "UnsupportedArchitecture", False)]


def test_what_is_tried_again_by_itself_is_waited_for() -> None:
    here = world(day=4)
    here.repos["org/day"].download_fault = CUT
    edit(here, day=entry("day"))
    run_until(here, "download:")
    here.end("download:hf:org/day", CUT)
    assert standing(here, "day") == [("day", "HubUnreachable", True)]


def test_a_suspended_model_is_not_waited_for() -> None:
    here = world(day=4, night=4)
    edit(here, day=entry("day"))
    here.settle()
    suspended: Entry = {"suspend": True}
    edit(here, day=entry("day", **suspended), night=entry("night", **suspended))
    assert standing(here, "day", "night") == [("night", "Suspended", False)]


def test_a_suspended_model_has_not_arrived_where_something_else_is_wanted_of_it() -> None:
    """What was loaded stays, and is not what the document says any more."""
    here = world(day=4)
    edit(here, day=entry("day"))
    here.settle()
    wishes: list[tuple[str, Entry]] = [
        ("downloaded", {"suspend": True}),
        ("absent", {"suspend": True}),
        ("on-demand", {"suspend": True, "context": "8k"}),
        ("loaded", {"suspend": True, "context": "8k"}),
    ]
    for state, fields in wishes:
        edit(here, day=entry("day", state, **fields))
        assert standing(here, "day") == [("day", "Suspended", False)]
    edit(here, day=entry("day", "on-demand", suspend=True))
    assert standing(here, "day") == []


def test_a_suspended_model_that_is_at_rest_has_arrived() -> None:
    here = world(day=4)
    edit(here, day=entry("day", "downloaded"))
    here.settle()
    for state in ("downloaded", "on-demand"):
        edit(here, day=entry("day", state, suspend=True))
        assert standing(here, "day") == []
    edit(here, day=entry("day", "absent", suspend=True))
    assert standing(here, "day") == [("day", "Suspended", False)]


def test_an_engine_that_is_not_there_is_not_waited_for() -> None:
    here = world(day=4)
    edit(here, day=entry("day", engine="gguf"))
    assert standing(here, "day") == [("day", "UnsupportedField", False)]


def test_what_should_leave_has_arrived_when_its_memory_is_back() -> None:
    here = world(day=4, gone=4)
    edit(here, day=entry("day"), gone=entry("gone"))
    here.settle()
    edit(here, day=entry("day", "downloaded"))
    assert standing(here, "day", "gone") == [("day", "Draining", True), ("gone", "Draining", True)]
    here.settle()
    assert standing(here, "day", "gone") == []


def test_a_model_that_is_only_to_be_on_disk_has_arrived_when_it_is() -> None:
    here = world(day=4)
    edit(here, day=entry("day", "downloaded"))
    assert standing(here, "day") == [("day", "Transferring", True)]
    here.settle()
    assert standing(here, "day") == []
    edit(here, day=entry("day", "absent"))
    assert standing(here, "day") == [("day", "Transferring", True)]
    here.settle()
    assert standing(here, "day", "nobody") == []


def test_before_the_device_is_known_there_is_nothing_to_say_but_wait() -> None:
    here = world(day=4)
    here.probed = False
    edit(here, day=entry("day"))
    here.settle()
    assert standing(here, "day") == [("day", "ProbePending", True)]
