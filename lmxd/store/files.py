"""The owner of model files: the reconciler's port `Files`, dispatching on the kind of source.

Built by the daemon. Every trouble of one artifact stays with that artifact. What a kind of source
means is in `hub_models` and `folder_models`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lmxd.statefolder import StateFolder
from lmxd.store.access import read_access
from lmxd.store.cache import has_partials
from lmxd.store.folder_models import builtin_models, file_models
from lmxd.store.inventory import FOLDER
from lmxd.store.retries import FetchRules
from reconciler.actions import Delete, Download, Verify
from reconciler.state import ArtifactRef, DiskState
from schemas.base import Invalid
from schemas.errors import ActionError, LmxdError
from schemas.source import Source, parse_source

if TYPE_CHECKING:
    from lmxd.store.hub_models import HubModels

BUILTIN = Path(__file__).parent / "builtin"


class Models(Protocol):
    """Artifacts of one kind of source; the methods mean what those of the port `Files` mean."""

    def observe(self, artifact: ArtifactRef, source: Source) -> DiskState:
        """How it stands. Blocks for stats; may raise OSError."""

    async def download(self, action: Download, source: Source) -> None:
        """Bring it here."""

    async def verify(self, action: Verify, source: Source) -> None:
        """Check it."""

    async def delete(self, action: Delete, source: Source) -> None:
        """Remove what lmxd owns of it."""


class ModelFiles:
    """Implements `reconciler.ports.Files`.

    Args:
        cache: the Hugging Face hub cache folder; shared with other programs.
        state: where the inventory is kept.
        now: the wall clock, for records and for the age of orphans.
        environ: where HF_ENDPOINT, HF_TOKEN, ... are looked up, at each use.
        rules: waits and limits of talking to a hub.
        builtin: the folder of built-in models.
    """

    def __init__(
        self,
        cache: Path,
        state: StateFolder,
        *,
        now: Callable[[], datetime],
        environ: Mapping[str, str],
        rules: FetchRules | None = None,
        builtin: Path = BUILTIN,
    ) -> None:
        self._cache = cache
        self._state = state
        self._now = now
        self._environ = environ
        self._rules = rules or FetchRules()
        self._folders = file_models()
        self._builtin = builtin_models(builtin)
        self._opened: HubModels | None = None
        self._opening = asyncio.Lock()

    async def observe(self, wanted: frozenset[ArtifactRef]) -> Mapping[ArtifactRef, DiskState]:
        """How these artifacts stand; one whose files cannot be looked at is ABSENT."""
        known = []
        for artifact in wanted:
            try:
                known.append((artifact, *await self._models(artifact)))
            except ActionError:
                continue
        seen = await asyncio.to_thread(_look, known)
        return {artifact: seen.get(artifact, DiskState()) for artifact in wanted}

    async def download(self, action: Download) -> None:
        """Bring the files here; see the port."""
        models, source = await self._models(action.artifact)
        await models.download(action, source)

    async def verify(self, action: Verify) -> None:
        """Check the files; see the port."""
        models, source = await self._models(action.artifact)
        await models.verify(action, source)

    async def delete(self, action: Delete) -> None:
        """Remove what lmxd owns of it; see the port."""
        models, source = await self._models(action.artifact)
        await models.delete(action, source)

    def credentials(self) -> str:
        """Changes with token and endpoint."""
        return read_access(self._environ).fingerprint

    async def own_bytes(self) -> int:
        """Bytes that lmxd's own files take in the cache."""
        if not await asyncio.to_thread((self._state.path / FOLDER).is_dir):
            return 0
        hub = await self._hub()
        return await asyncio.to_thread(hub.own_bytes)

    async def sweep(self, keep: frozenset[ArtifactRef]) -> None:
        """Remove partial files nobody will finish; to be called once, when it is known what is
        wanted (`keep`). Never raises.
        """
        if not await asyncio.to_thread(has_partials, self._cache):
            return
        parsed = ((parse_source(artifact.source), artifact.revision) for artifact in keep)
        hub = await self._hub()
        await hub.sweep(frozenset((s.repo, rev) for s, rev in parsed if s.scheme == "hf"))

    async def aclose(self) -> None:
        """Close connections; nothing may run any more."""
        if self._opened is not None:
            await self._opened.aclose()

    async def _models(self, artifact: ArtifactRef) -> tuple[Models, Source]:
        try:
            source = parse_source(artifact.source)
        except Invalid as error:
            raise _unserved(artifact, f"{error}") from error
        if source.scheme == "file":
            return self._folders, source
        if source.scheme == "builtin":
            return self._builtin, source
        if source.scheme == "hf" and source.quant is None:
            return await self._hub(), source
        kind = "GGUF files" if source.quant else f"{source.scheme}: sources"
        raise _unserved(artifact, f"{kind} are not served by this version")

    async def _hub(self) -> HubModels:
        """The hub's side, imported at its first use and in a thread: its HTTP client takes a
        third of a second to import, and the daemon answers before that.
        """
        async with self._opening:
            if self._opened is None:
                self._opened = await asyncio.to_thread(self._open_hub)
            return self._opened

    def _open_hub(self) -> HubModels:
        from lmxd.store.hub_models import HubModels  # noqa: PLC0415

        return HubModels(
            self._cache, self._state, lambda: read_access(self._environ), self._rules, self._now
        )


def _look(known: list[tuple[ArtifactRef, Models, Source]]) -> dict[ArtifactRef, DiskState]:
    seen = {}
    for artifact, models, source in known:
        try:
            seen[artifact] = models.observe(artifact, source)
        except (LmxdError, OSError):
            seen[artifact] = DiskState()
    return seen


def _unserved(artifact: ArtifactRef, detail: str) -> ActionError:
    return ActionError(
        "UnsupportedField",
        f"{artifact}: {detail}",
        hint="use hf:org/repo, file:/path or builtin:tiny-chat",
        terminal=True,
    )
