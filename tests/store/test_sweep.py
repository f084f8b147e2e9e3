"""At start, partial files that nobody will finish are removed; those that will be are not."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from reconciler.state import ArtifactRef
from tests.kit.hub import Hub
from tests.kit.hub_weights import model_files
from tests.store.conftest import NOW, Store

REF = ArtifactRef("hf:org/name--x")
WEIGHTS = "model.safetensors"
DAY = 24 * 3600


def age(path: Path, seconds: float) -> None:
    at = NOW.timestamp() - seconds
    os.utime(path, (at, at))


def orphan(store: Store, name: str, seconds: float, repo: str = "models--org--old") -> Path:
    path = store.cache / repo / "blobs" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"part")
    age(path, seconds)
    return path


async def leave_partial(hub: Hub, store: Store) -> Path:
    """A download of REF that was cut short by a cancelled daemon."""
    hub.add_repo("org/name--x", model_files())
    gate = hub.hold(WEIGHTS, after=100_000)
    task = asyncio.create_task(store.download(REF))
    await gate.arrival()
    task.cancel()
    await asyncio.wait([task])
    name = f"{hub.files('org/name--x')[WEIGHTS].etag}.lmxd.incomplete"
    return store.cache / "models--org--name--x" / "blobs" / name


async def test_what_is_wanted_stays_however_old(
    hub: Hub, store: Store, open_store: Callable[..., Store]
) -> None:
    path = await leave_partial(hub, store)
    age(path, 10 * DAY)
    assert path.exists()
    await open_store(hub.url).files.sweep(frozenset({REF}))
    assert path.exists()
    await open_store(hub.url).files.sweep(frozenset({ArtifactRef("hf:org/other")}))
    assert not path.exists()


async def test_what_nobody_wants_stays_for_a_day(hub: Hub, store: Store) -> None:
    path = await leave_partial(hub, store)
    age(path, DAY - 60)
    await store.files.sweep(frozenset())
    assert path.exists()
    age(path, DAY + 60)
    await store.files.sweep(frozenset())
    assert not path.exists()


async def test_what_no_record_names_goes(store: Store) -> None:
    path = orphan(store, "a" * 64 + ".lmxd.incomplete", 60)
    await store.files.sweep(frozenset())
    assert not path.exists()


async def test_the_hubs_own_orphans_go_when_old_and_not_locked(store: Store) -> None:
    fresh = orphan(store, "b" * 64 + ".1234.incomplete", 60)
    old = orphan(store, "c" * 64 + ".1234.incomplete", DAY + 60)
    held = orphan(store, "d" * 64 + ".1234.incomplete", DAY + 60)
    whole = orphan(store, "e" * 64, DAY + 60)
    lock = store.cache / ".locks" / "models--org--old" / f"{'d' * 64}.lock"
    lock.parent.mkdir(parents=True)
    with FileLock(lock):
        await store.files.sweep(frozenset())
    assert (fresh.exists(), old.exists(), held.exists(), whole.exists()) == (
        True,
        False,
        True,
        True,
    )


async def test_an_empty_cache_needs_no_sweep(store: Store) -> None:
    await store.files.sweep(frozenset({REF}))
    assert not store.cache.exists()
