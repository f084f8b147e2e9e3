"""What changes past lmxd, what is removed, and what fails: a whole daemon puts it right."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.kit.bot import Bot
from tests.kit.daemon import Daemon, condition, running
from tests.kit.documents import instance, loaded, say, workers, write
from tests.kit.hub import Hub

HUB_MODEL = {"source": "hf:org/tiny", "state": "loaded", "context": 256}


def disk_path(status: Any, key: str) -> Path:
    return Path(next(m for m in status["models"] if m["key"] == key)["disk"]["path"])


async def kill_idle(daemon: Daemon) -> None:
    """End the worker of the one model that is loaded."""
    os.kill(min(workers(daemon)), signal.SIGKILL)
    died = await daemon.until_logged("instance died")
    assert died["reason"] == "UnloadedExternally"


async def test_a_worker_killed_by_hand_stays_away_over_a_restart_when_drift_is_adopted(
    model, document: Path, tmp_path: Path
) -> None:
    """Until the model's own entry changes."""
    adopt = {"reconcile": {"drift": "adopt"}}
    folder = model(says="abc")
    write(document, {"one": loaded(folder)}, **adopt)
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        await kill_idle(daemon)
        status = await daemon.until(
            lambda s: condition(s, "Ready", "one")["reason"] == "UnloadedExternally", "adopted"
        )
        assert condition(status, "Drifted", "one")["status"] == "False"
        (entry,) = next(m for m in status["models"] if m["key"] == "one")["drift"]
        assert (entry["path"], entry["expected"]) == ("memory.loaded", "loaded")
    async with running(document, tmp_path) as daemon:
        status = await daemon.until(
            lambda s: condition(s, "Converged")["status"] == "True", "converged"
        )
        assert instance(status, "one") is None
        write(document, {"one": loaded(folder, priority=60)}, **adopt)
        await daemon.until(lambda s: instance(s, "one") is not None, "one is back")
        await kill_idle(daemon)
        await daemon.until(lambda s: instance(s, "one") is None, "adopted again")
        again = await Bot(daemon).send("POST", "models/one/retry")
        assert again.json()["cleared"]
        await daemon.until(lambda s: instance(s, "one") is not None, "one is back")
        assert await say(daemon, "one") == "abc"


async def test_files_removed_by_hand_are_drift_and_are_brought_again(
    model, document: Path, tmp_path: Path
) -> None:
    """The model serves on meanwhile, by the same instance."""
    with Hub() as hub:
        hub.add_repo("org/tiny", model(says="abc"))
        write(document, {"one": HUB_MODEL})
        async with running(document, tmp_path, env={"HF_ENDPOINT": hub.url}) as daemon:
            await daemon.ready()
            before = await daemon.status()
            gate = hub.hold("model.safetensors", after=0)
            shutil.rmtree(disk_path(before, "one").parents[1])
            status = await daemon.until(
                lambda s: condition(s, "Drifted", "one")["status"] == "True", "drift is seen"
            )
            assert condition(status, "Drifted", "one")["reason"] == "FilesChanged"
            assert instance(status, "one") == instance(before, "one")
            gate.open()
            after = await daemon.until(
                lambda s: condition(s, "Drifted", "one")["status"] == "False", "it is repaired"
            )
            assert disk_path(after, "one").is_dir()
            assert await say(daemon, "one") == "abc"


@pytest.mark.parametrize("prune", [False, True])
async def test_files_of_a_removed_model_stay_unless_the_disk_is_pruned(
    model, document: Path, tmp_path: Path, *, prune: bool
) -> None:
    """What was removed is known over a restart, and what it left is named."""
    with Hub() as hub:
        env = {"HF_ENDPOINT": hub.url}
        hub.add_repo("org/tiny", model(says="abc"))
        other = loaded(model(says="xyz"))
        write(document, {"one": HUB_MODEL, "two": other})
        async with running(document, tmp_path, env=env) as daemon:
            await daemon.ready()
            path = disk_path(await daemon.status(), "one")
        write(document, {"two": other})
        async with running(document, tmp_path, env=env) as daemon:
            await daemon.ready()
            (left,) = (await daemon.status())["removed"]
            assert (left["key"], left["until"]) == ("one", None)
            assert left["bytes"] > 0
            if prune:
                rules = {"prune_disk": True, "retention": "1s"}
                write(document, {"two": other}, reconcile=rules)
                await daemon.until(lambda s: s["removed"] == [], "nothing is left of it")
            assert path.exists() != prune
            assert await say(daemon, "two") == "xyz"


async def test_a_change_that_cannot_be_loaded_brings_back_what_answered_before(
    model, document: Path, tmp_path: Path
) -> None:
    """Also after a restart; with one place the old one has to go before the new one is tried."""
    good = model(says="abc")
    one_place = {"limits": {"loaded": 1}}
    write(document, {"one": loaded(good)}, **one_place)
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        before = instance(await daemon.status(), "one")
        canary = {"prompt": "hi", "expect": "something else"}
        write(document, {"one": loaded(model(says="no"), canary=canary)}, **one_place)
        status = await daemon.until(
            lambda s: instance(s, "one") not in (None, before), "it is served as before"
        )
        assert condition(status, "Degraded", "one")["reason"] == "ServingOldRevision"
        assert condition(status, "Stalled", "one")["reason"] == "CanaryFailed"
        assert 'said "no"' in condition(status, "Stalled", "one")["message"]
        assert await say(daemon, "one") == "abc"
    async with running(document, tmp_path) as daemon:
        await daemon.until(lambda s: instance(s, "one") is not None, "it is served again")
        assert await say(daemon, "one") == "abc"
