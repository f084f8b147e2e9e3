"""Leases are kept over restarts, end by the clock, and give way to what people write."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lmxd.desired.leases import LONGEST_S, MOST, Leases
from lmxd.statefolder import StateFolder
from reconciler.state import Accepted
from schemas.desired import DesiredState
from schemas.edit import MISSING, Change
from schemas.errors import Code, DocumentError, RequestError
from schemas.events import Event

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
HOUR = 3600.0
MODELS: dict[str, Any] = {
    "day": {"source": "hf:org/day", "state": "loaded"},
    "night": {"source": "hf:org/night"},
}
LOADED = {"models": {"night": {"state": "loaded"}}}


def accepted(generation: int = 1, **models: Any) -> Accepted:
    data = {"version": 1, "models": models or MODELS}
    return Accepted(generation, "sha", DesiredState.model_validate(data), data, NOW)


class Counter:
    """Leases over a state folder, a clock that is set by hand, and everything they tell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.at = NOW
        self.events: list[Event] = []
        self.told = asyncio.Event()
        self.pokes = 0
        self.leases = self.restarted()

    def restarted(self) -> Leases:
        with StateFolder(self.folder, now=lambda: self.at) as state:
            self.leases = Leases(state, now=lambda: self.at, emit=self._emit, changed=self._changed)
        return self.leases

    def _emit(self, event: Event) -> None:
        self.events.append(event)
        self.told.set()

    def _changed(self) -> None:
        self.pokes += 1

    async def lend(self, patch: Mapping[str, object], ttl_s: float = HOUR) -> str:
        made = await self.leases.add(patch, ttl_s, "night-bot", accepted())
        return made.id

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.leases.all()]

    @property
    def reasons(self) -> list[tuple[str, str]]:
        return [(event.reason, event.subject) for event in self.events]


@pytest.fixture
def desk(tmp_path: Path) -> Counter:
    return Counter(tmp_path / "state")


async def refusal(desk: Counter, patch: Mapping[str, object], ttl_s: float = HOUR) -> RequestError:
    with pytest.raises(RequestError) as caught:
        await desk.lend(patch, ttl_s)
    return caught.value


async def test_a_lease_is_shown_told_and_comes_back_after_a_restart(desk: Counter) -> None:
    made = await desk.leases.add(LOADED, 2 * HOUR, "night-bot", accepted())
    assert (made.manager, made.created_at, made.patch) == ("night-bot", NOW, LOADED)
    assert made.expires_at == NOW + timedelta(hours=2)
    assert desk.leases.all() == (made,)
    assert desk.pokes == 1
    (event,) = desk.events
    assert (event.kind, event.reason, event.subject) == ("Normal", "LeaseMade", f"lease/{made.id}")
    assert event.message == f"lease {made.id} of night-bot holds for 2h"
    assert event.data == {
        "manager": "night-bot",
        "expires_at": "2026-03-29T03:30:00Z",
        "paths": ["/models/night/state"],
    }
    assert desk.restarted().all() == (made,)


async def test_ids_are_short_and_never_alike(desk: Counter) -> None:
    for _ in range(20):
        await desk.lend(LOADED)
    assert len(set(desk.ids)) == 20
    assert all(len(each) == 8 and each.startswith("l-") for each in desk.ids)


async def test_one_that_ran_out_while_the_daemon_was_down_does_not_come_back(
    desk: Counter,
) -> None:
    first, second = await desk.lend(LOADED), await desk.lend(LOADED, 3 * HOUR)
    desk.at += timedelta(hours=1)
    leases = desk.restarted()
    assert desk.ids == [second]
    running = asyncio.create_task(leases.run())
    desk.told.clear()
    await asyncio.wait_for(desk.told.wait(), 20)
    running.cancel()
    assert desk.reasons[-1] == ("LeaseExpired", f"lease/{first}")
    desk.at = NOW
    desk.restarted()
    assert desk.ids == [second]


async def test_it_runs_out_by_the_wall_clock_while_somebody_watches(desk: Counter) -> None:
    running = asyncio.create_task(desk.leases.run())
    soon, late = await desk.lend(LOADED, 60), await desk.lend({"suspend": True})
    desk.told.clear()
    desk.at += timedelta(seconds=60)
    await desk.leases.extend(late, 600)  # whatever happens, it looks at the clock again
    await asyncio.wait_for(_until(desk, ("LeaseExpired", f"lease/{soon}")), 20)
    assert desk.ids == [late]
    running.cancel()


async def _until(desk: Counter, told: tuple[str, str]) -> None:
    while told not in desk.reasons:
        desk.told.clear()
        await desk.told.wait()


async def test_extending_moves_the_end_both_ways_and_keeps_its_place(desk: Counter) -> None:
    first, second = await desk.lend(LOADED), await desk.lend({"suspend": True})
    longer = await desk.leases.extend(first, 5 * HOUR)
    assert longer.expires_at == NOW + timedelta(hours=5)
    shorter = await desk.leases.extend(first, 60)
    assert shorter.expires_at == NOW + timedelta(minutes=1)
    assert desk.ids == [first, second]
    assert desk.restarted().all()[0] == shorter
    assert desk.reasons[-1] == ("LeaseExtended", f"lease/{first}")


async def test_ending_one_leaves_the_others(desk: Counter) -> None:
    first, second = await desk.lend(LOADED), await desk.lend({"suspend": True})
    await desk.leases.end(first)
    assert desk.ids == [second]
    assert desk.reasons[-1] == ("LeaseEnded", f"lease/{first}")
    desk.restarted()
    assert desk.ids == [second]


async def test_what_is_not_there_or_has_run_out_is_not_found(desk: Counter) -> None:
    made = await desk.lend(LOADED)
    desk.at += timedelta(hours=1)
    for call in (desk.leases.end("l-none"), desk.leases.extend(made, 60), desk.leases.end(made)):
        with pytest.raises(RequestError) as caught:
            await call
        assert caught.value.code is Code.NOT_FOUND


@pytest.mark.parametrize("ttl_s", [0, 0.5, -1, LONGEST_S + 1, float("inf"), float("nan")])
async def test_a_lease_holds_a_second_at_least_and_not_for_ever(
    desk: Counter, ttl_s: float
) -> None:
    assert (await refusal(desk, LOADED, ttl_s)).code is Code.INVALID_REQUEST
    made = await desk.lend(LOADED, LONGEST_S)
    with pytest.raises(RequestError):
        await desk.leases.extend(made, ttl_s)
    assert desk.ids == [made]


async def test_there_is_an_end_to_how_many_are_kept(desk: Counter) -> None:
    await desk.lend(LOADED)
    with StateFolder(desk.folder, now=lambda: NOW) as state:
        (one,) = (state.read("leases") or {})["leases"]
        state.write("leases", {"leases": [{**one, "id": f"l-{n}"} for n in range(MOST - 1)]})
    desk.restarted()
    await desk.lend(LOADED)
    error = await refusal(desk, LOADED)
    assert (error.code, str(MOST) in error.message) == (Code.VALIDATION_FAILED, True)


async def test_what_does_not_fit_the_document_and_the_leases_below_is_refused(
    desk: Counter,
) -> None:
    leans = {"aliases": {"x": "new"}}
    with pytest.raises(DocumentError) as caught:
        await desk.lend(leans)
    assert caught.value.problems[0].pointer == "/aliases/x"
    assert desk.ids == []
    await desk.lend({"models": {"new": {"source": "hf:org/new"}}})
    await desk.lend(leans)
    assert len(desk.ids) == 2


async def test_a_proposed_lease_is_judged_and_kept_nowhere(desk: Counter) -> None:
    found = desk.leases.proposed(LOADED, 60, "bot", accepted())
    assert (found.id, found.expires_at) == ("l-new", NOW + timedelta(minutes=1))
    with pytest.raises(DocumentError):
        desk.leases.proposed({"aliases": {"x": "nobody"}}, 60, "bot", accepted())
    assert (desk.ids, desk.events, desk.restarted().all()) == ([], [], ())


async def test_a_file_edit_on_a_leased_path_ends_the_lease(desk: Counter) -> None:
    hit, other = await desk.lend(LOADED), await desk.lend({"models": {"day": {"priority": 9}}})
    change = Change(("models", "night", "state"), MISSING, "on-demand")
    await desk.leases.edited([change], accepted(2))
    assert desk.ids == [other]
    assert desk.reasons[-1] == ("LeaseEnded", f"lease/{hit}")
    assert "the file was edited at /models/night/state" in desk.events[-1].message
    desk.restarted()
    assert desk.ids == [other]


@pytest.mark.parametrize(
    ("change", "ends"),
    [
        (Change(("models", "night"), {"source": "hf:o/n", "state": "absent"}, MISSING), True),
        (Change(("models", "night"), MISSING, {"source": "hf:o/n"}), False),
        (Change(("models", "night", "system"), "a", "b"), False),
        (Change(("models",), MODELS, dict(reversed(MODELS.items()))), False),
        (Change(("models", "night", "state"), "absent", MISSING), True),
    ],
)
async def test_what_counts_as_its_path(desk: Counter, change: Change, ends: bool) -> None:
    made = await desk.lend(LOADED)
    await desk.leases.edited([change], accepted(2))
    assert desk.ids == ([] if ends else [made])


async def test_one_that_does_not_fit_after_an_edit_is_void(desk: Counter) -> None:
    made = await desk.lend({"aliases": {"auto": "night"}})
    stays = await desk.lend({"suspend": True})
    await desk.leases.judge(accepted(2, day=MODELS["day"]))
    assert desk.ids == [stays]
    event = desk.events[-1]
    assert (event.kind, event.reason, event.subject) == ("Warning", "LeaseVoid", f"lease/{made}")
    assert 'there is no model "night"' in event.message
    assert f"lease {made} of night-bot" in event.message
    assert event.data["manager"] == "night-bot"
    desk.restarted()
    assert desk.ids == [stays]


async def test_one_that_leaned_on_an_ended_one_is_void(desk: Counter) -> None:
    await desk.leases.judge(accepted())
    below = await desk.lend({"models": {"new": {"source": "hf:org/new"}}})
    above = await desk.lend({"aliases": {"x": "new"}})
    await desk.leases.end(below)
    assert desk.ids == []
    assert desk.reasons[-2:] == [("LeaseVoid", f"lease/{above}"), ("LeaseEnded", f"lease/{below}")]


async def test_a_lease_is_judged_by_the_newest_document(desk: Counter) -> None:
    await desk.leases.judge(accepted(2, day=MODELS["day"]))
    with pytest.raises(DocumentError):
        await desk.lend(LOADED)  # whoever asks had looked before that edit


async def test_what_cannot_be_kept_does_not_hold(desk: Counter) -> None:
    made = await desk.lend(LOADED)
    file = desk.folder / "leases.json"
    file.unlink()
    file.mkdir()
    for call in (desk.lend({"suspend": True}), desk.leases.end(made), desk.leases.extend(made, 60)):
        with pytest.raises(OSError, match="directory"):
            await call
    assert desk.leases.all()[0].expires_at == NOW + timedelta(hours=1)
    assert desk.ids == [made]
    await desk.leases.edited([Change(("models", "night", "state"), "a", "b")], accepted(2))
    assert desk.ids == []


async def test_unreadable_leases_are_begun_anew(desk: Counter) -> None:
    await desk.lend(LOADED)
    with StateFolder(desk.folder, now=lambda: NOW) as state:
        state.write("leases", {"leases": [{"id": 7}]})
    assert desk.restarted().all() == ()
    (aside,) = desk.folder.glob("leases.json.bad-*")
    assert '"id": 7' in aside.read_text()
