"""A model comes from a hub to the ordinary Hugging Face cache, whole, checked and loadable."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from huggingface_hub import scan_cache_dir, snapshot_download

from reconciler.limits import DiskLimits
from reconciler.state import ArtifactRef, DiskPhase
from tests.kit.hub import Hub, Place
from tests.kit.hub_weights import model_files
from tests.store.conftest import Store

REF = ArtifactRef("hf:org/name")
FILES = model_files()


async def test_download_ends_verified_with_path_revision_and_footprint(
    hub: Hub, store: Store
) -> None:
    commit = hub.add_repo("org/name", {**FILES, "pytorch_model.bin": b"no", "a.gguf": b"no"})
    assert await store.phase(REF) is DiskPhase.ABSENT
    await store.download(REF)
    state = await store.look(REF)
    assert state.phase is DiskPhase.VERIFIED
    assert state.revision == commit
    assert state.have == state.total == state.ours == sum(map(len, FILES.values()))
    assert state.footprint is not None
    assert state.footprint.weights == 512 * 1024
    assert await store.content(REF) == FILES


async def test_huggingface_hub_finds_it_as_if_it_had_downloaded_it(hub: Hub, store: Store) -> None:
    commit = hub.add_repo("org/name", FILES)
    await store.download(REF)
    hub.forget_calls()
    branch = snapshot_download("org/name", cache_dir=store.cache, local_files_only=True)
    assert Path(branch) == store.cache / "models--org--name" / "snapshots" / commit
    scanned = scan_cache_dir(store.cache)
    assert not scanned.warnings
    (repo,) = scanned.repos
    assert repo.size_on_disk == sum(map(len, FILES.values()))
    assert {ref for revision in repo.revisions for ref in revision.refs} == {"main"}
    fetched = snapshot_download(
        "org/name", cache_dir=store.cache, endpoint=hub.url, token=False, revision=commit
    )
    assert fetched == branch
    assert not hub.calls(Place.FILE)


async def test_a_listing_of_many_pages_and_shards(open_store: Callable[..., Store]) -> None:
    with Hub(page=3) as hub:
        files = model_files(shards=5)
        hub.add_repo("org/name", files)
        store = open_store(hub.url)
        await store.download(REF)
        assert await store.phase(REF) is DiskPhase.VERIFIED
        assert len(hub.calls(Place.TREE)) == 4


async def test_a_second_store_asks_nobody_for_what_is_complete(
    hub: Hub, store: Store, open_store: Callable[..., Store]
) -> None:
    hub.add_repo("org/name", FILES)
    await store.download(REF)
    again = open_store("http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert await again.phase(REF) is DiskPhase.VERIFIED


async def test_a_pinned_commit_stays_and_a_branch_follows(hub: Hub, store: Store) -> None:
    old = hub.add_repo("org/name", FILES)
    pinned = ArtifactRef("hf:org/name", old)
    floating = ArtifactRef("hf:org/name", "main")
    new = hub.add_repo("org/name", {**FILES, "README.md": b"second"})
    await store.download(pinned)
    assert not hub.calls(Place.INFO), "a full commit needs no question which one it is"
    assert await store.phase(floating) is DiskPhase.ABSENT
    await store.download(floating)
    assert (await store.look(pinned)).revision == old
    assert (await store.look(floating)).revision == new
    assert len(hub.calls(Place.FILE, "model.safetensors")) == 1, "blobs are shared by revisions"


async def test_a_branch_with_a_slash_is_asked_for_and_kept(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", FILES, branch="refs/pr/1")
    ref = ArtifactRef("hf:org/name", "refs/pr/1")
    await store.download(ref)
    assert await store.phase(ref) is DiskPhase.VERIFIED
    assert (store.cache / "models--org--name/refs/refs/pr/1").exists()


async def test_two_models_of_one_commit_fetch_each_byte_once(hub: Hub, store: Store) -> None:
    commit = hub.add_repo("org/name", FILES)
    gate = hub.hold("model.safetensors", after=100_000)
    pinned = ArtifactRef("hf:org/name", commit)
    first = asyncio.create_task(store.download(REF))
    await gate.arrival()
    second = asyncio.create_task(store.download(pinned))
    await asyncio.to_thread(hub.wait_for_calls, 2, Place.TREE)
    gate.open()
    await asyncio.gather(first, second)
    assert await store.phase(REF) is DiskPhase.VERIFIED
    assert await store.phase(pinned) is DiskPhase.VERIFIED
    assert hub.bytes_sent("model.safetensors") == len(FILES["model.safetensors"])


async def test_progress_is_seen_in_bytes_while_it_runs(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", FILES)
    gate = hub.hold("model.safetensors", after=300_000)
    task = asyncio.create_task(store.download(REF))
    await gate.arrival()
    small = sum(len(body) for path, body in FILES.items() if not path.endswith(".safetensors"))
    async with asyncio.timeout(30):
        while (state := await store.look(REF)).have < small + 300_000:
            assert state.phase is DiskPhase.PARTIAL
    assert state.have == small + 300_000
    assert state.total == sum(map(len, FILES.values()))
    gate.open()
    await task


async def test_the_record_is_written_before_the_first_byte(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", FILES)
    gate = hub.hold(at=Place.RESOLVE, times=None)
    task = asyncio.create_task(store.download(REF))
    await gate.arrival()
    (record,) = (store.state / "inventory").glob("*.json")
    body = json.loads(record.read_text())
    assert {file["path"] for file in body["files"]} == set(FILES)
    assert all(file["own_blob"] for file in body["files"])
    assert not any(not name.endswith(".lmxd.incomplete") for name in store.blobs())
    hub.clear()
    await task


async def test_limits_are_checked_before_the_first_byte(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", FILES)
    store.limits = DiskLimits(own=300 * 1024)
    error = await store.refused(REF)
    assert error.reason == "DiskLimitReached"
    assert not error.terminal
    assert "512.4 KiB" in error.message
    assert "300 KiB" in error.message
    store.limits = DiskLimits(free=1 << 60)
    error = await store.refused(REF)
    assert error.reason == "DiskFull"
    assert "1048576 TiB" in error.message
    assert not hub.calls(Place.FILE)
    assert not store.blobs()
    store.limits = DiskLimits(own=600 * 1024)
    await store.download(REF)
    other = ArtifactRef("hf:org/other")
    hub.add_repo("org/other", model_files(seed=1))
    assert (await store.refused(other)).reason == "DiskLimitReached"
    assert await store.files.own_bytes() == sum(map(len, FILES.values()))


async def test_hub_paths_cannot_leave_the_snapshot(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", {**FILES, "../../../../escaped.json": b"{}", "/abs.json": b"{}"})
    await store.download(REF)
    assert await store.content(REF) == FILES
    assert not list(store.cache.parent.rglob("escaped.json"))
