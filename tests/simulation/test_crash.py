"""The same end whatever came before: crashes at every place, crash after crash, there and back."""

from __future__ import annotations

import random

import pytest

from tests.reconciler.stage import edit, entry, world
from tests.reconciler.world import World
from tests.simulation.crash import Switch, compare, dies_anywhere, end, walk
from tests.simulation.documents import document, quiet
from tests.simulation.oracles import Oracles
from tests.simulation.rest import at_rest
from tests.simulation.scene import exact

SWITCHES = 12
SEEDS = 2000
PORTION = 200


@pytest.mark.parametrize("seed", range(SWITCHES))
def test_a_crash_at_any_place_of_a_switch_ends_where_no_crash_does(seed: int) -> None:
    switch = Switch(seed)
    reference, length = switch.reference()
    for place in range(length):
        compare(reference, switch.crashed(place), f"seed={seed} place={place}")


@pytest.mark.parametrize("first", range(SWITCHES, SEEDS, PORTION))
def test_a_crash_at_some_place_of_many_switches_does_so_too(first: int) -> None:
    for seed in range(first, first + PORTION):
        dies_anywhere(seed)


@pytest.mark.parametrize("seed", range(SWITCHES))
def test_crash_after_crash_between_deciding_and_acting_ends_there_too(seed: int) -> None:
    switch = Switch(seed)
    reference, _ = switch.reference()
    here = switch.begin()
    for seam in [*range(5)] * 4:
        here.stop_at(seam)
        here.restart()
        here.watch = Oracles()
        for _, _ in zip(range(seam + 5), walk(here), strict=False):
            pass
    at_rest(here, here.settle())
    assert end(here) == end(reference)


@pytest.mark.parametrize("seed", range(20))
def test_there_and_back_is_where_it_began_also_past_an_invalid_file(seed: int) -> None:
    """5, 25: and the invalid file itself begins nothing."""
    rng = random.Random(seed)
    scene = exact(rng)
    home, away = scene.document, quiet(document(rng, None))
    here = scene.world()
    here.watch = Oracles()
    here.edit(home)
    here.settle()
    expected, _ = end(here)
    here.edit(away)
    for _, _ in zip(range(rng.randint(0, 60)), walk(here), strict=False):
        pass
    here.edit(home)
    here.settle()
    assert end(here)[0] == expected
    started = len(here.history)
    here.spoil()
    here.settle()
    here.mend()
    here.settle()
    assert end(here)[0] == expected
    assert len(here.history) == started


def test_a_model_that_is_wanted_most_is_served_within_its_load_and_one_drain() -> None:
    here = world(one=11, two=11)
    edit(here, a=entry("one", drain="1m"))
    here.settle()
    here.request("a")
    edit(here, a=entry("one", drain="1m"), b=entry("two", priority=99))
    begun = here.lived
    for _ in range(80):
        here.step()
        for key in [key for key, effect in here.running.items() if not effect.begun]:
            here.begin(key)
        ready = [key for key in here.running if here.can_end(key)]
        if ready:
            here.end(ready[0])
        elif "b" not in serving(here):
            here.sleep(1)
    assert "b" in serving(here)
    assert here.lived - begun <= 61


def serving(here: World) -> set[str]:
    return {str(key) for key in here.serving()}
