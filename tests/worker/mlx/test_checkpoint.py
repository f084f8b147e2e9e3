"""A folder that is no whole model is refused in one sentence that names the file."""

import json
import struct

import pytest

from lmxd.worker.mlx.checkpoint import verify
from schemas.errors import ActionError
from tests.kit import tiny


@pytest.fixture
def folder(tmp_path):
    return tiny.make(tmp_path / "model")


def cut(path, by=1):
    path.write_bytes(path.read_bytes()[:-by])


def grow(path):
    path.write_bytes(path.read_bytes() + b"x")


def shard(folder, present=("a", "b")):
    weights = folder / "model.safetensors"
    names = {f"model-{name}.safetensors" for name in ("a", "b")}
    for name in present:
        (folder / f"model-{name}.safetensors").write_bytes(weights.read_bytes())
    weights.unlink()
    index = {"metadata": {"total_size": 1}, "weight_map": {name[6]: name for name in names}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def header(folder, content):
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(content)) + content)


BROKEN = [
    (lambda f: cut(f / "model.safetensors"), r"model.safetensors has \d+ bytes, its header says"),
    (lambda f: cut(f / "model.safetensors", 10**9), "0 bytes and no whole safetensors header"),
    (lambda f: (f / "model.safetensors").write_bytes(b"\0" * 9), "header of model.safetensors"),
    (lambda f: header(f, b"{}x"), "header of model.safetensors cannot be read"),
    (lambda f: header(f, b'{"a": {"data_offsets": [0, "x"]}}'), "cannot be read"),
    (lambda f: grow(f / "model.safetensors"), "its header says"),
    (lambda f: (f / "model.safetensors").unlink(), "no model"),
    (lambda f: shard(f, present=["a"]), "1 of 2 weight files are missing.*model-b.safetensors"),
    (lambda f: (f / "config.json").unlink(), "config.json is missing"),
    (lambda f: (f / "config.json").write_text("{"), "config.json cannot be read"),
    (lambda f: (f / "config.json").write_text("[]"), "config.json names no model_type"),
]


@pytest.mark.parametrize(("damage", "message"), BROKEN)
def test_a_damaged_folder_is_refused(folder, damage, message):
    damage(folder)
    with pytest.raises(ActionError, match=message) as caught:
        verify(folder)
    assert (caught.value.reason, caught.value.terminal) == ("UnverifiedFiles", True)


def test_a_whole_model_in_one_file_or_in_shards_passes(folder):
    verify(folder)
    shard(folder)
    verify(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ActionError, match="nowhere is not there"):
        verify(tmp_path / "nowhere")
