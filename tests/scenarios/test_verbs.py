"""Verbs of old bots on a whole daemon: each is an edit of the file, or a lease over it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.kit.bot import Bot
from tests.kit.daemon import PATIENCE_S, Daemon, running, summary
from tests.kit.documents import instance, loaded, say, write

TEXT = """\
# what this machine serves
version: 1

models:
    one:                 # the first
        source:   file:{folder}
        state:    {state}      # moved by bots
        context:  256
# the end
"""


async def order(
    daemon: Daemon, method: str, path: str, body: object = None, **headers: str
) -> httpx2.Response:
    """A call to any path, with a JSON body; `_` in header names is `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with httpx2.AsyncClient(
        base_url=daemon.url, trust_env=False, verify=False, timeout=PATIENCE_S
    ) as client:
        return await client.request(
            method,
            path,
            content=json.dumps(body).encode() if body is not None else b"",
            headers={"content-type": "application/json"} | named,
        )


async def post(daemon: Daemon, verb: str, body: object, **headers: str) -> httpx2.Response:
    return await order(daemon, "POST", f"/admin/models/{verb}", body, **headers)


async def admin(daemon: Daemon, verb: str, model: str, **members: Any) -> dict[str, Any]:
    """An admin verb that must succeed, waited for."""
    answer = await post(daemon, verb, {"model": model, **members}, prefer="wait=60")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def handwritten(path: Path, folder: Path, state: str = "downloaded") -> bytes:
    path.write_text(TEXT.format(folder=folder, state=state))
    return path.read_bytes()


async def test_load_and_unload_change_one_word_of_the_file(
    model, document: Path, tmp_path: Path
) -> None:
    before = handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        done = await admin(daemon, "load", "one")
        assert (done["model"], done["state"], done["how"]) == ("one", "loaded", "edit")
        assert (done["converged"], done["generation"]) == (True, 2)
        assert document.read_bytes() == before.replace(b"downloaded   ", b"loaded   ")
        assert await say(daemon, "one") == "abc"
        again = await admin(daemon, "load", "one")
        assert (again["how"], again["generation"], again["converged"]) == ("nothing", 2, True)
        gone = await admin(daemon, "unload", "one")
        assert (gone["state"], gone["how"], gone["converged"]) == ("downloaded", "edit", True)
        assert document.read_bytes() == before
        assert instance(await daemon.status(), "one") is None


async def test_a_source_becomes_a_model_with_a_key_of_its_own(
    model, document: Path, tmp_path: Path
) -> None:
    """At the end of the file; a source that is there is that model, another one gets a number."""
    folder, other = model(says="abc"), tmp_path / "other" / model(says="abc").name
    other.parent.mkdir()
    other.symlink_to(model(says="xyz"))
    before = handwritten(document, folder)
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        same = await admin(daemon, "load", f"file:{folder}")
        assert same["model"] == "one"
        first = await admin(daemon, "load", "builtin:tiny-chat")
        assert (first["model"], first["converged"]) == ("tiny-chat", True)
        assert (await say(daemon, "tiny-chat")) != ""
        write_back = document.read_text()
        assert "# moved by bots" in write_back
        assert "# the first" in write_back
        assert write_back.index("tiny-chat:") > write_back.index("one:")
        assert before.decode().splitlines()[0] in write_back
        fetched = await admin(daemon, "download", f"file:{other}")
        again = await admin(daemon, "download", f"file:{other}")
        assert (fetched["how"], again["how"]) == ("edit", "nothing")
        assert fetched["model"] == again["model"] == other.name.strip("._-")
        assert fetched["state"] == "downloaded"


async def test_a_ttl_makes_a_lease_that_ends(model, document: Path, tmp_path: Path) -> None:
    before = handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon, "night-bot")
        await daemon.ready()
        lent = await admin(daemon, "load", "one", ttl="1h")
        assert (lent["how"], lent["state"], lent["converged"]) == ("lease", "loaded", True)
        new = await post(daemon, "load?ttl=2h", {"model": "builtin:tiny-chat"}, prefer="wait=60")
        assert new.json()["converged"] is True
        assert {lease["id"] for lease in (await bot.get("leases"))["leases"]} == {
            lent["lease"],
            new.json()["lease"],
        }
        assert document.read_bytes() == before
        assert await say(daemon, "one") == "abc"
        assert await say(daemon, "tiny-chat") != ""
        for lease in (lent["lease"], new.json()["lease"]):
            await bot.send("PATCH", f"leases/{lease}", {"ttl": "1s"})
        status = await daemon.until(
            lambda s: summary(s, "one") == "Downloaded" and summary(s, "tiny-chat") is None,
            "the world is as the file says",
        )
        assert status["leases"] == 0
        assert document.read_bytes() == before


async def test_who_repeats_a_load_with_a_ttl_renews_it(
    model, document: Path, tmp_path: Path
) -> None:
    handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        ask = {"model": "one", "ttl": "1h"}
        first = (await post(daemon, "load", ask, lmxd_manager="night-bot")).json()
        longer = (await post(daemon, "load", ask | {"ttl": "3h"}, lmxd_manager="night-bot")).json()
        shorter = (await post(daemon, "load", ask, lmxd_manager="night-bot")).json()
        other = (await post(daemon, "load", ask, lmxd_manager="day-bot")).json()
        assert first["lease"] == longer["lease"] == shorter["lease"] != other["lease"]
        assert first["expires_at"] < longer["expires_at"] == shorter["expires_at"]
        assert (await daemon.status())["leases"] == 2


async def test_an_unload_ends_the_leases_that_loaded_it(
    model, document: Path, tmp_path: Path
) -> None:
    before = handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        lent = await admin(daemon, "load", "one", ttl="1h")
        gone = await admin(daemon, "unload", "one")
        assert (gone["how"], gone["ended"], gone["converged"]) == ("release", [lent["lease"]], True)
        assert summary(await daemon.status(), "one") == "Downloaded"
        held = await admin(daemon, "unload", "one", ttl="1h")
        back = await admin(daemon, "load", "one")
        assert back["ended"] == [held["lease"]]
        assert (back["state"], back["converged"]) == ("loaded", True)
        assert document.read_bytes() != before


async def test_what_does_not_fit_is_refused_and_nothing_is_recorded(
    model, document: Path, tmp_path: Path
) -> None:
    models = {"one": loaded(model(says="abc", mib=60)), "two": loaded(model(says="xyz", mib=60))}
    models["two"]["state"] = "downloaded"
    write(document, models, limits={"memory": "300MiB"})
    before, inode = document.read_bytes(), document.stat().st_ino
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        await daemon.ready()
        for path in ("/admin/models/load", "/admin/models/load?ttl=1h"):
            refused = await order(daemon, "POST", path, {"model": "two"})
            body = refused.json()
            assert (refused.status_code, body["code"]) == (409, "insufficient_memory"), body
            assert body["needed"] > body["available"] > 0
            assert body["detail"].startswith("two needs ")
        lms = await order(daemon, "POST", "/api/v1/models/load", {"model": "two"})
        assert (lms.status_code, lms.json()["error"]["code"]) == (409, "insufficient_memory")
        assert lms.json()["error"]["type"] == "invalid_request"
        assert (document.read_bytes(), document.stat().st_ino) == (before, inode)
        assert (await bot.get("leases"))["leases"] == []
        assert len((await bot.get("generations"))["generations"]) == 1
        forced = await order(daemon, "POST", "/admin/models/load?force=true", {"model": "two"})
        assert forced.status_code == 200
        assert any("two is not admitted" in text for text in forced.json()["warnings"])


async def test_an_unload_of_what_requests_loaded_lets_the_next_request_load_it(
    model, document: Path, tmp_path: Path
) -> None:
    """on-demand stays on-demand: the memory is given back although `keep_alive` is not over."""
    before = handwritten(document, model(says="abc"), "on-demand")
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        assert await say(daemon, "one") == "abc"
        gone = await admin(daemon, "unload", "one")
        assert (gone["how"], gone["state"], gone["converged"]) == ("release", "on-demand", True)
        assert instance(await daemon.status(), "one") is None
        assert document.read_bytes() == before
        assert await say(daemon, "one") == "abc"
        await admin(daemon, "load", "one")
        assert b"state:    loaded" in document.read_bytes()
        back = await admin(daemon, "unload", "one")
        assert (back["state"], back["converged"]) == ("on-demand", True)
        assert document.read_bytes() == before
        assert instance(await daemon.status(), "one") is None


async def test_copies_are_aliases_and_delete_removes_one_name_or_the_model(
    model, document: Path, tmp_path: Path
) -> None:
    handwritten(document, model(says="abc"), "loaded")
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        await daemon.ready()
        copied = await post(daemon, "copy", {"source": "one", "destination": "gpt-4o:mini"})
        assert (copied.status_code, copied.json()["model"]) == (200, "one")
        assert (await bot.get("desired"))["aliases"] == {"gpt-4o:mini": "one"}
        assert await say(daemon, "gpt-4o:mini") == "abc"
        refused = await order(daemon, "DELETE", "/admin/models/one")
        assert (refused.status_code, refused.json()["code"]) == (409, "model_loaded")
        alias = await order(daemon, "DELETE", "/admin/models/gpt-4o:mini")
        assert alias.status_code == 200
        assert not (await bot.get("desired"))["aliases"]
        assert summary(await daemon.status(), "one") == "Ready"
        forced = await post(daemon, "delete?force=true", {"model": "one"}, prefer="wait=60")
        assert (forced.json()["state"], forced.json()["converged"]) == ("absent", True)
        assert (await bot.get("desired"))["models"]["one"]["state"] == "absent"
        assert summary(await daemon.status(), "one") == "Absent"
        again = await order(daemon, "DELETE", "/admin/models/one")
        assert (again.status_code, again.json()["how"]) == (200, "nothing")
        missing = await order(daemon, "DELETE", "/admin/models/two")
        assert (missing.status_code, missing.json()["code"]) == (404, "model_not_found")


async def test_a_model_made_of_another(model, document: Path, tmp_path: Path) -> None:
    handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        body = {"model": "terse", "from": "one", "fields": {"system": "Be terse."}}
        made = await post(daemon, "create", body)
        assert (made.status_code, made.json()["model"]) == (200, "terse")
        models = (await bot.get("desired"))["models"]
        assert models["terse"] == {
            "source": models["one"]["source"],
            "context": 256,
            "system": "Be terse.",
        }
        assert (await post(daemon, "create", body)).json()["how"] == "nothing"
        other = body | {"fields": {"system": "Be kind."}}
        assert (await post(daemon, "create", other)).json()["code"] == "field_conflict"
        assert (await post(daemon, "create?force=true", other)).status_code == 200
        wrong = await post(daemon, "create", body | {"model": "a b"})
        assert (wrong.status_code, wrong.json()["code"]) == (422, "validation_failed")


async def test_what_lies_over_the_document_is_not_ordered_away(
    model, document: Path, tmp_path: Path
) -> None:
    """A window holds it: the file alone would change nothing now, a lease does."""
    window = {
        "when": [{"days": ["mon-sun"], "from": "00:00", "to": "24:00"}],
        "set": {"models": {"one": {"state": "loaded"}}},
    }
    one = {**loaded(model(says="abc")), "state": "downloaded"}
    write(document, {"one": one}, timezone="UTC", schedules={"always": window})
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        refused = await post(daemon, "unload", {"model": "one"})
        assert (refused.status_code, refused.json()["code"]) == (409, "field_conflict")
        assert refused.json()["by"] == "schedule/always"
        lent = await admin(daemon, "unload", "one", ttl="1h")
        assert (lent["state"], lent["converged"]) == ("downloaded", True)


async def test_reload_takes_an_edit_in_at_once(model, document: Path, tmp_path: Path) -> None:
    before = handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        path = "/admin/config/reload"
        same = await order(daemon, "POST", path)
        assert (same.json()["generation"], same.json()["changed"]) == (1, False)
        document.write_bytes(before.replace(b"downloaded", b"loaded"))
        news = await order(daemon, "POST", path, prefer="wait=60")
        assert (news.json()["generation"], news.json()["converged"]) == (2, True)
        assert await say(daemon, "one") == "abc"
        document.write_bytes(b"version: 1\nmodels: [")
        broken = await order(daemon, "POST", path)
        assert (broken.status_code, broken.json()["code"]) == (409, "document_invalid")
        listed = (await order(daemon, "GET", "/admin/models")).json()
        assert (listed["count"], listed["loaded"]) == (1, 1)


async def test_the_first_model_of_a_daemon_without_a_document(
    document: Path, tmp_path: Path
) -> None:
    async with running(document, tmp_path) as daemon:
        rehearsed = await post(daemon, "load?dry_run=true", {"model": "builtin:tiny-chat"})
        assert rehearsed.json()["dry_run"] is True
        assert not document.exists()
        document.write_bytes(b"version: 1\nmodels: [")
        broken = await post(daemon, "load", {"model": "builtin:tiny-chat"})
        assert (broken.status_code, broken.json()["code"]) == (409, "document_invalid")
        assert document.read_bytes() == b"version: 1\nmodels: ["
        document.unlink()
        made = await admin(daemon, "load", "builtin:tiny-chat")
        assert (made["model"], made["generation"], made["converged"]) == ("tiny-chat", 1, True)
        assert "builtin:tiny-chat" in document.read_text()


async def test_verbs_are_kept_to_owners_keys_and_rehearsals(
    model, document: Path, tmp_path: Path
) -> None:
    before = handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        rehearsed = await post(daemon, "load?dry_run=true", {"model": "one"}, prefer="wait=60")
        assert (rehearsed.json()["dry_run"], rehearsed.json()["state"]) == (True, "loaded")
        assert document.read_bytes() == before
        ask = {"model": "one"}
        once = {"lmxd_manager": "night-bot", "idempotency_key": "k-1"}
        first = await post(daemon, "load", ask, **once)
        again = await post(daemon, "load", ask, **once)
        assert again.headers["idempotency-replayed"] == "true"
        assert again.json() == first.json()
        stranger = await post(daemon, "unload", ask, lmxd_manager="day-bot")
        assert (stranger.status_code, stranger.json()["code"]) == (409, "field_conflict")
        stale = await post(daemon, "unload", ask, if_match='"abc"')
        assert stale.status_code == 412
        assert (await post(daemon, "unload", ask, lmxd_manager="night-bot")).status_code == 200


@pytest.mark.parametrize("ttl", [None, "1h"])
async def test_a_file_that_cannot_be_written_takes_leases_only(
    model, document: Path, tmp_path: Path, ttl: str | None
) -> None:
    """Another daemon has the document: ours may only lay leases over it."""
    before = handwritten(document, model(says="abc"))
    (tmp_path / "first").mkdir()
    async with (
        running(document, tmp_path / "first"),
        running(document, tmp_path) as daemon,
    ):
        answer = await post(daemon, "load", {"model": "one"} | ({"ttl": ttl} if ttl else {}))
        if ttl is None:
            assert (answer.status_code, answer.json()["code"]) == (409, "file_not_writable")
        else:
            assert (answer.status_code, answer.json()["how"]) == (200, "lease")
        assert document.read_bytes() == before
