"""A generation of which the daemon dies again and again is left; one that has lived is trusted."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmxd.desired.probation import LIFE_S
from schemas.errors import Code, RequestError, StartupError
from tests.kit.desk import ONE, TWO, Desk, opened, patch


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    """Generation 1 is confirmed, generation 2 is new."""
    desk = await opened(tmp_path)
    await lives(desk)
    await desk.save(TWO)
    return desk


async def lives(desk: Desk, seconds: float = LIFE_S) -> None:
    desk.monotonic += seconds
    await desk.file.tend()


async def dies(desk: Desk, times: int) -> None:
    for _ in range(times):
        await desk.died()


async def test_a_generation_is_confirmed_after_ten_minutes_of_life(tmp_path: Path) -> None:
    desk = await opened(tmp_path)
    await lives(desk, LIFE_S - 1)
    assert not desk.kept[0].confirmed
    await lives(desk, 1)
    assert desk.kept[0].confirmed
    await desk.save(TWO)
    await lives(desk, LIFE_S - 1)
    assert [each.confirmed for each in desk.kept] == [False, True]
    await desk.restarted()
    await lives(desk, LIFE_S - 1)
    assert not desk.kept[0].confirmed
    await lives(desk, 1)
    assert desk.kept[0].confirmed


async def test_three_deaths_bring_the_last_confirmed_generation_back(desk: Desk) -> None:
    await dies(desk, 2)
    assert (desk.models, desk.generation) == (["one", "two"], 2)
    await dies(desk, 1)
    view = desk.file.view()
    assert (desk.models, desk.generation, desk.text) == (["one"], 3, TWO)
    assert view.held is not None
    assert (view.valid, view.current, view.held.reason) == (True, False, "RolledBackAfterCrash")
    assert "generation 2" in view.held.message
    assert "generation 3 runs" in view.held.message
    assert f"lmxd apply --confirm {view.held.sha256}" in view.held.message
    newest, blamed, _ = desk.kept
    assert (newest.author, newest.raw, newest.base, newest.confirmed) == (
        "rollback",
        ONE.encode(),
        2,
        True,
    )
    assert "generation 2" in newest.note
    assert "generation 1" in newest.note
    assert blamed.crashed
    assert [each.outcome for each in await desk.file.history()] == [
        "current",
        "crashed",
        "superseded",
    ]


async def test_a_clean_stop_is_no_death(desk: Desk) -> None:
    for _ in range(2):
        await desk.died()
        await desk.restarted()
    assert (desk.generation, desk.models) == (2, ["one", "two"])
    await desk.died()
    assert (desk.generation, desk.models) == (3, ["one"])


async def test_deaths_of_a_confirmed_generation_do_not_count(desk: Desk) -> None:
    await lives(desk)
    await dies(desk, 5)
    assert (desk.generation, desk.file.held) == (2, None)


async def test_deaths_of_one_generation_are_not_counted_for_the_next(desk: Desk) -> None:
    await dies(desk, 2)
    await desk.save(TWO + "timezone: UTC\n")
    await dies(desk, 2)
    assert desk.generation == 3
    await dies(desk, 1)
    assert (desk.generation, desk.models) == (4, ["one"])


async def test_the_first_generation_has_nothing_to_go_back_to(tmp_path: Path) -> None:
    desk = await opened(tmp_path)
    await dies(desk, 5)
    view = desk.file.view()
    assert (desk.generation, view.current, view.held) == (1, True, None)


async def test_it_stays_left_however_often_the_daemon_starts(desk: Desk) -> None:
    await dies(desk, 3)
    await desk.restarted()
    await dies(desk, 4)
    assert (desk.generation, desk.models, desk.history.newest()) == (3, ["one"], 3)
    assert desk.file.held is not None


async def test_another_text_in_the_file_ends_it(desk: Desk) -> None:
    await dies(desk, 3)
    await desk.save(TWO + "timezone: UTC\n")
    view = desk.file.view()
    assert (view.held, view.current, desk.generation) == (None, True, 4)
    await desk.save(TWO)
    assert (desk.generation, desk.file.held) == (5, None)
    await dies(desk, 3)
    assert (desk.generation, desk.models) == (6, ["one"])


async def test_the_text_that_runs_ends_it_too(desk: Desk) -> None:
    await dies(desk, 3)
    await desk.save("# back\n" + ONE)
    view = desk.file.view()
    assert (view.held, view.current, desk.generation) == (None, True, 3)
    await desk.restarted()
    assert desk.file.held is None


async def test_it_can_be_tried_again(desk: Desk) -> None:
    await dies(desk, 3)
    held = desk.file.held
    assert held is not None
    await desk.file.confirm(held.sha256)
    assert (desk.generation, desk.models, desk.file.held) == (4, ["one", "two"], None)
    await dies(desk, 2)
    assert desk.generation == 4
    await dies(desk, 1)
    assert (desk.generation, desk.models) == (5, ["one"])


async def test_edits_wait_until_somebody_has_decided(desk: Desk) -> None:
    await dies(desk, 3)
    with pytest.raises(RequestError) as caught:
        await desk.file.commit(patch(context="4k"))
    assert caught.value.code == Code.DOCUMENT_HELD
    assert caught.value.details["reason"] == "RolledBackAfterCrash"
    assert desk.text == TWO


async def test_a_rollback_puts_what_runs_into_the_file(desk: Desk) -> None:
    await dies(desk, 3)
    draft = await desk.file.rollback(1)
    view = desk.file.view()
    assert (desk.text, view.current, view.held) == (ONE, True, None)
    assert draft.changed
    await desk.restarted()
    assert (desk.models, desk.file.held) == (["one"], None)


async def test_an_edit_over_http_is_on_probation_too(tmp_path: Path) -> None:
    desk = await opened(tmp_path)
    await lives(desk)
    draft = await desk.file.commit(patch(context="4k"))
    await desk.quiet()
    await dies(desk, 3)
    assert (desk.generation, desk.path.read_bytes()) == (3, draft.raw)
    assert desk.file.raw == ONE.encode()


async def test_a_counter_of_a_newer_lmxd_stops_the_start(desk: Desk) -> None:
    await desk.file.close()
    desk.state.write("probation", {}, version=2)
    with pytest.raises(StartupError, match="version 2"):
        await desk.started()


async def test_a_counter_that_cannot_be_read_begins_anew(desk: Desk) -> None:
    await dies(desk, 2)
    (desk.state.path / "probation.json").write_text("{")
    await dies(desk, 1)
    assert (desk.generation, len(desk.state.notices)) == (2, 1)
