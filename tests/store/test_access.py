"""The environment says where the hub is and as whom to ask, as for every Hugging Face program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lmxd.store.access import default_cache, read_access
from lmxd.store.listing import is_needed, is_safe


def test_endpoint_and_token(tmp_path: Path) -> None:
    environ = {"HF_ENDPOINT": "http://hub:1/", "HF_TOKEN": " hf_secret\n", "HF_HOME": str(tmp_path)}
    access = read_access(environ)
    assert (access.endpoint, access.token, access.offline) == ("http://hub:1", "hf_secret", False)
    assert "hf_secret" not in repr(access) + access.fingerprint
    assert read_access({"HF_HOME": str(tmp_path)}).endpoint == "https://huggingface.co"
    assert read_access({"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}).offline


def test_the_token_file_counts_unless_it_is_switched_off(tmp_path: Path) -> None:
    environ = {"HF_HOME": str(tmp_path)}
    assert read_access(environ).token is None
    before = read_access(environ).fingerprint
    (tmp_path / "token").write_text("hf_file\n")
    assert read_access(environ).token == "hf_file"
    assert read_access(environ).fingerprint != before
    assert read_access({**environ, "HF_TOKEN": "hf_named"}).token == "hf_named"
    assert read_access({**environ, "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1"}).token is None
    (tmp_path / "elsewhere").write_text("hf_other")
    there = {**environ, "HF_TOKEN_PATH": str(tmp_path / "elsewhere")}
    assert read_access(there).token == "hf_other"


@pytest.mark.parametrize(
    ("url", "sent"),
    [
        ("http://hub:1/api/models/x", True),
        ("http://hub:2/api/models/x", False),
        ("https://hub:1/api/models/x", False),
        ("http://hub.evil:1/x", False),
        ("http://hub:1@evil/x", False),
        ("http://[broken", False),
    ],
)
def test_the_token_is_for_the_hubs_origin_only(url: str, sent: bool) -> None:
    access = read_access({"HF_ENDPOINT": "http://hub:1", "HF_TOKEN": "hf_secret"})
    assert ("Authorization" in access.headers(url)) is sent


def test_the_cache_is_the_one_everybody_uses(tmp_path: Path) -> None:
    assert default_cache({"HF_HUB_CACHE": "/a/b"}) == Path("/a/b")
    assert default_cache({"HF_HOME": "/a"}) == Path("/a/hub")
    assert default_cache({"XDG_CACHE_HOME": "/x"}) == Path("/x/huggingface/hub")
    assert default_cache({}) == Path.home() / ".cache/huggingface/hub"


@pytest.mark.parametrize(
    ("path", "needed"),
    [
        ("model.safetensors", True),
        ("model-00001-of-00002.safetensors", True),
        ("model.safetensors.index.json", True),
        ("config.json", True),
        ("chat_template.jinja", True),
        ("tokenizer.model", True),
        ("merges.txt", True),
        ("README.md", True),
        ("LICENSE", True),
        ("1_Pooling/config.json", True),
        ("consolidated.safetensors", False),
        ("onnx/model.safetensors", False),
        ("pytorch_model.bin", False),
        ("model.gguf", False),
        ("original/consolidated.00.pth", False),
        (".gitattributes", False),
        ("assets/picture.png", False),
    ],
)
def test_what_a_model_needs(path: str, needed: bool) -> None:
    assert is_needed(path) is needed


@pytest.mark.parametrize("path", ["", "/etc/passwd", "../x.json", "a/../../x.json", "a\0.json"])
def test_paths_that_leave_their_folder(path: str) -> None:
    assert not is_safe(path)


def test_the_store_is_imported_without_its_heavy_parts() -> None:
    code = (
        "import sys, lmxd.store.files; "
        "print(sorted({'httpx2', 'huggingface_hub'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
