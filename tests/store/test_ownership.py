"""lmxd deletes what it put there, and nothing else; it uses what others put there, once checked."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import hf_hub_download, scan_cache_dir, snapshot_download

from reconciler.state import ArtifactRef, DiskPhase
from schemas.errors import ActionError
from tests.kit.hub import Hub, Place
from tests.kit.hub_repos import read_folder
from tests.kit.hub_weights import model_files
from tests.store.conftest import Store

REF = ArtifactRef("hf:org/name")
FILES = model_files()
WEIGHTS = "model.safetensors"


def by_the_hub(hub: Hub, store: Store, revision: str | None = None) -> Path:
    """What another program would download."""
    found = snapshot_download(
        "org/name", revision=revision, cache_dir=store.cache, endpoint=hub.url, token=False
    )
    return Path(found)


def everything(cache: Path) -> set[str]:
    """All files and links of a cache, without lock files and the hub's notes."""
    found = (path for path in cache.rglob("*") if path.is_symlink() or path.is_file())
    names = {path.relative_to(cache).as_posix() for path in found}
    return {n for n in names if not n.startswith((".locks", "CACHEDIR")) and "/trees/" not in n}


async def test_delete_leaves_nothing_of_a_download(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", FILES)
    await store.download(REF)
    await store.delete(REF)
    assert await store.phase(REF) is DiskPhase.ABSENT
    assert not everything(store.cache)
    assert not (store.cache / "models--org--name").exists()
    assert not list((store.state / "inventory").glob("*.json"))
    assert await store.files.own_bytes() == 0


async def test_delete_takes_a_partial_download_too(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", FILES)
    hub.hold(WEIGHTS, after=300_000)
    task = asyncio.create_task(store.download(REF))
    async with asyncio.timeout(30):
        while (await store.look(REF)).have < 300_000:
            pass
    task.cancel()
    await asyncio.wait([task])
    state = await store.look(REF)
    assert state.ours == state.have > 300_000
    await store.delete(REF)
    assert not everything(store.cache)


async def test_a_foreign_snapshot_is_used_after_a_check_and_never_deleted(
    hub: Hub, store: Store
) -> None:
    commit = hub.add_repo("org/name", FILES)
    by_the_hub(hub, store)
    before = everything(store.cache)
    hub.forget_calls()
    state = await store.look(REF)
    assert (state.phase, state.revision, state.ours) == (DiskPhase.COMPLETE, commit, 0)
    assert state.path is None, "nothing loads unverified"
    await store.verify(REF)
    state = await store.look(REF)
    assert (state.phase, state.ours) == (DiskPhase.VERIFIED, 0)
    assert not hub.calls(), "its blobs are named by their digests"
    await store.delete(REF)
    assert everything(store.cache) == before
    assert await store.phase(REF) is DiskPhase.COMPLETE


async def test_a_foreign_part_stays_when_the_rest_goes(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", FILES)
    hf_hub_download("org/name", "config.json", cache_dir=store.cache, endpoint=hub.url, token=False)
    before = everything(store.cache)
    assert await store.phase(REF) is DiskPhase.PARTIAL
    await store.download(REF)
    state = await store.look(REF)
    assert state.phase is DiskPhase.VERIFIED
    assert state.ours == sum(map(len, FILES.values())) - len(FILES["config.json"])
    assert len(hub.calls(Place.FILE, "config.json")) == 1
    await store.delete(REF)
    assert everything(store.cache) == before


async def test_blobs_that_a_foreign_snapshot_links_to_stay(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", FILES)
    await store.download(REF)
    hub.add_repo("org/name", {**FILES, "README.md": b"second"})
    theirs = by_the_hub(hub, store)
    pinned = ArtifactRef("hf:org/name", (await store.look(REF)).revision)
    await store.delete(pinned)
    assert read_folder(theirs) == {**FILES, "README.md": b"second"}
    assert not scan_cache_dir(store.cache).warnings


async def test_two_revisions_share_blobs_and_the_last_one_takes_them(
    hub: Hub, store: Store
) -> None:
    old = ArtifactRef("hf:org/name", hub.add_repo("org/name", FILES))
    new = ArtifactRef("hf:org/name", hub.add_repo("org/name", {**FILES, "README.md": b"2"}))
    await store.download(old)
    await store.download(new)
    assert len(hub.calls(Place.FILE, WEIGHTS)) == 1
    await store.delete(old)
    assert await store.phase(new) is DiskPhase.VERIFIED
    assert (await store.look(new)).ours == sum(map(len, FILES.values())) - len(
        FILES["README.md"]
    ) + 1
    await store.delete(new)
    assert not everything(store.cache)


async def test_a_blob_fetched_by_another_program_meanwhile_is_theirs(
    hub: Hub, store: Store
) -> None:
    hub.add_repo("org/name", FILES)
    gates = [hub.hold(path, at=Place.RESOLVE) for path in FILES]
    task = asyncio.create_task(store.download(REF))
    await gates[list(FILES).index("config.json")].arrival()
    await asyncio.to_thread(hub.wait_for_calls, 1, Place.TREE)
    blob = store.cache / "models--org--name/blobs" / hub.files("org/name")[WEIGHTS].etag
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(FILES[WEIGHTS])
    hub.clear()
    await task
    assert not hub.calls(Place.FILE, WEIGHTS)
    await store.delete(REF)
    assert everything(store.cache) == {blob.relative_to(store.cache).as_posix()}


async def test_files_deleted_by_hand_are_missed_and_come_again(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", FILES)
    await store.download(REF)
    blob = store.cache / "models--org--name/blobs" / hub.files("org/name")[WEIGHTS].etag
    blob.unlink()
    state = await store.look(REF)
    assert (state.phase, state.path) == (DiskPhase.PARTIAL, None)
    await store.download(REF)
    assert await store.content(REF) == FILES
    for path in sorted((store.cache / "models--org--name").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    assert await store.phase(REF) is DiskPhase.ABSENT


async def test_own_files_that_changed_are_found_removed_and_fetched(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", FILES)
    await store.download(REF)
    blob = store.cache / "models--org--name/blobs" / hub.files("org/name")[WEIGHTS].etag
    with blob.open("r+b") as file:
        file.truncate(1000)
    state = await store.look(REF)
    assert (state.phase, state.path) == (DiskPhase.COMPLETE, None)
    error = await _verify_fails(store)
    assert not error.terminal
    assert not blob.exists()
    assert await store.phase(REF) is DiskPhase.PARTIAL
    await store.download(REF)
    assert await store.content(REF) == FILES


async def test_foreign_files_that_are_wrong_are_named_and_left(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", FILES)
    folder = by_the_hub(hub, store)
    blob = (folder / WEIGHTS).resolve()
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)
    error = await _verify_fails(store)
    assert str(blob) in error.message
    assert blob.read_bytes() == bytes(content)
    assert (await store.look(REF)).path is None
    assert (await store.refused(REF)).reason == "ChecksumMismatch"
    blob.unlink()
    await store.download(REF)
    assert await store.content(REF) == FILES


async def test_a_touched_file_is_checked_again_and_keeps_its_verdict(
    hub: Hub, store: Store
) -> None:
    hub.add_repo("org/name", FILES)
    await store.download(REF)
    blob = store.cache / "models--org--name/blobs" / hub.files("org/name")[WEIGHTS].etag
    os.utime(blob, (1, 1))
    assert await store.phase(REF) is DiskPhase.COMPLETE
    await store.verify(REF)
    assert await store.phase(REF) is DiskPhase.VERIFIED


async def _verify_fails(store: Store) -> ActionError:
    with pytest.raises(ActionError) as caught:
        await store.verify(REF)
    assert caught.value.reason == "ChecksumMismatch"
    return caught.value


async def test_a_lost_inventory_costs_ownership_and_nothing_else(
    hub: Hub, store: Store, open_store: Callable[..., Store]
) -> None:
    hub.add_repo("org/name", FILES)
    await store.download(REF)
    for record in (store.state / "inventory").glob("*.json"):
        record.write_text("{")
    again = open_store(hub.url)
    state = await again.look(REF)
    assert (state.phase, state.ours) == (DiskPhase.COMPLETE, 0)
    await again.verify(REF)
    assert await again.content(REF) == FILES
    await again.delete(REF)
    assert await again.phase(REF) is DiskPhase.COMPLETE
