"""A model is removed from the document of a real daemon: what becomes of its files in the cache."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.kit.daemon import Status, running
from tests.kit.documents import write
from tests.kit.hub import Hub
from tests.scenarios.test_hub import hub_model

REPO = "models--org--tiny"
NOW = {"reconcile": {"prune_disk": True, "retention": "0s"}}


def cache(folder: Path) -> Path:
    """The repository's folder in the hub cache."""
    return folder / "models" / "hub" / REPO


def left(status: Status) -> list[str]:
    return [f"{each['key']} {each['left']}" for each in status["removed"]]


def files(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}


async def test_without_prune_the_files_stay_and_are_listed_over_restarts(
    model, document: Path, tmp_path: Path
) -> None:
    with Hub() as hub:
        hub.add_repo("org/tiny", model(says="abc"))
        stays = {"source": f"file:{model(says='xyz')}", "state": "loaded", "context": 256}
        environment = {"HF_ENDPOINT": hub.url}
        write(document, {"old": hub_model(), "stays": stays})
        async with running(document, tmp_path, env=environment) as daemon:
            await daemon.ready()
            assert left(await daemon.status()) == []
            before = files(cache(tmp_path))
            write(document, {"stays": stays})
            status = await daemon.until(lambda s: left(s) == ["old files"], "only files are left")
            assert status["removed"][0]["until"] is None
            assert status["removed"][0]["bytes"] == status["machine"]["diskOurs"] > 0
            plan = await daemon.get("/lmxd/v1/plan")
            assert plan["actions"] == []
            assert "old: " in plan["text"]
            assert "reconcile.prune_disk is false" in plan["text"]
            await daemon.kill()
        write(document, {"stays": stays, "other": hub_model("org/none", state="absent")})
        async with running(document, tmp_path, env=environment) as daemon:
            await daemon.until(lambda s: left(s) == ["old files"], "it is remembered")
            assert files(cache(tmp_path)) == before


async def test_with_prune_only_the_files_that_lmxd_brought_go(
    model, document: Path, tmp_path: Path
) -> None:
    """Removed while the daemon is down; a blob, a snapshot and a repository of others stay."""
    with Hub() as hub:
        hub.add_repo("org/tiny", model(says="abc"))
        environment = {"HF_ENDPOINT": hub.url}
        write(document, {"old": hub_model()}, **NOW)
        async with running(document, tmp_path, env=environment) as daemon:
            await daemon.ready()
        repo = cache(tmp_path)
        foreign = repo / "blobs" / ("f" * 40)
        foreign.write_text("somebody else's")
        link = repo / "snapshots" / ("e" * 40) / "notes.txt"
        link.parent.mkdir()
        link.symlink_to(f"../../blobs/{foreign.name}")
        other = repo.with_name("models--org--other")
        shutil.copytree(repo, other, symlinks=True)
        theirs = files(other)
        write(document, {}, **NOW)
        async with running(document, tmp_path, env=environment) as daemon:
            status = await daemon.until(
                lambda s: not s["removed"] and not s["machine"]["diskOurs"], "its files are gone"
            )
            assert status["models"] == []
        assert files(repo) == {f"blobs/{foreign.name}", f"snapshots/{'e' * 40}/notes.txt"}
        assert files(other) == theirs
        stones = json.loads((tmp_path / "state" / "tombstones.json").read_text())
        assert stones["tombstones"]["removed"] == []
