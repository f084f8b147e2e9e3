"""Models as Ollama's clients list them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lmxd.dialects import ollama_models
from reconciler.backoff import Record
from reconciler.catalog import Entry
from reconciler.state import (
    NO_FILES,
    ArtifactRef,
    DiskPhase,
    DiskState,
    Footprint,
    InstancePhase,
    InstanceUid,
    InstanceView,
    Live,
    ModelKey,
    ServingDefaults,
)
from schemas.inference import Sampling
from tests.kit.fake_gate import routes
from tests.reconciler.build import model

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ARTIFACT = ArtifactRef("hf:org/day-coder")
DIGEST = f"sha256:{hashlib.sha256(b'hf:org/day-coder').hexdigest()}"
DISK = DiskState(DiskPhase.VERIFIED, "/m", "r1", 70, 70, 70, Footprint(60, 2, 32768, "qwen2"))
RUNNING = InstanceView(
    InstanceUid("day-coder#1"),
    ModelKey("day-coder"),
    "hash",
    InstancePhase.CURRENT,
    100,
    ARTIFACT,
    "r1",
    context=4096,
    measured=80,
)
HERE = Entry(replace(model("day-coder"), artifact=ARTIFACT), DISK, RUNNING, None)
DETAILS = {
    "parent_model": "",
    "format": "mlx",
    "family": "qwen2",
    "families": ["qwen2"],
    "parameter_size": "",
    "quantization_level": "",
}


def test_names_of_what_is_on_disk() -> None:
    coming = Entry(model("new"), DiskState(DiskPhase.PARTIAL, have=5, total=70), None, None)
    table = routes(
        {"auto": ["day-coder", "new"], "soon": ["new"], "claude-*": ["day-coder"]},
        day_coder=Live.READY,
    )
    found = ollama_models.tags((HERE, coming), table, NOW)["models"]
    assert isinstance(found, list)
    assert [each["name"] for each in found] == ["day-coder", "auto"]
    assert found[0] == {
        "name": "day-coder",
        "model": "day-coder",
        "modified_at": "2026-11-21T12:00:00.000Z",
        "size": 70,
        "digest": DIGEST,
        "details": DETAILS,
    }
    assert found[1]["digest"] == DIGEST


@pytest.mark.parametrize(
    ("demanded", "keep_s", "quiet_s", "expires"),
    [
        (True, 300.0, 60.0, "2026-11-21T12:04:00.000Z"),
        (True, 300.0, 400.0, "2026-11-21T12:00:00.000Z"),
        (True, float("inf"), 60.0, ollama_models.FOREVER),
        (True, 1e13, 0.0, ollama_models.FOREVER),
        (False, 300.0, 0.0, ollama_models.FOREVER),
    ],
)
def test_what_is_in_memory_and_until_when(
    demanded: bool, keep_s: float, quiet_s: float, expires: str
) -> None:
    known = replace(HERE.model, demanded=demanded, keep_alive_s=keep_s)
    entry = replace(HERE, model=known, quiet_s=quiet_s)
    body = ollama_models.running((entry, replace(HERE, current=None)), NOW)
    assert body == {
        "models": [
            {
                "name": "day-coder",
                "model": "day-coder",
                "size": 80,
                "size_vram": 80,
                "digest": DIGEST,
                "details": DETAILS,
                "expires_at": expires,
                "context_length": 4096,
            }
        ]
    }


def test_what_a_model_is() -> None:
    serving = ServingDefaults("Be brief.", Sampling(temperature=0.5), 9, ("END",), "{{ x }}")
    found = ollama_models.shown(replace(HERE, model=replace(HERE.model, serving=serving)), NOW)
    assert found["modelfile"] == (
        'FROM hf:org/day-coder\nSYSTEM "Be brief."\nPARAMETER temperature 0.5\n'
        f'PARAMETER num_predict 9\nPARAMETER num_ctx {HERE.model.context}\nPARAMETER stop "END"\n'
    )
    assert str(found["parameters"]).split("\n")[0].split() == ["temperature", "0.5"]
    assert (found["template"], found["system"]) == ("{{ x }}", "Be brief.")
    assert found["model_info"] == {
        "general.architecture": "qwen2",
        "qwen2.context_length": 32768,
    }
    assert found["capabilities"] == ["completion", "tools"]


def test_what_it_can() -> None:
    embedding = replace(HERE, model=replace(HERE.model, task="embed"))
    plain = replace(
        HERE, disk=replace(DISK, footprint=Footprint(1, 1, 1, "x", chat_template=False))
    )
    assert ollama_models.shown(embedding, NOW)["capabilities"] == ["embedding"]
    assert ollama_models.shown(plain, NOW)["capabilities"] == ["completion"]


def test_how_a_download_goes() -> None:
    known = Entry(HERE.model, NO_FILES, None, None)
    assert ollama_models.progress(known) == {"status": "pulling manifest"}
    some = replace(known, disk=DiskState(DiskPhase.PARTIAL, have=5, total=70))
    assert ollama_models.progress(some) == {
        "status": f"pulling {DIGEST[7:19]}",
        "digest": DIGEST,
        "total": 70,
        "completed": 5,
    }
    whole = replace(known, disk=DiskState(DiskPhase.COMPLETE, have=70, total=70))
    assert ollama_models.progress(whole) == {"status": "verifying sha256 digest"}
    failure = Record("k", "HubUnreachable", "no route", 1, NOW, ())
    assert "no route" in str(ollama_models.progress(replace(some, failure=failure))["status"])
