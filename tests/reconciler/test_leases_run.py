"""Leases in the fake world: what they load comes and goes by the clock alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from reconciler import explain, preview
from reconciler.state import Lease
from tests.reconciler.stage import edit, entry, world
from tests.reconciler.test_windows import because
from tests.reconciler.world import START, World
from tests.simulation.rest import at_rest
from tests.simulation.rules import Rules

HOUR = timedelta(hours=1)


def shop(memory: int = 16) -> World:
    here = world(memory=memory, day=6, night=6, other=6)
    edit(here, {"auto": "day"}, day=entry("day", drain="10m"), night=entry("night", "downloaded"))
    return here


def lend(here: World, patch: dict[str, object], hours: float = 1, name: str = "l-1") -> None:
    made = Lease(name, "bot", here.at, here.at + hours * HOUR, patch)
    here.config = replace(here.config, leases=(*here.config.leases, made))


SWAP: dict[str, object] = {
    "models": {"day": {"state": "downloaded"}, "night": {"state": "loaded"}},
    "aliases": {"auto": "night"},
}


def test_a_lease_switches_models_and_the_clock_alone_switches_them_back() -> None:
    here = shop(memory=10)
    before = here.settle()
    assert here.serving() == {"day"}
    lend(here, SWAP)
    lent = here.settle()
    at_rest(here, lent)
    assert (here.serving(), lent.routes.names["auto"]) == ({"night"}, ("night",))
    assert (because(lent, "night"), because(lent, "day")) == ("lease/l-1", "lease/l-1")
    assert lent.wake_at == START + HOUR
    assert lent.status.epoch == before.status.epoch + 1
    assert lent.status.generation == before.status.generation
    here.at = START + HOUR
    after = here.settle()
    assert (here.serving(), because(after, "night")) == ({"day"}, "document")
    assert after.status.epoch == before.status.epoch + 2
    here.config = replace(here.config, leases=())  # its owner takes note later
    assert here.settle().status.epoch == after.status.epoch


def test_an_instant_that_is_told_late_or_a_restart_changes_nothing() -> None:
    here = shop(memory=10)
    lend(here, SWAP)
    here.settle()
    assert here.serving() == {"night"}
    here.restart()
    here.watch = Rules()
    here.settle()
    assert here.serving() == {"night"}
    here.sleep(5 * 3600)
    here.restart()
    here.watch = Rules()
    here.settle()
    assert here.serving() == {"day"}


def test_a_leased_model_that_the_document_does_not_have_is_downloaded_and_loaded() -> None:
    here = shop(memory=32)
    here.settle()
    lend(here, {"models": {"new": entry("other")}})
    here.settle()
    assert here.serving() == {"day", "new"}
    here.at = START + HOUR
    done = here.settle()
    assert here.serving() == {"day"}
    assert done.status.model("new") is None


def test_another_source_for_a_time_is_served_and_given_back() -> None:
    here = shop(memory=32)
    here.settle()
    lend(here, {"models": {"day": {"source": "hf:org/other"}}})
    here.settle()
    (resident,) = here.pool.residents.values()
    assert resident.action.spec.artifact.source == "hf:org/other"
    here.at = START + HOUR
    here.settle()
    (resident,) = here.pool.residents.values()
    assert resident.action.spec.artifact.source == "hf:org/day"


def test_a_small_step_back_of_the_clock_does_not_bring_a_lease_back() -> None:
    here = shop(memory=10)
    lend(here, SWAP)
    here.settle()
    here.at = START + HOUR
    ended = here.settle()
    here.at -= timedelta(seconds=30)
    again = here.settle()
    assert again.status.epoch == ended.status.epoch
    assert here.serving() == {"day"}


def test_a_preview_beyond_its_end_is_without_it() -> None:
    here = shop(memory=10)
    lend(here, SWAP)
    picture = here.settle().picture
    data = explain.effective_data(picture)
    assert data["leases"] == [{"id": "l-1", "manager": "bot", "expires_at": _iso(here)}]
    later = explain.effective_data(preview.at_instant(picture, START + HOUR, ""))
    assert later["leases"] == []
    assert later["aliases"] == {"auto": ["day"]}


def test_who_leases_wins_memory_over_who_only_wrote_equal_priority() -> None:
    here = shop(memory=10)
    lend(here, {"models": {"night": {"state": "loaded"}}})
    here.settle()
    assert here.serving() == {"night"}


def _iso(here: World) -> str:
    return (here.config.leases[0].expires_at).strftime("%Y-%m-%dT%H:%M:%SZ")
