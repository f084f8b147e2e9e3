"""LM Studio's REST API over the verbs: its shapes, its waits and its errors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lmxd.http.ports import Settled
from reconciler.catalog import Entry
from reconciler.state import (
    ArtifactRef,
    DiskPhase,
    DiskState,
    Footprint,
    InstancePhase,
    InstanceUid,
    InstanceView,
    ModelKey,
)
from schemas.errors import Code, RequestError
from schemas.verbs import Download, Load, Unload
from schemas.wire.control import Unsettled
from tests.http.test_admin_api import send
from tests.kit.fake_gate import FakeGate
from tests.kit.http_stage import Stage, stage
from tests.reconciler.build import model

MODELS = "/api/v1/models"
KEY = "day-coder"
ARTIFACT = ArtifactRef(f"hf:org/{KEY}")
RUNNING = InstanceView(
    InstanceUid("day-coder#1"),
    ModelKey(KEY),
    "hash",
    InstancePhase.CURRENT,
    10,
    ARTIFACT,
    "r1",
    context=4096,
    load_s=9.0994,
)
ENTRY = Entry(
    model(KEY),
    DiskState(DiskPhase.VERIFIED, "/m", "r1", 70, 70, 70, Footprint(60, 2, 32768, "qwen2")),
    RUNNING,
    None,
)


def show(on: Stage, entry: Entry = ENTRY) -> None:
    on.control.entries = (entry,)


async def test_models_are_listed_as_its_clients_know_them() -> None:
    async with stage() as on:
        resting = replace(ENTRY, model=model("night", task="embed"), current=None)
        coming = Entry(model("new"), DiskState(DiskPhase.PARTIAL, have=5, total=70), None, None)
        on.control.entries = (ENTRY, resting, coming)
        listed = (await on.get(MODELS)).json()["models"]
    assert [each["key"] for each in listed] == [KEY, "night"]
    assert listed[0] == {
        "type": "llm",
        "publisher": "org",
        "key": KEY,
        "display_name": KEY,
        "architecture": "qwen2",
        "quantization": None,
        "size_bytes": 70,
        "params_string": None,
        "loaded_instances": [{"id": KEY, "config": {"context_length": 4096, "parallel": 8}}],
        "max_context_length": 32768,
        "format": "mlx",
        "capabilities": {"vision": False, "trained_for_tool_use": False},
        "description": None,
    }
    assert (listed[1]["type"], listed[1]["loaded_instances"]) == ("embedding", [])
    assert "capabilities" not in listed[1]


async def test_a_load_answers_when_it_is_loaded() -> None:
    async with stage() as on:
        show(on)
        plain = await send(on, "POST", f"{MODELS}/load", {"model": KEY})
        body = {"model": KEY, "context_length": 4096, "echo_load_config": True}
        echoed = await send(on, "POST", f"{MODELS}/load", body | {"flash_attention": True})
    assert plain.json() == {
        "type": "llm",
        "instance_id": KEY,
        "load_time_seconds": 9.099,
        "status": "loaded",
    }
    assert plain.headers["lmxd-generation"] == "7"
    assert echoed.json()["load_config"] == {"context_length": 4096, "parallel": 8}
    assert echoed.headers["lmxd-ignored"] == "flash_attention"
    assert [call for name, call in on.edits.calls if name == "perform"] == [
        Load(KEY, known=True),
        Load(KEY, 4096, known=True),
    ]
    assert on.edits.waited == [(frozenset({KEY}), 120.0)] * 2


async def test_the_wait_is_that_of_the_document_unless_the_call_says_another() -> None:
    gate = FakeGate()
    gate.routes = replace(gate.routes, flow=replace(gate.routes.flow, wait_s=float("inf")))
    async with stage(gate) as on:
        show(on)
        await send(on, "POST", f"{MODELS}/load", {"model": KEY})
        await send(on, "POST", f"{MODELS}/load", {"model": KEY}, prefer="wait=7")
        await send(on, "POST", f"{MODELS}/unload", {"instance_id": KEY}, prefer="respond-async")
    assert [seconds for _, seconds in on.edits.waited] == [600.0, 7.0, 0.0]


@pytest.mark.parametrize(
    ("done", "status", "code"), [(True, 503, "model_failed"), (False, 503, "model_loading")]
)
async def test_a_load_that_did_not_come_to_its_end_says_why(
    done: bool, status: int, code: str
) -> None:
    async with stage() as on:
        show(on, replace(ENTRY, current=None))
        gap = Unsettled(KEY, "LoadFailed", "the files are not understood")
        on.edits.settled = Settled(done, (gap,))
        answer = await send(on, "POST", f"{MODELS}/load", {"model": KEY})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (status, "internal_error", code)
    assert "LoadFailed: the files are not understood" in error["message"]


async def test_an_unload_names_the_instance() -> None:
    async with stage() as on:
        answer = await send(on, "POST", f"{MODELS}/unload", {"instance_id": KEY})
        lent = await send(on, "POST", f"{MODELS}/unload?ttl=1h", {"instance_id": KEY})
        shown = await send(on, "POST", f"{MODELS}/unload?dry_run=true", {"instance_id": KEY})
    assert answer.json() == lent.json() == {"instance_id": KEY}
    assert shown.json()["dry_run"] is True
    assert on.edits.calls[0] == ("perform", Unload(KEY))
    assert on.edits.calls[3] == ("terms", ("anonymous", False, 3600.0, False))


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({"model": "org/new"}, "org/new"),
        ({"model": "org/new", "quantization": "Q4_K_M"}, "hf:org/new:Q4_K_M"),
        (
            {"model": "https://huggingface.co/org/new", "quantization": "Q4_K_M"},
            "hf:org/new:Q4_K_M",
        ),
    ],
)
async def test_a_download_is_a_job_that_can_be_asked_for(body: object, name: str) -> None:
    async with stage() as on:
        disk = DiskState(DiskPhase.PARTIAL, have=5, total=70)
        show(on, replace(ENTRY, disk=disk, current=None))
        begun = await send(on, "POST", f"{MODELS}/download", body)
        job = begun.json()["job_id"]
        asked = await on.get(f"{MODELS}/download/status/{job}")
        show(on)
        ended = await on.get(f"{MODELS}/download/status/{job}")
        on.control.entries = ()
        gone = await on.get(f"{MODELS}/download/status/{job}")
    assert on.edits.calls[0] == ("perform", Download(name))
    assert not on.edits.waited
    assert begun.json() == asked.json()
    assert begun.json() == {
        "job_id": job,
        "status": "downloading",
        "downloaded_bytes": 5,
        "total_size_bytes": 70,
    }
    assert ended.json()["status"] == "completed"
    assert (gone.status_code, gone.json()["error"]["type"]) == (404, "job_not_found")


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        ({"model": KEY, "context_length": -1}, "context_length"),
        ({"model": KEY, "echo_load_config": "yes"}, "echo_load_config"),
        ({"model": KEY, "stream": True}, "stream"),
        ({"model": KEY, "ttl": 300}, "ttl"),
    ],
)
async def test_what_it_does_not_know_is_refused_in_its_shape(body: object, param: str) -> None:
    async with stage() as on:
        answer = await send(on, "POST", f"{MODELS}/load", body or b"{}")
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/json"
    assert (error["type"], error["code"], error["param"]) == (
        "invalid_request",
        "invalid_request",
        param,
    )
    assert not on.edits.calls


async def test_errors_of_the_verbs_have_its_shape_too() -> None:
    async with stage() as on:
        on.edits.refusal = RequestError(Code.MODEL_NOT_FOUND, "there is no model 'x'")
        answer = await send(on, "POST", f"{MODELS}/load", {"model": "x"})
        other = await on.get("/api/v1/chat")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "model_not_found")
    assert (other.status_code, other.json()["error"]["type"]) == (404, "invalid_request")
