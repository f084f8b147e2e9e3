"""What the store's tests share: a hub, a cache, a state folder, and the store on top of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lmxd.statefolder import StateFolder
from lmxd.store.files import ModelFiles
from lmxd.store.retries import FetchRules
from reconciler.actions import Delete, Download, Verify
from reconciler.limits import DiskLimits
from reconciler.state import ArtifactRef, DiskPhase, DiskState, ModelKey
from schemas.errors import ActionError
from tests.kit.hub import Hub
from tests.kit.hub_repos import read_folder

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
QUICK = FetchRules(pause_s=0.01, patience_s=0.5, pace_s=20.0, buffer=64 * 1024)
MODELS = (ModelKey("m"),)


@dataclass
class Store:
    """`ModelFiles` with the actions a plan would give it, in short."""

    files: ModelFiles
    cache: Path
    state: Path
    environ: dict[str, str]
    limits: DiskLimits = field(default_factory=DiskLimits)

    async def look(self, ref: ArtifactRef) -> DiskState:
        return (await self.files.observe(frozenset({ref})))[ref]

    async def phase(self, ref: ArtifactRef) -> DiskPhase:
        return (await self.look(ref)).phase

    async def content(self, ref: ArtifactRef) -> dict[str, bytes]:
        """What is in the folder to load from."""
        path = (await self.look(ref)).path
        assert path is not None, "not verified"
        return read_folder(Path(path))

    async def download(self, ref: ArtifactRef) -> None:
        await self.files.download(Download(ref, self.limits, MODELS))

    async def verify(self, ref: ArtifactRef) -> None:
        await self.files.verify(Verify(ref, MODELS))

    async def delete(self, ref: ArtifactRef) -> None:
        revision = (await self.look(ref)).revision
        assert revision is not None
        await self.files.delete(Delete(ref, revision, MODELS))

    async def refused(self, ref: ArtifactRef) -> ActionError:
        """Download, and return the error it must end with."""
        with pytest.raises(ActionError) as caught:
            await self.download(ref)
        return caught.value

    def blobs(self) -> set[str]:
        return {path.name for path in self.cache.glob("models--*/blobs/*")}


@pytest.fixture
def hub() -> Iterator[Hub]:
    with Hub() as hub:
        yield hub


@pytest.fixture
async def open_store(tmp_path: Path) -> AsyncIterator[Callable[..., Store]]:
    """Makes stores over one cache and one state folder, like one daemon after another."""
    async with AsyncExitStack() as stack:

        def make(url: str = "", rules: FetchRules = QUICK, **environ: str) -> Store:
            state = StateFolder(tmp_path / "state", now=lambda: NOW)
            state.path.mkdir(exist_ok=True)
            told = {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "home"), **environ}
            cache = tmp_path / "cache"
            files = ModelFiles(cache, state, now=lambda: NOW, environ=told, rules=rules)
            stack.push_async_callback(files.aclose)
            return Store(files, cache, state.path, told)

        yield make


@pytest.fixture
def store(open_store: Callable[..., Store], hub: Hub) -> Store:
    return open_store(hub.url)
