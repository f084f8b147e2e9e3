"""What goes wrong between a hub and this disk has a reason of its own, and loses nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from reconciler.state import ArtifactRef, DiskPhase
from tests.kit.hub import Hub, Place
from tests.kit.hub_weights import model_files
from tests.store.conftest import QUICK, Store

REF = ArtifactRef("hf:org/name")
FILES = model_files()
WEIGHTS = "model.safetensors"
SIZE = len(FILES[WEIGHTS])


@pytest.fixture
def commit(hub: Hub) -> str:
    return hub.add_repo("org/name", FILES)


@pytest.mark.usefixtures("commit")
@pytest.mark.parametrize("reset", [False, True])
async def test_a_cut_transfer_goes_on_where_it_ended(hub: Hub, store: Store, reset: bool) -> None:
    hub.cut(WEIGHTS, after=100_000, reset=reset)
    hub.cut(WEIGHTS, after=50_000, reset=reset)
    await store.download(REF)
    assert await store.content(REF) == FILES
    starts = [call.start for call in hub.calls(Place.FILE, WEIGHTS)]
    assert len(starts) == 3
    if not reset:  # a reset may throw away what the client had not read yet
        assert starts == [0, 100_000, 150_000]


@pytest.mark.usefixtures("commit")
async def test_a_link_that_always_dies_finishes_as_long_as_bytes_come(
    hub: Hub, store: Store
) -> None:
    hub.cut(WEIGHTS, after=70_000, times=None)
    await store.download(REF)
    assert await store.phase(REF) is DiskPhase.VERIFIED
    assert len(hub.calls(Place.FILE, WEIGHTS)) == SIZE // 70_000 + 1
    assert hub.bytes_sent(WEIGHTS) == SIZE


@pytest.mark.usefixtures("commit")
async def test_a_link_that_brings_nothing_ends_the_attempt_and_keeps_the_bytes(
    hub: Hub, store: Store
) -> None:
    hub.cut(WEIGHTS, after=200_000)
    hub.cut(WEIGHTS, times=None)
    error = await store.refused(REF)
    assert (error.reason, error.terminal) == ("HubUnreachable", False)
    assert WEIGHTS in error.message
    state = await store.look(REF)
    assert (state.phase, state.path) == (DiskPhase.PARTIAL, None)
    hub.clear()
    await store.download(REF)
    assert hub.calls(Place.FILE, WEIGHTS)[-1].start == 200_000


@pytest.mark.usefixtures("commit")
async def test_a_server_without_ranges_is_read_from_the_start(hub: Hub, store: Store) -> None:
    hub.ranges = False
    hub.cut(WEIGHTS, after=200_000)
    await store.download(REF)
    assert await store.content(REF) == FILES
    assert hub.bytes_sent(WEIGHTS) == 200_000 + SIZE


@pytest.mark.usefixtures("commit")
@pytest.mark.parametrize("path", [WEIGHTS, "config.json"])
async def test_corrupted_bytes_are_found_and_never_loadable(
    hub: Hub, store: Store, path: str
) -> None:
    hub.corrupt(path, offset=11)
    error = await store.refused(REF)
    assert (error.reason, error.terminal) == ("ChecksumMismatch", False)
    assert path in error.message
    state = await store.look(REF)
    assert state.phase in (DiskPhase.PARTIAL, DiskPhase.ABSENT)
    assert state.path is None
    held = hub.files("org/name")[path].etag
    assert not {name for name in store.blobs() if name.startswith(held)}, "bad bytes stay nowhere"
    hub.clear()
    await store.download(REF)
    assert await store.content(REF) == FILES


@pytest.mark.usefixtures("commit")
async def test_a_file_shorter_than_listed_is_a_mismatch(hub: Hub, store: Store) -> None:
    hub.truncate(WEIGHTS, length=400_000)
    error = await store.refused(REF)
    assert error.reason == "ChecksumMismatch"
    assert "400000" in error.message
    assert str(SIZE) in error.message


@pytest.mark.usefixtures("commit")
@pytest.mark.parametrize("at", [Place.INFO, Place.TREE, Place.RESOLVE, Place.FILE])
async def test_500_and_429_pass_when_they_end_soon(hub: Hub, store: Store, at: Place) -> None:
    hub.answer(500, at, times=2)
    hub.answer(429, at, retry_after="0", times=1)
    await store.download(REF)
    assert await store.phase(REF) is DiskPhase.VERIFIED


@pytest.mark.usefixtures("commit")
@pytest.mark.parametrize("at", [Place.INFO, Place.TREE, Place.RESOLVE, Place.FILE])
@pytest.mark.parametrize(
    ("status", "reason", "terminal"),
    [
        (500, "HubUnreachable", False),
        (503, "HubUnreachable", False),
        (429, "RateLimited", False),
        (401, "Unauthorized", True),
        (403, "Unauthorized", True),
        (404, "NotFound", True),
    ],
)
async def test_each_refusal_has_its_reason(
    hub: Hub, store: Store, at: Place, status: int, reason: str, terminal: bool
) -> None:
    hub.answer(status, at, "config.json" if at is Place.FILE else "*")
    error = await store.refused(REF)
    assert (error.reason, error.terminal) == (reason, terminal)
    assert str(status) in error.message
    assert "org/name" in str(error)


@pytest.mark.usefixtures("commit")
async def test_an_expired_link_to_the_storage_is_asked_for_anew(hub: Hub, store: Store) -> None:
    hub.cut(WEIGHTS, after=200_000)
    hub.answer(403, Place.FILE, WEIGHTS, times=1)
    await store.download(REF)
    assert len(hub.calls(Place.RESOLVE, WEIGHTS)) == 3
    assert hub.calls(Place.FILE, WEIGHTS)[-1].start == 200_000


@pytest.mark.usefixtures("commit")
async def test_a_long_retry_after_is_left_to_the_loop(hub: Hub, store: Store) -> None:
    hub.answer(429, Place.INFO, retry_after="90")
    error = await store.refused(REF)
    assert (error.reason, error.retry_after_s) == ("RateLimited", 90.0)
    assert len(hub.calls(Place.INFO)) == 1


async def test_names_that_do_not_exist(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", FILES)
    store.environ["HF_TOKEN"] = "hf_any"
    error = await store.refused(ArtifactRef("hf:org/none"))
    assert (error.reason, error.terminal) == ("NotFound", True)
    assert "repository" in error.message
    error = await store.refused(ArtifactRef("hf:org/name", "v9"))
    assert (error.reason, error.terminal) == ("NotFound", True)
    assert "revision" in error.message
    assert "v9" in error.message


async def test_a_gated_repository_opens_with_the_right_token(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", FILES, gated=True, tokens=["hf_good"])
    before = store.files.credentials()
    for token in ("", "hf_wrong"):
        store.environ["HF_TOKEN"] = token
        error = await store.refused(REF)
        assert (error.reason, error.terminal) == ("GatedRepo", True)
        assert error.hint is not None
        assert f"{hub.url}/org/name" in error.hint
        assert "HF_TOKEN" in error.hint
        assert "hf_wrong" not in str(error)
    store.environ["HF_TOKEN"] = "hf_good"
    assert store.files.credentials() != before
    assert "hf_good" not in store.files.credentials()
    await store.download(REF)
    assert await store.phase(REF) is DiskPhase.VERIFIED


async def test_the_token_goes_to_the_hub_and_not_to_the_cdn(hub: Hub, store: Store) -> None:
    hub.add_repo("org/name", FILES, private=True, tokens=["hf_good"])
    store.environ["HF_TOKEN"] = "hf_good"
    await store.download(REF)
    sent = {(call.origin, call.headers.get("authorization")) for call in hub.calls()}
    assert sent == {("hub", "Bearer hf_good"), ("cdn", None)}
    kept = [p for p in store.cache.parent.rglob("*") if p.is_file() and not p.is_symlink()]
    assert not [p for p in kept if b"hf_good" in p.read_bytes()]


@pytest.mark.usefixtures("commit")
async def test_a_stalled_transfer_is_told_and_resumed(
    hub: Hub, open_store: Callable[..., Store]
) -> None:
    store = open_store(hub.url, replace(QUICK, pace_s=1.0, tries=2))
    hub.hold(WEIGHTS, after=200_000)
    hub.hold(WEIGHTS, times=None)
    error = await store.refused(REF)
    assert (error.reason, error.terminal) == ("DownloadStalled", False)
    assert f"200000 of {SIZE}" in error.message
    hub.clear()
    await open_store(hub.url).download(REF)
    assert hub.calls(Place.FILE, WEIGHTS)[-1].start == 200_000


@pytest.mark.usefixtures("commit")
async def test_a_trickle_is_a_stall(hub: Hub, open_store: Callable[..., Store]) -> None:
    store = open_store(hub.url, replace(QUICK, pace_s=0.2, tries=1))
    hub.drip(WEIGHTS, after=100_000)
    # The first span brought enough; the one after it holds single bytes only.
    assert (await store.refused(REF)).reason == "DownloadStalled"


async def test_nobody_listens(open_store: Callable[..., Store]) -> None:
    store = open_store("http://127.0.0.1:9")
    error = await store.refused(REF)
    assert (error.reason, error.terminal) == ("HubUnreachable", False)
    assert "http://127.0.0.1:9/org/name" in (error.hint or "")


@pytest.mark.usefixtures("commit")
@pytest.mark.parametrize("at", [Place.INFO, Place.TREE])
async def test_something_else_listens(hub: Hub, store: Store, at: Place) -> None:
    hub.answer(200, at)
    error = await store.refused(REF)
    assert (error.reason, error.terminal) == ("HubUnreachable", False)
    assert "does not behave like a hub" in error.message


async def test_an_endpoint_that_is_no_url(store: Store) -> None:
    store.environ |= {"HF_ENDPOINT": "http://host:port", "HF_TOKEN": "hf_any"}
    error = await store.refused(REF)
    assert (error.reason, error.terminal) == ("HubUnreachable", True)
    assert "http://host:port" in error.message


async def test_offline_is_said(hub: Hub, open_store: Callable[..., Store]) -> None:
    store = open_store(hub.url, HF_HUB_OFFLINE="1")
    assert (await store.refused(REF)).reason == "Offline"
    assert not hub.calls()


@pytest.mark.usefixtures("commit")
async def test_cancelling_keeps_what_came_and_lets_the_lock_go(hub: Hub, store: Store) -> None:
    hub.hold(WEIGHTS, after=300_000)
    task = asyncio.create_task(store.download(REF))
    async with asyncio.timeout(30):
        while (await store.look(REF)).have < 300_000:
            pass
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(5):
            await task
    state = await store.look(REF)
    assert state.phase is DiskPhase.PARTIAL
    assert state.have >= 300_000
    await store.download(REF)
    assert [call.start for call in hub.calls(Place.FILE, WEIGHTS)] == [0, 300_000]


async def test_a_repository_that_is_no_model_is_refused_before_its_bytes(
    hub: Hub, store: Store
) -> None:
    hub.add_repo("org/name", {"model.gguf": b"GGUF", "README.md": b"hello"})
    error = await store.refused(REF)
    assert (error.reason, error.terminal) == ("UnsupportedArchitecture", True)
    hub.add_repo("org/name", {**FILES, "config.json": json.dumps({}).encode()})
    error = await store.refused(REF)
    assert (error.reason, error.terminal) == ("UnsupportedArchitecture", True)
    assert (await store.look(REF)).phase is DiskPhase.COMPLETE, "never loadable"


@pytest.mark.parametrize("source", ["hf:org/name:Q4_K_M", "oci:host/name:tag", "nonsense"])
async def test_sources_of_later_versions_say_so(store: Store, source: str) -> None:
    error = await store.refused(ArtifactRef(source))
    assert (error.reason, error.terminal) == ("UnsupportedField", True)
    assert await store.phase(ArtifactRef(source)) is DiskPhase.ABSENT
