"""Health and readiness, under all the names that probes use."""

from __future__ import annotations

import pytest

from lmxd.http.guard import HEALTH_PATHS
from lmxd.http.health import LIVE_PATHS, READY_PATHS
from tests.kit.http_stage import stage


def test_all_health_paths_are_exempt_from_the_host_check() -> None:
    assert {*LIVE_PATHS, *READY_PATHS} == HEALTH_PATHS


@pytest.mark.parametrize("path", LIVE_PATHS)
async def test_health_is_about_progress_only(path: str) -> None:
    async with stage() as on:
        on.health.reason = "day-coder is loading"
        fine = await on.get(path)
        on.health.alive = False
        stuck = await on.get(path)
    assert (fine.status_code, fine.json()) == (200, {"status": "ok"})
    assert stuck.status_code == 503
    assert int(stuck.headers["retry-after"]) <= 60


@pytest.mark.parametrize("path", READY_PATHS)
async def test_ready_says_what_is_missing(path: str) -> None:
    async with stage() as on:
        fine = await on.get(path)
        on.health.reason = "day-coder is loading"
        waiting = await on.get(path)
    assert fine.status_code == 200
    assert waiting.status_code == 503
    assert waiting.json() == {"status": "not ready", "reason": "day-coder is loading"}
    assert int(waiting.headers["retry-after"]) <= 60
