"""Windows around the present hour, with hours to spare on both sides: a whole daemon obeys them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.kit.daemon import condition, running, summary
from tests.kit.documents import instance, loaded, say, write


def window(begin_h: int, end_h: int) -> dict[str, Any]:
    """Open from so many hours after now to so many, each day; two is loaded and answers."""
    now = datetime.now(UTC)
    begin, end = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (begin_h, end_h))
    overlay = {
        "models": {"one": {"state": "on-demand"}, "two": {"state": "loaded"}},
        "aliases": {"auto": "two"},
    }
    return {"shift": {"when": [{"from": begin, "to": end}], "set": overlay}}


async def test_an_open_window_serves_its_models_and_a_closed_one_says_when_it_will(
    model, document: Path, tmp_path: Path
) -> None:
    """Moving the window away from now is its end: the name moves first, then the model goes."""
    models = {
        "one": loaded(model(says="abc")),
        "two": {**loaded(model(says="xyz")), "state": "downloaded"},
    }
    names = {"auto": "one"}
    write(document, models, names, timezone="UTC", schedules=window(-6, 6))
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        assert await say(daemon, "auto") == "xyz"
        status = await daemon.status()
        assert status["models"][1]["target"] == {"state": "loaded", "because": "schedule/shift"}
        assert condition(status, "Wanted", "two")["reason"] == "InWindow"
        epoch = status["epoch"]
        later = f"{datetime.now(UTC) + timedelta(hours=8):%Y-%m-%dT%H:%M:%SZ}"
        plan = await daemon.get(f"/lmxd/v1/plan?at={later}")
        assert "unload:two#" in " ".join(action["key"] for action in plan["actions"])
        assert (await daemon.get("/lmxd/v1/plan"))["next"]["closes"] == ["shift"]
        effective = await daemon.get(f"/lmxd/v1/effective?at={later}")
        assert (effective["windows"], effective["aliases"]) == ([], {"auto": ["one"]})

        write(document, models, names, timezone="UTC", schedules=window(6, 12))
        status = await daemon.until(
            lambda s: summary(s, "one") == "Ready" and instance(s, "two") is None, "it has closed"
        )
        assert status["epoch"] > epoch
        assert await say(daemon, "auto") == "abc"
        assert condition(status, "Ready", "two")["reason"] == "OutsideWindow"
        with pytest.raises(openai.InternalServerError) as caught:
            await say(daemon, "two")
        assert caught.value.status_code == 503
        body: Any = caught.value.body
        assert body["code"] == "outside_window"
        assert body["available_at"].endswith(":00Z")
        opens = datetime.fromisoformat(body["available_at"]) - datetime.now(UTC)
        assert timedelta(hours=5) < opens < timedelta(hours=7)


async def test_windows_that_contradict_each_other_change_nothing(
    model, document: Path, tmp_path: Path
) -> None:
    models = {"one": loaded(model(says="abc")), "two": loaded(model(says="xyz"))}
    write(document, models)
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        open_ = window(-6, 6)["shift"]
        other = {**open_, "set": {"aliases": {"auto": "one"}}}
        write(document, models, timezone="UTC", schedules={"shift": open_, "other": other})
        status = await daemon.until(
            lambda s: condition(s, "ConfigValid")["status"] == "False", "the edit was seen"
        )
        message = condition(status, "ConfigValid")["message"]
        assert "set aliases.auto to different values and are both open" in message
        assert await say(daemon, "one") == "abc"
