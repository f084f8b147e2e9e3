"""Folders of this machine and built-in models: checked before they load, never written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lmxd.statefolder import StateFolder
from lmxd.store.files import BUILTIN, ModelFiles
from lmxd.store.folder_models import SUMS
from reconciler.actions import Delete, Download, Verify
from reconciler.limits import DiskLimits
from reconciler.state import ArtifactRef, DiskPhase, DiskState
from schemas.errors import ActionError
from tests.kit.hub_weights import model_files
from tests.store.conftest import MODELS, NOW, Store


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in files.items():
        (folder / name).write_bytes(body)
    return folder


@pytest.fixture
def local(open_store: Callable[..., Store]) -> Store:
    return open_store()


async def test_a_folder_becomes_verified_where_it_is(local: Store, tmp_path: Path) -> None:
    folder = write(tmp_path / "mine", model_files(shards=2))
    ref = ArtifactRef(f"file:{folder}")
    assert await local.phase(ref) is DiskPhase.COMPLETE
    await local.verify(ref)
    state = await local.look(ref)
    assert (state.phase, state.path, state.ours) == (DiskPhase.VERIFIED, str(folder), 0)
    assert state.footprint is not None
    assert state.revision is not None
    os.utime(folder / "config.json", (1, 1))
    changed = await local.look(ref)
    assert changed.phase is DiskPhase.COMPLETE
    assert changed.revision != state.revision
    await local.delete(ref)
    assert (folder / "config.json").exists()


async def test_a_folder_that_comes_later_is_found(local: Store, tmp_path: Path) -> None:
    ref = ArtifactRef(f"file:{tmp_path / 'later'}")
    assert await local.phase(ref) is DiskPhase.ABSENT
    error = await local.refused(ref)
    assert (error.reason, error.terminal) == ("NotFound", False)
    assert str(tmp_path / "later") in error.message
    files = model_files(shards=2)
    missing = files.pop("model-00002-of-00002.safetensors")
    write(tmp_path / "later", files)
    assert await local.phase(ref) is DiskPhase.PARTIAL
    assert "model-00002-of-00002.safetensors" in (await local.refused(ref)).message
    write(tmp_path / "later", {"model-00002-of-00002.safetensors": missing})
    await local.download(ref)
    await local.verify(ref)
    assert await local.phase(ref) is DiskPhase.VERIFIED


async def test_cut_weights_never_load(local: Store, tmp_path: Path) -> None:
    files = model_files()
    files["model.safetensors"] = files["model.safetensors"][:-10]
    ref = ArtifactRef(f"file:{write(tmp_path / 'cut', files)}")
    with pytest.raises(ActionError) as caught:
        await local.verify(ref)
    assert caught.value.reason == "ChecksumMismatch"
    assert await local.phase(ref) is DiskPhase.COMPLETE


async def test_a_home_folder_is_found(
    local: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "models" / "mine", model_files())
    assert await local.phase(ArtifactRef("file:~/models/mine")) is DiskPhase.COMPLETE


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    folder = write(tmp_path / "builtin" / "tiny", model_files())
    names = ("config.json", "model.safetensors")
    lines = [f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (folder / SUMS).write_text("".join(lines))
    return folder


@pytest.fixture
def builtin(shipped: Path, tmp_path: Path) -> ModelFiles:
    state = StateFolder(tmp_path / "state", now=lambda: NOW)
    cache = tmp_path / "cache"
    return ModelFiles(cache, state, now=lambda: NOW, environ={}, builtin=shipped.parent)


async def look(files: ModelFiles, ref: ArtifactRef) -> DiskState:
    return (await files.observe(frozenset({ref})))[ref]


async def test_a_built_in_model_is_checked_by_its_sums(builtin: ModelFiles, shipped: Path) -> None:
    ref = ArtifactRef("builtin:tiny")
    assert (await look(builtin, ref)).phase is DiskPhase.COMPLETE
    await builtin.verify(Verify(ref, MODELS))
    state = await look(builtin, ref)
    assert (state.phase, state.path) == (DiskPhase.VERIFIED, str(shipped))
    await builtin.delete(Delete(ref, state.revision or "", MODELS))
    assert (await look(builtin, ref)).phase is DiskPhase.VERIFIED


async def test_a_changed_built_in_model_never_loads(builtin: ModelFiles, shipped: Path) -> None:
    body = bytearray((shipped / "model.safetensors").read_bytes())
    body[-1] ^= 1
    write(shipped, {"model.safetensors": bytes(body)})
    with pytest.raises(ActionError) as caught:
        await builtin.verify(Verify(ArtifactRef("builtin:tiny"), MODELS))
    assert (caught.value.reason, caught.value.terminal) == ("ChecksumMismatch", True)
    assert (await look(builtin, ArtifactRef("builtin:tiny"))).phase is DiskPhase.COMPLETE


async def test_an_unknown_built_in_model_names_those_there_are(builtin: ModelFiles) -> None:
    ref = ArtifactRef("builtin:nothing")
    assert (await look(builtin, ref)).phase is DiskPhase.ABSENT
    with pytest.raises(ActionError) as caught:
        await builtin.download(Download(ref, DiskLimits(), MODELS))
    assert (caught.value.reason, caught.value.terminal) == ("NotFound", True)
    assert "tiny" in (caught.value.hint or "")


def test_built_in_models_lie_in_the_package() -> None:
    assert BUILTIN.is_dir()
    assert BUILTIN.parent.name == "store"
