"""Who changes what lies under a window, a lease or a host is told so, and until when."""

from __future__ import annotations

from reconciler.shadows import Shadow, lease_shadowed, shadowed
from schemas.edit import MISSING, Change
from tests.reconciler.test_leases import (
    CLOSES,
    HOUR,
    MIDNIGHT,
    NOON,
    accepted,
    lease,
    of,
)

STATE = Change(("models", "day", "state"), "on-demand", "loaded")
BY_NIGHT = Shadow("/models/day/state", "schedule/night", CLOSES)


def test_an_open_window_lies_over_a_change_until_it_closes() -> None:
    assert shadowed([STATE], accepted(), MIDNIGHT) == (BY_NIGHT,)
    assert shadowed([STATE], accepted(), NOON) == ()
    assert shadowed([STATE], accepted(), CLOSES) == ()


def test_what_no_layer_sets_is_not_shadowed() -> None:
    elsewhere = [
        Change(("models", "day", "priority"), 1, 2),
        Change(("models", "night", "sampling", "top_p"), MISSING, 0.5),
        Change(("schedules", "night", "priority"), MISSING, 5),
        Change(("models",), {"a": {}, "b": {}}, {"b": {}, "a": {}}),
    ]
    assert shadowed(elsewhere, accepted(), MIDNIGHT, [lease({"suspend": True})]) == ()


def test_every_layer_is_named_the_topmost_first() -> None:
    first = lease(of("day", state="absent"), 20, "l-1")
    last = lease(of("day", state="loaded"), 15, "l-2")
    host = {"studio-*": {"set": {"models": {"day": {"state": "loaded"}}}}}
    found = shadowed([STATE], accepted(hosts=host), MIDNIGHT, (first, last), "studio-1")
    assert [(each.by, each.until) for each in found] == [
        ("lease/l-2", NOON + 15 * HOUR),
        ("lease/l-1", NOON + 20 * HOUR),
        ("schedule/night", CLOSES),
        ("host/studio-*", None),
    ]
    assert len(shadowed([STATE], accepted(hosts=host), MIDNIGHT, (first, last), "laptop")) == 3


def test_a_lease_that_ran_out_or_does_not_fit_lies_over_nothing() -> None:
    gone = lease(of("day", state="absent"), 1)
    void = lease({**of("day", state="absent"), "aliases": {"x": "nobody"}})
    assert shadowed([STATE], accepted(), NOON + HOUR, (gone, void)) == ()


def test_a_whole_model_is_told_leaf_by_leaf() -> None:
    model = {"source": "hf:org/day", "state": "loaded", "sampling": {"temperature": 1, "top_p": 1}}
    brought = Change(("models", "day"), MISSING, model)
    paths = [each.path for each in shadowed([brought], accepted(), MIDNIGHT)]
    assert paths == ["/models/day/state", "/models/day/sampling/temperature"]


def test_a_layer_over_a_part_of_a_value_lies_over_it_and_removals_count() -> None:
    route = {"route": "task", "light": "day", "heavy": "day"}
    names = [
        Change(("aliases", "auto"), "day", route),
        Change(("aliases", "late"), "night", MISSING),
    ]
    over = lease({"aliases": {"late": {"light": "day", "heavy": "day", "route": "task"}}})
    found = shadowed(names, accepted(), MIDNIGHT, (over,))
    # The alias as it was, and each of the parts it now has.
    assert [(each.path, each.by) for each in found] == [
        ("/aliases/auto", "schedule/night"),
        ("/aliases/auto/route", "schedule/night"),
        ("/aliases/auto/light", "schedule/night"),
        ("/aliases/auto/heavy", "schedule/night"),
        ("/aliases/late", "lease/l-1"),
    ]


def test_only_later_leases_lie_over_a_lease() -> None:
    below, asked, above = (
        lease(of("day", state=state), 20 + number, f"l-{number}")
        for number, state in enumerate(("loaded", "absent", "on-demand"))
    )
    every = (below, asked, above)
    over = Shadow("/models/day/state", "lease/l-2", NOON + 22 * HOUR)
    assert lease_shadowed(asked, accepted(), MIDNIGHT, every) == (over,)
    assert lease_shadowed(above, accepted(), MIDNIGHT, every) == ()
