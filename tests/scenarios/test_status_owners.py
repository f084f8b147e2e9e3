"""Who set what, and what was told of it: one bot, one edit and one lease on a real daemon."""

from __future__ import annotations

import re
from pathlib import Path

from tests.kit.bot import Bot
from tests.kit.daemon import condition, running
from tests.kit.documents import loaded, write


async def test_the_status_names_managers_and_events_tell_of_their_changes(
    model, document: Path, tmp_path: Path
) -> None:
    write(document, {"one": {**loaded(model(says="abc")), "state": "downloaded"}})
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon, "night-bot")
        await daemon.ready()
        place = (await bot.get("events"))["lastId"]
        await bot.patch({"models": {"one": {"priority": 70, "context": "1k"}}})
        await bot.patch({"models": {"one": {"state": "loaded"}}}, lmxd_lease="1h")
        status = await daemon.until(lambda s: s["leases"] == 1, "the lease is there")
        managers = status["models"][0]["managers"]
        assert {path: owner["by"] for path, owner in managers.items()} == {
            "/priority": "night-bot",
            "/context": "night-bot",
            "/state": "night-bot",
        }
        assert managers["/priority"]["generation"] == 2
        assert managers["/state"]["lease"]
        assert status["tzdata"]
        for kind in ("ApiWritable", "ClockSane"):
            assert condition(status, kind)["status"] == "True", kind
        told = (await bot.get(f"events?after={place}"))["events"]
        reasons = [event["reason"] for event in told]
        assert reasons.count("GenerationAccepted") == 1
        assert "EpochChanged" in reasons
        edited = re.sub(r'("?priority"?: )70', r"\g<1>60", document.read_text())
        document.write_text(edited)
        status = await daemon.until(lambda s: s["generation"] == 3, "the file was edited")
        assert "/priority" not in status["models"][0]["managers"]
