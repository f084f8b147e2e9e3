"""Other processes: a downloader that is killed, one that runs out of room, and foreign ones."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.state import ArtifactRef, DiskPhase
from tests.kit.hub import Hub, Place
from tests.kit.hub_weights import model_files
from tests.store.conftest import Store

REF = ArtifactRef("hf:org/name")
WEIGHTS = "model.safetensors"
CHUNK = 1024 * 1024
ROOT = Path(__file__).parents[2]


@contextmanager
def downloader(store: Store, hub: Hub, *limit: int) -> Iterator[subprocess.Popen[str]]:
    """The real store in a process of its own; killed at the end, whatever happens."""
    words = [str(store.state), str(store.cache), hub.url, REF.source, *map(str, limit)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.store.downloader", *words],
        cwd=ROOT,
        env={**os.environ, "HF_HOME": str(store.cache.parent / "home")},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


def outcome(process: subprocess.Popen[str]) -> str:
    text, _ = process.communicate(timeout=60)
    return text.strip()


async def test_a_killed_downloader_goes_on_where_its_bytes_end(hub: Hub, store: Store) -> None:
    files = model_files(4 * 1024)
    small = [path for path in files if path != WEIGHTS]
    hub.add_repo("org/name", files)
    gate = hub.hold(WEIGHTS, after=3 * CHUNK + 500_000)
    partial = store.cache / "models--org--name/blobs"
    name = f"{hub.files('org/name')[WEIGHTS].etag}.lmxd.incomplete"
    with downloader(store, hub) as process:
        await gate.arrival()
        await asyncio.to_thread(wait_for_bytes, partial / name, 3 * CHUNK)
        for path in small:
            whole = partial / hub.files("org/name")[path].etag
            await asyncio.to_thread(wait_for_bytes, whole, len(files[path]))
        process.kill()
        process.wait()
    kept = (partial / name).stat().st_size
    assert kept >= 3 * CHUNK
    hub.clear()
    with downloader(store, hub) as process:
        assert await asyncio.to_thread(outcome, process) == "done"
    assert [call.start for call in hub.calls(Place.FILE, WEIGHTS)] == [0, kept]
    assert all(len(hub.calls(Place.FILE, path)) == 1 for path in small)
    assert await store.phase(REF) is DiskPhase.VERIFIED
    assert await store.content(REF) == files
    assert (await store.look(REF)).ours == sum(map(len, files.values()))


async def test_a_partial_file_that_rotted_is_found_and_fetched_anew(hub: Hub, store: Store) -> None:
    files = model_files(512)
    hub.add_repo("org/name", files)
    folder = store.cache / "models--org--name/blobs"
    folder.mkdir(parents=True)
    rotten = folder / f"{hub.files('org/name')[WEIGHTS].etag}.lmxd.incomplete"
    rotten.write_bytes(bytes(300_000))
    error = await store.refused(REF)
    assert error.reason == "ChecksumMismatch"
    assert not rotten.exists()
    await store.download(REF)
    assert await store.content(REF) == files


async def test_a_full_disk_keeps_what_came(hub: Hub, store: Store) -> None:
    files = model_files(4 * 1024)
    hub.add_repo("org/name", files)
    with downloader(store, hub, 2 * CHUNK + 700_000) as process:
        assert await asyncio.to_thread(outcome, process) == "DiskFull"
    name = f"{hub.files('org/name')[WEIGHTS].etag}.lmxd.incomplete"
    kept = (store.cache / "models--org--name/blobs" / name).stat().st_size
    assert kept >= CHUNK
    hub.forget_calls()
    await store.download(REF)
    assert [call.start for call in hub.calls(Place.FILE, WEIGHTS)] == [kept]
    assert await store.content(REF) == files


async def test_a_blob_that_another_process_is_writing_is_waited_for(
    hub: Hub, store: Store, open_store: Callable[..., Store]
) -> None:
    files = model_files(512)
    hub.add_repo("org/name", files)
    gate = hub.hold(WEIGHTS, after=100_000)
    with downloader(store, hub) as process:
        await gate.arrival()
        mine = asyncio.create_task(open_store(hub.url).download(REF))
        await asyncio.to_thread(hub.wait_for_calls, 2, Place.TREE)
        gate.open()
        assert await asyncio.to_thread(outcome, process) == "done"
        await mine
    assert hub.bytes_sent(WEIGHTS) == len(files[WEIGHTS])


def wait_for_bytes(path: Path, count: int) -> None:
    """Until a file that another process writes has so many bytes; that process tells nobody."""
    deadline = time.monotonic() + 30
    while not path.exists() or path.stat().st_size < count:
        assert time.monotonic() < deadline, f"{path} never had {count} bytes"
        os.sched_yield()
