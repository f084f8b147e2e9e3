"""From a hub over HTTP to a served model, through the faults a hub has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.daemon import condition, running, summary
from tests.kit.documents import say, write
from tests.kit.hub import Hub, Place

WEIGHTS = "model.safetensors"


def hub_model(name: str = "org/tiny", **fields: object) -> dict[str, object]:
    return {"source": f"hf:{name}", "state": "loaded", "context": 256, **fields}


async def test_a_model_comes_from_the_hub_and_is_served(
    model, document: Path, tmp_path: Path
) -> None:
    """Resolved to a commit, downloaded into the ordinary cache, verified, loaded."""
    with Hub() as hub:
        commit = hub.add_repo("org/tiny", model(says="abc"))
        write(document, {"one": hub_model()})
        async with running(document, tmp_path, env={"HF_ENDPOINT": hub.url}) as daemon:
            await daemon.ready()
            status = await daemon.status()
            disk = next(m for m in status["models"] if m["key"] == "one")["disk"]
            assert disk["resolvedRevision"] == commit
            assert disk["verified"]
            assert Path(disk["path"]).name == commit
            assert await say(daemon, "one") == "abc"
    async with running(document, tmp_path, env={"HF_ENDPOINT": hub.url}) as daemon:
        await daemon.ready()  # the hub is gone: what is on disk is enough
        assert await say(daemon, "one") == "abc"


async def test_a_daemon_killed_in_mid_download_resumes(
    model, document: Path, tmp_path: Path
) -> None:
    """The next daemon asks only for the bytes that are missing."""
    with Hub() as hub:
        hub.add_repo("org/tiny", model(says="abc", mib=8))
        gate = hub.hold(WEIGHTS, after=4_000_000)
        write(document, {"one": hub_model()})
        async with running(document, tmp_path, env={"HF_ENDPOINT": hub.url}) as daemon:
            await gate.arrival()
            status = await daemon.until(
                lambda s: s["models"][0]["disk"]["bytesHave"] > 1_000_000, "progress is seen"
            )
            assert summary(status, "one") == "Downloading"
            await daemon.kill()
        gate.open()
        async with running(document, tmp_path, env={"HF_ENDPOINT": hub.url}) as daemon:
            await daemon.ready()
            assert await say(daemon, "one") == "abc"
        assert hub.calls(Place.FILE, WEIGHTS)[-1].start > 1_000_000


@pytest.mark.parametrize(
    ("fault", "reason", "stalled"),
    [
        ("gated", "GatedRepo", "True"),
        ("missing", "NotFound", "True"),
        ("corrupt", "ChecksumMismatch", None),
        ("error", "HubUnreachable", "False"),
    ],
)
async def test_a_fault_of_the_hub_is_a_condition_and_the_rest_serves(
    model, document: Path, tmp_path: Path, fault: str, reason: str, stalled: str | None
) -> None:
    """Each fault has its reason; the other model is served meanwhile."""
    with Hub() as hub:
        if fault != "missing":
            hub.add_repo("org/tiny", model(says="abc"), gated=fault == "gated")
        if fault == "corrupt":
            hub.corrupt(WEIGHTS, times=None)
        if fault == "error":
            hub.answer(500, Place.INFO)
        other = {"source": f"file:{model(says='xyz')}", "state": "loaded", "context": 256}
        write(document, {"one": hub_model(), "two": other})
        async with running(document, tmp_path, env={"HF_ENDPOINT": hub.url}) as daemon:
            status = await daemon.until(
                lambda s: condition(s, "Downloaded", "one")["reason"] == reason, reason
            )
            if stalled is not None:
                assert condition(status, "Stalled", "one")["status"] == stalled
            assert condition(status, "Ready", "one")["status"] == "False"
            await daemon.until(lambda s: summary(s, "two") == "Ready", "two is Ready")
            assert await say(daemon, "two") == "xyz"


async def test_a_token_that_is_put_right_is_tried_at_once(
    model, document: Path, tmp_path: Path
) -> None:
    """A gated model stalls; a restart with a token in the environment brings it."""
    with Hub() as hub:
        hub.add_repo("org/tiny", model(says="abc"), gated=True, tokens=["hf_right"])
        write(document, {"one": hub_model()})
        environment = {"HF_ENDPOINT": hub.url}
        async with running(document, tmp_path, env=environment) as daemon:
            await daemon.until(
                lambda s: condition(s, "Stalled", "one")["status"] == "True", "stalled"
            )
        async with running(
            document, tmp_path, env={**environment, "HF_TOKEN": "hf_right"}
        ) as daemon:
            await daemon.ready()
            assert await say(daemon, "one") == "abc"
            assert "hf_right" not in daemon.log


async def test_absent_deletes_only_what_lmxd_brought(model, document: Path, tmp_path: Path) -> None:
    """State absent unloads and removes the files of a model that lmxd downloaded."""
    with Hub() as hub:
        hub.add_repo("org/tiny", model(says="abc"))
        write(document, {"one": hub_model()})
        async with running(document, tmp_path, env={"HF_ENDPOINT": hub.url}) as daemon:
            await daemon.ready()
            write(document, {"one": hub_model(state="absent")})
            await daemon.until(
                lambda s: (
                    summary(s, "one") == "Absent" and s["models"][0]["disk"]["bytesHave"] == 0
                ),
                "its files are gone",
            )
            assert (await daemon.status())["machine"]["diskOurs"] == 0
