"""Leases, history, held edits and restarts: what outlives a call, and what does not."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

from tests.kit.bot import Bot
from tests.kit.daemon import condition, running, summary
from tests.kit.documents import loaded, say, write

LOAD = {"models": {"one": {"state": "loaded"}}}


def resting(folder: Path) -> dict[str, object]:
    return {**loaded(folder), "state": "downloaded"}


async def test_a_lease_holds_for_its_time_and_the_file_is_not_touched(
    model, document: Path, tmp_path: Path
) -> None:
    write(document, {"one": resting(model(says="abc"))})
    before = document.read_bytes()
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon, "night-bot")
        await daemon.ready()
        lent = await bot.patch(LOAD, lmxd_lease="1h", prefer="wait=60")
        body = lent.json()
        assert (lent.status_code, body["converged"]) == (200, True)
        assert await say(daemon, "one") == "abc"
        (lease,) = (await bot.get("leases"))["leases"]
        assert (lease["id"], lease["manager"], lease["patch"]) == (body["id"], "night-bot", LOAD)
        assert (await bot.get("desired"))["models"]["one"]["state"] == "downloaded"
        assert document.read_bytes() == before
        shadowed = await bot.patch({"models": {"one": {"state": "absent"}}})
        assert shadowed.json()["shadowed"] == [
            {
                "path": "/models/one/state",
                "by": f"lease/{lease['id']}",
                "until": lease["expires_at"],
            }
        ]
        assert any("has no effect while lease/" in line for line in shadowed.json()["warnings"])
        short = await bot.send("PATCH", f"leases/{lease['id']}", {"ttl": "1s"})
        assert short.status_code == 200
        await daemon.until(lambda s: summary(s, "one") == "Absent", "the file holds again")
        assert (await bot.get("leases"))["leases"] == []


async def test_a_lease_outlives_a_restart_and_ends_by_hand(
    model, document: Path, tmp_path: Path
) -> None:
    write(document, {"one": resting(model(says="abc"))})
    async with running(document, tmp_path) as daemon:
        lent = await Bot(daemon).patch(LOAD, lmxd_lease="1h")
        await daemon.kill()
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        await daemon.until(lambda s: summary(s, "one") == "Ready", "the lease holds")
        lease = lent.json()["id"]
        ended = await bot.send("DELETE", f"leases/{lease}", content_type="", prefer="wait=60")
        assert (ended.status_code, ended.json()["id"]) == (200, lease)
        assert summary(await daemon.status(), "one") == "Downloaded"
        assert (await bot.send("DELETE", f"leases/{lease}")).status_code == 404


async def test_a_lease_that_would_not_be_valid_is_refused(
    model, document: Path, tmp_path: Path
) -> None:
    write(document, {"one": resting(model(says="abc"))})
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        wrong = await bot.patch({"models": {"one": {"state": "loded"}}}, lmxd_lease="1h")
        assert wrong.status_code == 422
        assert wrong.json()["problems"][0]["pointer"] == "/models/one/state"
        rehearsed = await bot.patch(LOAD, "?dry_run=true", lmxd_lease="1h")
        assert (rehearsed.status_code, rehearsed.json()["dry_run"]) == (200, True)
        assert (await bot.get("leases"))["leases"] == []


async def test_what_is_protected_is_not_leased_either(
    model, document: Path, tmp_path: Path
) -> None:
    write(document, {"one": {**resting(model(says="abc")), "protect": True}})
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon, "night-bot")
        for state in ("loaded", "downloaded"):  # also to keep it as it is
            refused = await bot.patch({"models": {"one": {"state": state}}}, lmxd_lease="1h")
            assert (refused.status_code, refused.json()["code"]) == (409, "field_conflict")
            (conflict,) = refused.json()["conflicts"]
            assert (conflict["path"], conflict["protected"]) == ("/models/one/state", True)
        forced = await bot.patch(LOAD, "?force=true", lmxd_lease="1h")
        assert forced.status_code == 200


async def test_the_way_back_is_a_new_generation(model, document: Path, tmp_path: Path) -> None:
    write(document, {"one": resting(model(says="abc"))})
    first = document.read_bytes()
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon, "night-bot")
        await bot.patch(LOAD, prefer="wait=60")
        back = await bot.send("POST", "generations/1/rollback", prefer="wait=60")
        assert (back.status_code, back.json()["generation"]) == (200, 3)
        assert back.json()["converged"] is True
        assert document.read_bytes() == first
        assert summary(await daemon.status(), "one") == "Downloaded"
        newest = (await bot.get("generations?limit=1"))["generations"]
        assert [(g["generation"], g["author"]) for g in newest] == [(3, "rollback")]
        assert (await bot.send("POST", "generations/77/rollback")).status_code == 404


async def test_a_file_in_which_much_vanishes_waits_for_a_word(
    model, document: Path, tmp_path: Path
) -> None:
    models = {key: resting(model(says="abc")) for key in ("one", "two", "three")}
    write(document, models)
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        await daemon.ready()
        write(document, {"one": models["one"]})
        status = await daemon.until(
            lambda s: condition(s, "ConfigCurrent")["status"] == "False", "the edit is held"
        )
        assert status["generation"] == 1
        held = await bot.patch(LOAD)
        assert (held.status_code, held.json()["code"]) == (409, "document_held")
        wrong = await bot.send("POST", "desired/confirm", {"sha256": "ab"})
        assert wrong.status_code == 412
        digest = held.json()["sha256"]
        done = await bot.send("POST", "desired/confirm", {"sha256": digest})
        assert (done.status_code, done.json()["generation"]) == (200, 2)
        assert [model["key"] for model in (await daemon.status())["models"]] == ["one"]


async def test_a_key_is_remembered_over_a_restart(model, document: Path, tmp_path: Path) -> None:
    """The daemon dies after the change: the same call with the same key changes nothing more."""
    write(document, {"one": resting(model(says="abc"))})
    patch = {"models": {"one": {"priority": 70}}}
    async with running(document, tmp_path) as daemon:
        first = await Bot(daemon, "night-bot").patch(patch, idempotency_key="k-1")
        assert first.status_code == 200
        await daemon.kill()
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon, "night-bot")
        lower = await Bot(daemon).patch({"models": {"one": {"priority": 10}}}, "?force=true")
        assert lower.json()["generation"] == 3
        again = await bot.patch(patch, idempotency_key="k-1")
        assert again.headers["idempotency-replayed"] == "true"
        assert again.json() == first.json()
        assert (await bot.get("desired"))["models"]["one"]["priority"] == 10


async def test_a_daemon_that_stops_answers_those_who_wait(document: Path, tmp_path: Path) -> None:
    """What they wait for cannot come: the hub is not there, and is asked again and again."""
    write(document, {})
    nobody = {"HF_ENDPOINT": "http://127.0.0.1:9"}
    async with running(document, tmp_path, env=nobody) as daemon:
        await daemon.ready()
        missing = {"models": {"two": {"source": "hf:org/none", "state": "loaded"}}}
        waiting = asyncio.create_task(Bot(daemon).patch(missing, prefer="wait=600"))
        await daemon.until(lambda s: summary(s, "two") == "Failed", "the hub does not answer")
        assert not waiting.done()
        daemon.process.send_signal(signal.SIGTERM)
        answer = await waiting
        assert answer.status_code == 202
        assert answer.json()["unsettled"][0]["reason"] == "HubUnreachable"
        assert await daemon.stop() == 0
