"""A client of LM Studio's REST API drives a whole daemon: download, load, list, chat, unload."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from tests.kit.daemon import Daemon, running
from tests.kit.documents import say, write
from tests.kit.hub import Hub
from tests.scenarios.test_verbs import handwritten, order

API = "/api/v1/models"


async def listed(daemon: Daemon) -> dict[str, Any]:
    models = (await order(daemon, "GET", API)).json()["models"]
    return {model["key"]: model for model in models}


async def test_a_model_is_loaded_listed_and_unloaded(model, document: Path, tmp_path: Path) -> None:
    before = handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        assert (await listed(daemon))["one"]["loaded_instances"] == []
        asked = {"model": "one", "context_length": 128, "echo_load_config": True}
        answer = await order(daemon, "POST", f"{API}/load", asked)
        body = answer.json()
        assert (answer.status_code, body["status"], body["instance_id"]) == (200, "loaded", "one")
        assert (body["type"], body["load_config"]["context_length"]) == ("llm", 128)
        assert body["load_time_seconds"] > 0
        assert document.read_bytes() == before.replace(b"256", b"128").replace(
            b"downloaded   ", b"loaded   "
        )
        (found,) = (await listed(daemon))["one"]["loaded_instances"]
        assert found == {"id": "one", "config": {"context_length": 128, "parallel": 8}}
        assert await say(daemon, "one") == "abc"
        gone = await order(daemon, "POST", f"{API}/unload", {"instance_id": found["id"]})
        assert (gone.status_code, gone.json()) == (200, {"instance_id": "one"})
        assert (await listed(daemon))["one"]["loaded_instances"] == []
        assert document.read_bytes() == before.replace(b"256", b"128")


async def test_a_name_that_is_misspelt_is_no_new_model(
    model, document: Path, tmp_path: Path
) -> None:
    before = handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        answer = await order(daemon, "POST", f"{API}/load", {"model": "org/typo"})
        assert (answer.status_code, answer.json()["error"]["type"]) == (404, "model_not_found")
        assert document.read_bytes() == before


async def test_a_download_is_followed_to_its_end(model, document: Path, tmp_path: Path) -> None:
    with Hub() as hub:
        hub.add_repo("org/tiny", model(says="abc", mib=8))
        gate = hub.hold("model.safetensors", after=4_000_000)
        write(document, {})
        async with running(document, tmp_path, env={"HF_ENDPOINT": hub.url}) as daemon:
            await daemon.ready()
            link = {"model": "https://huggingface.co/org/tiny"}
            begun = await order(daemon, "POST", f"{API}/download", link)
            assert (begun.status_code, begun.json()["status"]) == (200, "downloading")
            path = f"{API}/download/status/{begun.json()['job_id']}"
            await gate.arrival()
            await daemon.until(
                lambda s: s["models"][0]["disk"]["bytesHave"] > 1_000_000, "progress is seen"
            )
            going = (await order(daemon, "GET", path)).json()
            assert going["status"] == "downloading"
            assert 1_000_000 < going["downloaded_bytes"] < going["total_size_bytes"]
            gate.open()
            await daemon.until(lambda s: s["models"][0]["disk"]["verified"], "it is on disk")
            ended = (await order(daemon, "GET", path)).json()
            assert ended["status"] == "completed"
            assert ended["downloaded_bytes"] == ended["total_size_bytes"]
            again = await order(daemon, "POST", f"{API}/download", link)
            assert again.json() == {"status": "already_downloaded"}
            assert set(await listed(daemon)) == {"tiny"}
            loading = await order(daemon, "POST", f"{API}/load", {"model": "org/tiny"})
            assert loading.json()["instance_id"] == "tiny"


async def test_a_download_that_cannot_succeed_has_failed(document: Path, tmp_path: Path) -> None:
    with Hub() as hub:
        write(document, {})
        async with running(document, tmp_path, env={"HF_ENDPOINT": hub.url}) as daemon:
            begun = await order(daemon, "POST", f"{API}/download", {"model": "org/none"})
            path = f"{API}/download/status/{begun.json()['job_id']}"
            await daemon.until(lambda s: s["models"][0]["summary"] == "Stalled", "it is not there")
            assert (await order(daemon, "GET", path)).json()["status"] == "failed"
            waited = await order(daemon, "POST", f"{API}/load", {"model": "none"})
            assert (waited.status_code, waited.json()["error"]["code"]) == (503, "model_failed")
            assert "NotFound" in waited.json()["error"]["message"]


async def test_a_client_that_hangs_up_has_ordered_all_the_same(
    model, document: Path, tmp_path: Path
) -> None:
    """Half a verb must not be: the edit was made, and the model is loaded."""
    handwritten(document, model(says="abc"))
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        call = asyncio.create_task(order(daemon, "POST", f"{API}/load", {"model": "one"}))
        await daemon.until(lambda s: s["generation"] == 2, "the edit is made")
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await daemon.until(lambda s: s["models"][0]["summary"] == "Ready", "it is loaded")
