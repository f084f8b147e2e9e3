"""Someone edits the file; the machine follows, and touches only what the edit touches."""

from __future__ import annotations

from pathlib import Path

from tests.kit.daemon import condition, running, summary
from tests.kit.documents import instance, loaded, say, workers, write


async def test_a_document_becomes_a_served_model(model, document: Path, tmp_path: Path) -> None:
    """A file in, text out: the name in the file answers through the official client."""
    write(document, {"one": loaded(model(says="abc"))}, {"gpt-4o-mini": "one"})
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        assert await say(daemon, "one") == "abc"
        assert await say(daemon, "gpt-4o-mini") == "abc"
        status = await daemon.until(
            lambda s: condition(s, "Converged")["status"] == "True", "converged"
        )
        assert condition(status, "Converged")["reason"] == "AllMet"
        assert status["generation"] == 1


async def test_an_alias_moves_without_touching_the_models(
    model, document: Path, tmp_path: Path
) -> None:
    """An alias edit changes who answers; both instances and their workers stay the same."""
    models = {"one": loaded(model(says="abc")), "two": loaded(model(says="xyz"))}
    write(document, models, {"auto": "one"})
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        before = await daemon.status()
        pids = set(workers(daemon))
        assert await say(daemon, "auto") == "abc"
        write(document, models, {"auto": "two"})
        after = await daemon.until(lambda s: s["generation"] == 2, "the edit is accepted")
        assert await say(daemon, "auto") == "xyz"
        for key in models:
            assert instance(after, key) == instance(before, key) is not None
        assert pids <= set(workers(daemon))


async def test_a_model_comes_and_goes_with_its_entry(model, document: Path, tmp_path: Path) -> None:
    """An added model is loaded; when its entry is deleted its worker ends and its name is gone."""
    first = {"one": loaded(model(says="abc"))}
    write(document, first)
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        alone = await daemon.status()
        write(document, {**first, "two": loaded(model(says="xyz"))})
        both = await daemon.until(lambda s: summary(s, "two") == "Ready", "two is Ready")
        assert await say(daemon, "two") == "xyz"
        assert both["machine"]["memoryReserved"] > alone["machine"]["memoryReserved"]
        uid = instance(both, "two")
        write(document, first)
        left = await daemon.until(
            lambda s: (
                any(r["uid"] == uid for r in daemon.events("instance gone"))
                and summary(s, "two") is None
            ),
            "two is gone",
        )
        assert left["machine"]["memoryReserved"] == alone["machine"]["memoryReserved"]
        assert instance(left, "one") == instance(alone, "one")
        names = {m["id"] for m in (await daemon.get("/v1/models"))["data"]}
        assert names == {"one"}


async def test_a_switch_that_does_not_fit_keeps_the_name_answering(
    model, document: Path, tmp_path: Path
) -> None:
    """Room for one of two: the old is drained first, requests wait, and none of them fails."""
    limits = {"memory": "300MiB"}
    old, new = model(says="abc", mib=60), model(says="xyz", mib=60)
    write(document, {"old": loaded(old)}, {"auto": "old"}, limits=limits)
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        assert await say(daemon, "auto") == "abc"
        write(document, {"new": loaded(new)}, {"auto": "new"}, limits=limits)
        await daemon.until(lambda s: s["generation"] == 2, "the edit is accepted")
        assert await say(daemon, "auto") in {"abc", "xyz"}
        await daemon.until(lambda s: summary(s, "new") == "Ready", "new is Ready")
        assert await say(daemon, "auto") == "xyz"


async def test_a_bad_edit_changes_nothing(model, document: Path, tmp_path: Path) -> None:
    """Broken, empty, half-written or missing: the last good generation keeps serving."""
    write(document, {"one": loaded(model(says="abc"))})
    good = document.read_bytes()
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        uid = instance(await daemon.status(), "one")
        bad = {
            "InvalidYAML": b"version: 1\nmodels: [",
            "InvalidDocument": b"version: 1\nmodles: {}\n",
            "EmptyFile": b"",
        }
        for reason, content in bad.items():
            document.write_bytes(content)
            status = await daemon.until(
                lambda s, reason=reason: condition(s, "ConfigValid")["reason"] == reason, reason
            )
            assert condition(status, "ConfigValid")["status"] == "False"
            assert instance(status, "one") == uid
            assert await say(daemon, "one") == "abc"
        document.unlink()
        await daemon.until(
            lambda s: condition(s, "ConfigValid")["reason"] == "FileMissing", "FileMissing"
        )
        assert await say(daemon, "one") == "abc"
        await daemon.get("/health")
        document.write_bytes(good)
        status = await daemon.until(
            lambda s: condition(s, "ConfigValid")["status"] == "True", "valid again"
        )
        assert status["generation"] == 1
        assert instance(status, "one") == uid


async def test_an_option_that_needs_a_reload_is_made_before_the_old_breaks(
    model, document: Path, tmp_path: Path
) -> None:
    """Another context is another instance; sampling and system are changed in place."""
    folder = model(says="abc", context=2048)
    write(document, {"one": loaded(folder)})
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        first = instance(await daemon.status(), "one")
        write(document, {"one": loaded(folder, sampling={"max_tokens": 2}, parallel=4)})
        in_place = await daemon.until(lambda s: s["generation"] == 2, "edit in place")
        assert instance(in_place, "one") == first
        assert await say(daemon, "one", max_tokens=None) == "ab"
        write(document, {"one": loaded(folder, context=512)})
        await daemon.until(
            lambda s: instance(s, "one") not in (None, first), "a new instance answers"
        )
        order = [
            record["action"]
            for record in daemon.events("action done")
            if record["action"].startswith(("promote", "unload"))
        ]
        assert order[0].startswith("promote")
        assert order[1].startswith("promote")
        assert await say(daemon, "one") == "abc"


async def test_fields_without_effect_are_named(model, document: Path, tmp_path: Path) -> None:
    """A field of a later version is accepted, has no effect, and a condition says so."""
    write(document, {"one": loaded(model(says="abc"), predict=True)}, webhooks={})
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        found = condition(await daemon.status(), "Supported", "one")
        assert found["status"] == "False"
        assert "predict" in found["message"]
