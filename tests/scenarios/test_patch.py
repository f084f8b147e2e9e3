"""Bots change the document over HTTP while people edit the file; the machine follows both."""

from __future__ import annotations

import asyncio
import itertools
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.kit.bot import Bot
from tests.kit.daemon import condition, running, summary
from tests.kit.documents import instance, loaded, say, workers, write
from tests.kit.hub import Hub

LOAD = {"models": {"one": {"state": "loaded"}}}


def handwritten(path: Path, folder: Path, state: str = "downloaded") -> bytes:
    """A document as people write it, with comments and an alignment of their own."""
    text = (
        "# what this machine serves\n"
        "version: 1\n\n"
        "models:\n"
        "    one:                 # the first\n"
        f"        source:   file:{folder}\n"
        f"        state:    {state}      # night-bot moves this\n"
        "        context:  256\n"
        "# the end\n"
    )
    path.write_text(text)
    return text.encode()


async def test_a_patch_loads_a_model_and_its_answer_says_so(
    model, document: Path, tmp_path: Path
) -> None:
    """One changed word in the file; the call comes back when the model answers."""
    before = handwritten(document, model(says="abc"))
    document.chmod(0o640)
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon, "night-bot")
        await daemon.ready()
        answer = await bot.patch(LOAD, prefer="wait=60", lmxd_note="the night begins")
        body = answer.json()
        assert answer.status_code == 200, answer.text
        assert (body["converged"], body["unsettled"]) == (True, [])
        assert (body["generation"], body["changed"], body["warnings"]) == (2, True, [])
        assert body["changes"] == [
            {
                "op": "replace",
                "path": "/models/one/state",
                "before": "downloaded",
                "after": "loaded",
            }
        ]
        assert [action["kind"] for action in body["plan"]["actions"]] == ["load", "promote"]
        assert answer.headers["etag"] == await bot.etag()
        assert await say(daemon, "one") == "abc"
        after = before.replace(b"downloaded      #", b"loaded      #")
        assert document.read_bytes() == after
        assert stat.S_IMODE(document.stat().st_mode) == 0o640
        (newest, first) = (await bot.get("generations"))["generations"]
        assert (newest["author"], newest["note"]) == ("night-bot", "the night begins")
        assert (first["author"], first["outcome"]) == ("file", "converged")
        assert "-        state:    downloaded" in (await bot.get("generations/2"))["diff"]


async def test_who_asks_for_what_was_asked_for_already_waits_for_it_too(
    model, document: Path, tmp_path: Path
) -> None:
    """Nothing changes by the later calls, and what they name is not there yet."""
    handwritten(document, model(says="abc"))
    operation = {"op": "replace", "path": "/models/one/state", "value": "loaded"}
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        await daemon.ready()
        assert (await bot.patch(LOAD)).json()["changed"] is True
        hurried = (await bot.patch(LOAD, prefer="wait=0")).json()
        assert (hurried["changed"], hurried["converged"]) == (False, False)
        assert [each["model"] for each in hurried["unsettled"]] == ["one"]
        again = (await bot.patch([operation], prefer="wait=60")).json()
        assert (again["changed"], again["converged"]) == (False, True)
        assert summary(await daemon.status(), "one") == "Ready"


async def test_a_rehearsal_changes_nothing(model, document: Path, tmp_path: Path) -> None:
    before = handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        await daemon.ready()
        was, inode = await bot.etag(), document.stat().st_ino
        answer = await bot.patch(LOAD, "?dry_run=true", prefer="wait=60")
        planned = await bot.send("POST", "plan", {"patch": LOAD})
        assert answer.status_code == planned.status_code == 200
        assert answer.json()["generation"] == planned.json()["generation"] == 2
        assert answer.json()["dry_run"] is True
        assert answer.json()["plan"]["actions"] == planned.json()["plan"]["actions"] != []
        assert (document.read_bytes(), document.stat().st_ino) == (before, inode)
        assert await bot.etag() == was
        assert (await daemon.status())["generation"] == 1
        assert len((await bot.get("generations"))["generations"]) == 1


async def test_of_two_who_saw_the_same_document_one_may_change_it(
    model, document: Path, tmp_path: Path
) -> None:
    handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        bots = [Bot(daemon, f"bot-{number}") for number in range(6)]
        seen = await bots[0].etag()
        answers = await asyncio.gather(
            *(
                bot.patch({"models": {"one": {"priority": 60 + number}}}, if_match=seen)
                for number, bot in enumerate(bots)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [200, *[412] * 5]
        lost = next(answer.json() for answer in answers if answer.status_code == 412)
        assert (lost["code"], lost["generation"]) == ("precondition_failed", 2)
        assert f'"{lost["current_etag"]}"' == await bots[0].etag() != seen
        assert lost["changed_paths"] == lost["overlaps"] == ["/models/one/priority"]


async def test_a_human_save_in_between_is_kept(model, document: Path, tmp_path: Path) -> None:
    """Saved and not taken in yet: the edit is made on what the file says."""
    before = handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        await daemon.ready()
        document.write_bytes(before.replace(b"256", b"512").replace(b"the end", b"my end"))
        answer = await bot.patch(LOAD, prefer="wait=60")
        assert answer.status_code == 200
        assert answer.json()["generation"] == 3
        text = document.read_text()
        assert "512" in text
        assert "# my end" in text
        assert "state:    loaded      # night-bot moves this" in text
        authors = [g["author"] for g in (await bot.get("generations"))["generations"]]
        assert authors == ["anonymous", "file", "file"]


async def test_an_edit_over_a_broken_file_is_refused(model, document: Path, tmp_path: Path) -> None:
    handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        await daemon.ready()
        document.write_bytes(b"version: 1\nmodels: [")
        answer = await bot.patch(LOAD)
        assert (answer.status_code, answer.json()["code"]) == (409, "document_invalid")
        assert document.read_bytes() == b"version: 1\nmodels: ["


async def test_what_would_not_be_valid_is_shown_where_it_would_stand(
    model, document: Path, tmp_path: Path
) -> None:
    before = handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        answer = await Bot(daemon).patch({"models": {"one": {"state": "loded"}}})
        assert answer.status_code == 422
        (problem,) = answer.json()["problems"]
        assert (problem["pointer"], problem["line"]) == ("/models/one/state", 7)
        assert problem["hint"] == 'did you mean "loaded"?'
        assert document.read_bytes() == before


async def test_one_bot_does_not_undo_another(model, document: Path, tmp_path: Path) -> None:
    handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        night, day = Bot(daemon, "night-bot"), Bot(daemon, "day-bot")
        assert (await night.patch({"models": {"one": {"priority": 70}}})).status_code == 200
        lower = {"models": {"one": {"priority": 10}}}
        refused = await day.patch(lower)
        assert (refused.status_code, refused.json()["code"]) == (409, "field_conflict")
        (conflict,) = refused.json()["conflicts"]
        assert (conflict["path"], conflict["manager"]) == ("/models/one/priority", "night-bot")
        assert (conflict["yours"], conflict["current"]) == (10, 70)
        assert (await day.patch(lower, if_match=await day.etag())).status_code == 200
        assert (await night.patch({"models": {"one": {"priority": 70}}})).status_code == 409
        assert (
            await night.patch({"models": {"one": {"priority": 70}}}, "?force=true")
        ).status_code == 200


async def test_a_plan_that_does_not_hold_any_more_is_not_carried_out(
    model, document: Path, tmp_path: Path
) -> None:
    handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        await daemon.ready()
        plan = (await bot.send("POST", "plan", {"patch": LOAD})).json()
        same = (await bot.send("POST", "plan", {"patch": LOAD})).json()
        assert plan["plan_id"] == same["plan_id"]
        other = await bot.patch({"models": {"one": {"priority": 60}}})
        assert other.status_code == 200
        stale = await bot.patch(LOAD, lmxd_plan=plan["plan_id"])
        assert (stale.status_code, stale.json()["code"]) == (409, "plan_stale")
        again = (await bot.send("POST", "plan", {"patch": LOAD})).json()
        taken = await bot.patch(LOAD, lmxd_plan=again["plan_id"], prefer="wait=60")
        assert (taken.status_code, taken.json()["converged"]) == (200, True)
        assert await say(daemon, "one") == "abc"


async def test_what_does_not_fit_is_said_before_and_after(
    model, document: Path, tmp_path: Path
) -> None:
    models = {"one": loaded(model(says="abc", mib=60)), "two": loaded(model(says="xyz", mib=60))}
    models["two"]["state"] = "downloaded"
    write(document, models, limits={"memory": "300MiB"})
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        await daemon.ready()
        answer = await bot.patch({"models": {"two": {"state": "loaded"}}}, prefer="wait=60")
        body = answer.json()
        assert (answer.status_code, body["converged"]) == (200, False)
        assert [gap["model"] for gap in body["unsettled"]] == ["two"]
        (warning,) = body["warnings"]
        assert warning.startswith("two is not admitted after this: needs ")
        assert summary(await daemon.status(), "one") == "Ready"


async def test_pinned_models_that_never_fit_together_are_refused(
    model, document: Path, tmp_path: Path
) -> None:
    """Whether written, rehearsed or planned; what is wrong already stands in nobody's way."""
    one, two = (loaded(model(says=says, mib=60), pinned=True) for says in ("abc", "xyz"))
    write(document, {"one": one, "two": {**two, "pinned": False}}, limits={"memory": "300MiB"})
    pin = {"models": {"two": {"pinned": True}}}
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        await daemon.until(lambda s: summary(s, "one") == "Ready", "one is ready")
        before = document.read_bytes()
        for answer in (
            await bot.patch(pin),
            await bot.patch(pin, "?force=true"),
            await bot.patch(pin, "?dry_run=true"),
            await bot.send("POST", "plan", {"patch": pin}),
        ):
            assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed")
            (problem,) = answer.json()["problems"]
            assert "of 300 MiB together" in problem["message"]
        assert document.read_bytes() == before
        write(document, {"one": one, "two": two}, limits={"memory": "300MiB"})
        await daemon.until(
            lambda s: condition(s, "ConfigValid")["reason"] == "PinnedOverfull", "it is told"
        )
        assert (await bot.patch({"models": {"one": {"priority": 60}}})).status_code == 200


async def test_a_night_that_will_not_fit_is_said_when_it_is_planned(
    model, document: Path, tmp_path: Path
) -> None:
    """Both fit one by one; the window of the coming night wants both."""
    models = {"one": loaded(model(says="abc", mib=60)), "two": loaded(model(says="xyz", mib=60))}
    models["two"]["state"] = "downloaded"
    write(document, models, limits={"memory": "300MiB"}, timezone="UTC")
    start = (datetime.now(UTC) + timedelta(hours=6)).strftime("%H:00")
    end = (datetime.now(UTC) + timedelta(hours=9)).strftime("%H:00")
    window = {
        "when": [{"from": start, "to": end}],
        "set": {"models": {"two": {"state": "loaded"}}},
    }
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        await daemon.ready()
        answer = await bot.patch({"schedules": {"night": window}})
        assert answer.status_code == 200, answer.text
        text = " ".join(answer.json()["warnings"])
        assert "nothing that holds at this instant changes" in text
        assert "of 300 MiB; one loses" in text
        spans = (await bot.get("timeline?hours=12"))["spans"]
        # Sizes are looked up anew at each turn, so there may be two spans without a window.
        assert [w for w, _ in itertools.groupby(s["windows"] for s in spans)] == [[], ["night"], []]
        (night,) = (span for span in spans if span["windows"])
        assert [loser["model"] for loser in night["losers"]] == ["one"]


async def test_a_json_patch_tests_first(model, document: Path, tmp_path: Path) -> None:
    before = handwritten(document, model(says="abc"))
    kind = "application/json-patch+json"
    replace = {"op": "replace", "path": "/models/one/priority", "value": 70}
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        wrong = [{"op": "test", "path": "/models/one/context", "value": 512}, replace]
        refused = await bot.patch(wrong, content_type=kind)
        missing = await bot.patch([replace], content_type=kind)
        assert (refused.status_code, refused.json()["pointer"]) == (409, "/models/one/context")
        assert missing.status_code in (400, 409, 422)
        assert document.read_bytes() == before
        right = [{"op": "test", "path": "/models/one/context", "value": 256}]
        add = {"op": "add", "path": "/models/one/priority", "value": 70}
        assert (await bot.patch([*right, add], content_type=kind)).status_code == 200
        assert (await bot.get("desired"))["models"]["one"]["priority"] == 70


async def test_a_file_that_cannot_be_written_can_still_be_leased(
    model, document: Path, tmp_path: Path
) -> None:
    """Another daemon writes this document, so ours may only read it."""
    handwritten(document, model(says="abc"))
    async with running(document, tmp_path / "first"), running(document, tmp_path) as daemon:
        refused = await Bot(daemon).patch(LOAD)
        assert (refused.status_code, refused.json()["code"]) == (409, "file_not_writable")
        assert condition(await daemon.status(), "ApiWritable")["status"] == "False"
        lent = await Bot(daemon).patch(LOAD, lmxd_lease="1h", prefer="wait=60")
        assert (lent.status_code, lent.json()["converged"]) == (200, True)
        assert await say(daemon, "one") == "abc"


async def test_a_whole_document_is_put_and_read_back(model, document: Path, tmp_path: Path) -> None:
    folder = model(says="abc")
    before = handwritten(document, folder)
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        bare = await bot.send("PUT", "desired", before, content_type="application/yaml")
        assert bare.status_code == 428
        text = before.replace(b"downloaded  ", b"loaded  ")
        tag = (await bot.send("GET", "desired", accept="application/yaml")).headers["etag"]
        put = await bot.send(
            "PUT", "desired", text, content_type="application/yaml", if_match=tag,
            prefer="wait=60",
        )  # fmt: skip
        assert (put.status_code, put.json()["converged"]) == (200, True)
        assert document.read_bytes() == text
        data = await bot.get("desired")
        data["models"]["one"]["state"] = "on-demand"
        again = await bot.send("PUT", "desired", data, if_match=await bot.etag())
        assert again.status_code == 200
        assert document.read_bytes() == text.replace(b"loaded  ", b"on-demand  ")


async def test_the_first_document_is_written(document: Path, tmp_path: Path) -> None:
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        body = {"version": 1, "models": {}}
        assert (await bot.send("PUT", "desired", body, if_match="*")).status_code in (409, 412)
        made = await bot.send("PUT", "desired", body, if_none_match="*")
        assert (made.status_code, made.json()["generation"]) == (200, 1)
        assert document.exists()
        again = await bot.send("PUT", "desired", body, if_none_match="*")
        assert again.status_code == 412
        status = await daemon.status()
        assert condition(status, "ConfigValid")["status"] == "True"


async def test_a_model_is_suspended_and_resumed_by_its_entry(
    model, document: Path, tmp_path: Path
) -> None:
    handwritten(document, model(says="abc"), "loaded")
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon, "night-bot")
        await daemon.ready()
        uid = instance(await daemon.status(), "one")
        assert (await bot.send("POST", "models/one/suspend")).status_code == 200
        assert (await bot.get("desired"))["models"]["one"]["suspend"] is True
        same = await bot.send("POST", "models/one/suspend")
        assert same.json()["changed"] is False
        worker = next(iter(workers(daemon).values()))
        assert (await bot.patch({"models": {"one": {"state": "downloaded"}}})).status_code == 200
        assert instance(await daemon.status(), "one") == uid
        assert worker.is_running()
        back = await bot.send("POST", "models/one/resume", prefer="wait=60")
        assert (back.status_code, back.json()["converged"]) == (200, True)
        assert instance(await daemon.status(), "one") is None
        whole = await bot.send("POST", "suspend")
        assert (whole.status_code, (await bot.get("desired"))["suspend"]) == (200, True)


async def test_what_failed_for_good_is_tried_again_when_somebody_asks(
    model, document: Path, tmp_path: Path
) -> None:
    """The repository was not there; it is now, and nothing in the document says so."""
    with Hub() as hub:
        source = {"source": "hf:org/tiny", "state": "loaded", "context": 256}
        write(document, {"one": source})
        async with running(document, tmp_path, env={"HF_ENDPOINT": hub.url}) as daemon:
            await daemon.until(lambda s: summary(s, "one") == "Stalled", "one is stalled")
            hub.add_repo("org/tiny", model(says="abc"))
            answer = await Bot(daemon).send("POST", "models/one/retry", prefer="wait=60")
            assert answer.status_code == 200, answer.text
            assert (answer.json()["cleared"], answer.json()["converged"]) == (True, True)
            assert await say(daemon, "one") == "abc"
