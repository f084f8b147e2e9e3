"""What a daemon remembers of its document over stops and deaths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.kit.daemon import condition, running
from tests.kit.documents import write

MODELS: dict[str, dict[str, Any]] = {
    key: {"source": f"file:/nowhere/{key}", "state": "downloaded"} for key in "abcd"
}


def meta(state: Path, number: int) -> Path:
    return state / "generations" / f"{number:06}" / "meta.json"


def confirm_by_hand(path: Path) -> None:
    """As if the daemon had lived ten minutes with that generation."""
    path.write_text(json.dumps({**json.loads(path.read_text()), "confirmed": True}))


async def test_a_generation_of_which_the_daemon_dies_is_left(
    document: Path, tmp_path: Path
) -> None:
    """Three kills within ten minutes of a new generation; clean stops in between count nothing."""
    write(document, MODELS)
    async with running(document, tmp_path) as daemon:
        state = daemon.state_dir
        await daemon.until(lambda s: s["generation"] == 1, "the document is accepted")
    confirm_by_hand(meta(state, 1))
    text = write(document, {**MODELS, "e": MODELS["a"]}).read_text()
    for end in ("kill", "stop", "kill", "kill"):
        async with running(document, tmp_path) as daemon:
            status = await daemon.until(lambda s: s["generation"] == 2, "the edit is accepted")
            assert condition(status, "ConfigCurrent")["status"] == "True"
            assert condition(status, "ApiWritable")["status"] == "True"
            await (daemon.kill() if end == "kill" else daemon.stop())
    async with running(document, tmp_path) as daemon:
        status = await daemon.until(lambda s: s["generation"] == 3, "another one is in effect")
        current = condition(status, "ConfigCurrent")
        assert (current["status"], current["reason"]) == ("False", "RolledBackAfterCrash")
        assert "generation 2" in current["message"]
        assert [model["key"] for model in status["models"]] == list("abcd")
        assert document.read_text() == text
        write(document, MODELS)
        await daemon.until(
            lambda s: condition(s, "ConfigCurrent")["status"] == "True", "the file is right again"
        )


async def test_a_mass_removal_waits_and_says_how_to_let_it_through(
    document: Path, tmp_path: Path
) -> None:
    write(document, MODELS)
    async with running(document, tmp_path) as daemon:
        await daemon.until(lambda s: s["generation"] == 1, "the document is accepted")
        write(document, {"a": MODELS["a"]})
        status = await daemon.until(
            lambda s: condition(s, "ConfigCurrent")["reason"] == "Held", "the edit is held"
        )
        message = condition(status, "ConfigCurrent")["message"]
        assert "3 of 4 models (b, c, d)" in message
        assert "lmxd apply --confirm " in message
        assert condition(status, "ConfigValid")["status"] == "True"
        assert [model["key"] for model in status["models"]] == list("abcd")
        write(document, {"a": {**MODELS["a"], "priority": 7}})
        await daemon.until(lambda s: s["generation"] == 2, "another edit lets it through")


async def test_the_history_says_what_was_reached(document: Path, tmp_path: Path) -> None:
    write(document, {})
    async with running(document, tmp_path) as daemon:
        await daemon.until(
            lambda s: condition(s, "Converged")["status"] == "True", "everything is as desired"
        )
        path = meta(daemon.state_dir, 1)
        await daemon.until(lambda _: json.loads(path.read_text())["converged"], "it is written")


async def test_the_second_daemon_of_a_document_only_follows_it(
    document: Path, tmp_path: Path
) -> None:
    write(document, MODELS)
    (tmp_path / "other").mkdir()
    async with running(document, tmp_path) as first:
        await first.until(lambda s: s["generation"] == 1, "the document is accepted")
        async with running(document, tmp_path / "other") as second:
            status = await second.until(lambda s: s["generation"] == 1, "it is accepted here too")
            found = condition(status, "ApiWritable")
            assert (found["status"], found["reason"]) == ("False", "DocumentLocked")
            assert f"pid {first.process.pid}" in found["message"]
            await first.stop()
            await second.until(
                lambda s: condition(s, "ApiWritable")["status"] == "True", "the second takes over"
            )
