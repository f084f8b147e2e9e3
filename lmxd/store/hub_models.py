"""Models of a hub in the ordinary Hugging Face cache: the `hf:` side of `files`.

Observes, verifies and deletes; `hub_download` downloads. Imported late, because the HTTP client
behind it is slow to import.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import httpx2

from lmxd.statefolder import StateFolder
from lmxd.store.access import HubAccess
from lmxd.store.cache import CachedRepo, is_commit
from lmxd.store.checks import accept, is_right, remove_if_wrong
from lmxd.store.fetcher import Fetcher
from lmxd.store.footprint import Footprints
from lmxd.store.hub import DEFAULT_REVISION, HubClient, make_client
from lmxd.store.hub_download import HubDownloads, total_own
from lmxd.store.inventory import Inventory, Record
from lmxd.store.removal import remove_own
from lmxd.store.retries import FetchRules
from lmxd.store.snapshot import foreign_record, is_whole, look
from lmxd.store.sweep import sweep
from lmxd.store.threads import in_thread
from lmxd.store.trouble import disk_errors
from reconciler.actions import Delete, Download, Verify
from reconciler.state import ArtifactRef, DiskPhase, DiskState
from schemas.source import Source


class HubModels:
    """Artifacts of `hf:` sources in one cache folder.

    Args:
        cache: the hub cache folder; made when it is needed.
        state: where the inventory lies.
        access: endpoint and token, read anew for each use.
        rules: waits and limits of talking to the hub.
        now: the wall clock, for the records.
    """

    def __init__(
        self,
        cache: Path,
        state: StateFolder,
        access: Callable[[], HubAccess],
        rules: FetchRules,
        now: Callable[[], datetime],
    ) -> None:
        self._cache = cache.resolve()
        self._inventory = Inventory(state, str(self._cache))
        self._access = access
        self._rules = rules
        self._now = now
        self._footprints = Footprints()
        self._client: httpx2.AsyncClient | None = None
        self._downloads: HubDownloads | None = None
        self._opening = asyncio.Lock()

    def observe(self, artifact: ArtifactRef, source: Source) -> DiskState:
        """How an artifact stands. Blocks for stats; nothing is hashed and nobody is asked."""
        repo = CachedRepo(self._cache, source.repo)
        commit = self._commit(artifact, repo)
        if commit is None:
            return DiskState()
        record = self._inventory.get(repo.repo, commit)
        running = self._downloads.running.get(artifact) if self._downloads else None
        if record is not None:
            state = look(repo, record, self._footprints)
        elif is_whole(repo, commit):
            state = look(repo, foreign_record(repo, commit), self._footprints)
        else:
            have = foreign_record(repo, commit).total
            phase = DiskPhase.PARTIAL if have else DiskPhase.ABSENT
            state = DiskState(phase, revision=commit, have=have)
        if running is None:
            return state
        return replace(
            state,
            phase=DiskPhase.PARTIAL,
            path=None,
            revision=running.commit,
            have=running.have,
            total=running.total,
        )

    async def download(self, action: Download, source: Source) -> None:
        """Bring an artifact here; see the port."""
        downloads = await self._open()
        await downloads.run(action, CachedRepo(self._cache, source.repo))

    async def verify(self, action: Verify, source: Source) -> None:
        """Hash what is not known to be right; see the port."""
        repo = CachedRepo(self._cache, source.repo)
        with disk_errors(str(action.artifact)):
            record = await in_thread(self._record_to_check, action.artifact, repo)
            if record is None:
                return
            for file in record.files:
                link = repo.link(record.commit, file.path)
                if not await in_thread(link.exists):
                    return  # not whole any more: the next look says so, and a download follows
                if await is_right(link, file):
                    await accept(self._inventory, repo, record.commit, link, file)
                elif error := await remove_if_wrong(repo, record.commit, file):
                    raise error
            await in_thread(self._footprints.of, repo.snapshot(record.commit))

    async def delete(self, action: Delete, source: Source) -> None:
        """Remove what is ours of a commit; see the port."""
        repo = CachedRepo(self._cache, source.repo)
        with disk_errors(str(action.artifact)):
            record = await in_thread(self._inventory.get, repo.repo, action.revision)
            if record is not None:
                await remove_own(self._inventory, repo, record)

    def own_bytes(self) -> int:
        """Bytes that lmxd's own files take. Blocks for a stat a file."""
        return total_own(self._inventory, self._cache)

    async def sweep(self, keep: frozenset[tuple[str, str | None]]) -> None:
        """Remove partial files of dead processes; `keep`: repositories and revisions wanted."""
        records = await in_thread(self._inventory.all)
        wanted = [record for record in records if _is_wanted(record, keep)]
        await in_thread(sweep, self._cache, wanted, records, self._now())

    async def aclose(self) -> None:
        """Close connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _open(self) -> HubDownloads:
        """The downloads, with a client that is made at the first one: reading certificates takes
        a while.
        """
        async with self._opening:
            if self._downloads is None:
                self._client = client = await in_thread(make_client, self._rules)
                self._downloads = HubDownloads(
                    inventory=self._inventory,
                    hub=HubClient(client, self._access, self._rules),
                    fetcher=Fetcher(client, self._access, self._rules),
                    access=self._access,
                    footprints=self._footprints,
                    now=self._now,
                )
            return self._downloads

    def _commit(self, artifact: ArtifactRef, repo: CachedRepo) -> str | None:
        """The commit an artifact means, as far as this disk knows: what lmxd took it for last,
        else what another program did.
        """
        revision = artifact.revision or DEFAULT_REVISION
        if is_commit(revision):
            return revision
        return self._inventory.commit_of(repo.repo, revision) or repo.commit_of(revision)

    def _record_to_check(self, artifact: ArtifactRef, repo: CachedRepo) -> Record | None:
        """The record of what is there, made and written when somebody else downloaded it."""
        commit = self._commit(artifact, repo)
        if commit is None:
            return None
        record = self._inventory.get(repo.repo, commit)
        if record is None and is_whole(repo, commit):
            found = foreign_record(repo, commit)
            revision = artifact.revision or DEFAULT_REVISION
            named = frozenset() if is_commit(revision) else frozenset({revision})
            record = replace(found, revisions=named, at=self._now().isoformat())
            self._inventory.put(record)
        return record


def _is_wanted(record: Record, keep: frozenset[tuple[str, str | None]]) -> bool:
    names = {record.commit, *record.revisions}
    return any(repo == record.repo and (rev or DEFAULT_REVISION) in names for repo, rev in keep)
