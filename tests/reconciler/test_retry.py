"""What failed for good is tried again when somebody asks for it, and waits are told of passes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from reconciler.state import ModelKey
from schemas.errors import ActionError
from tests.reconciler.stage import BROKEN, edit, entry, world
from tests.reconciler.test_driver import staged

DAY = frozenset({ModelKey("day")})


def test_a_retry_forgets_what_failed_about_one_model() -> None:
    here = world(day=4, night=4)
    for repo in here.repos.values():
        repo.download_fault = BROKEN
    edit(here, day=entry("day"), night=entry("night"))
    failed = here.settle()
    assert set(failed.remembered.failures) == {"download:hf:org/day", "download:hf:org/night"}
    again = here.core.step(replace(here.seen(), retry=DAY))
    assert [action.key for action in again.start] == ["download:hf:org/day"]
    assert set(again.remembered.failures) == {"download:hf:org/night"}
    assert here.core.step(replace(here.seen(), retry=DAY)).start == ()


async def test_the_loop_carries_out_a_retry_and_tells_who_waits() -> None:
    download = "download:hf:org/a"
    async with staged(a=entry("a")) as stage:
        await stage.until(download)
        stage.endings[download].set_exception(ActionError("GatedRepo", "no", terminal=True))
        decision = await stage.loop.fresh()
        while not decision.remembered.failures:
            decision = await stage.loop.following()
        stage.begun.clear()
        stage.loop.retry(ModelKey("a"))
        await stage.until(download)
        assert not (await stage.loop.fresh()).remembered.failures


async def test_who_follows_passes_asks_for_none() -> None:
    async with staged() as stage:
        await stage.loop.fresh()
        follower = asyncio.create_task(stage.loop.following())
        await asyncio.sleep(0)
        before = stage.passes
        fresh = await stage.loop.fresh()
        assert await follower is fresh
        assert stage.passes == before + 1
