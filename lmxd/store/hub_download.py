"""One download of a commit, from the question which commit it is to the last link.

The order keeps the promises: the record is written before the first byte; each blob is checked
before it gets its name; links and refs appear when every blob is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from lmxd.store.access import HubAccess
from lmxd.store.blob_lock import blob_lock
from lmxd.store.cache import CachedRepo, is_commit
from lmxd.store.checks import accept, drop_wrong, is_right
from lmxd.store.digest import Digest
from lmxd.store.disk import Room, check_fits, free_bytes
from lmxd.store.fetcher import Fetcher, Wanted
from lmxd.store.footprint import Footprints
from lmxd.store.hub import DEFAULT_REVISION, HubClient
from lmxd.store.inventory import FileRecord, Inventory, Record
from lmxd.store.listing import Listing, RemoteFile, choose
from lmxd.store.progress import Progress
from lmxd.store.snapshot import here_bytes, is_own, own_bytes
from lmxd.store.threads import in_thread
from lmxd.store.trouble import disk_errors
from reconciler.actions import Download
from reconciler.limits import DiskLimits
from reconciler.state import ArtifactRef
from schemas.errors import ActionError

PARALLEL_FILES = 4


class HubDownloads:
    """All downloads of one cache folder. `running` is what `observe` shows of them."""

    def __init__(
        self,
        *,
        inventory: Inventory,
        hub: HubClient,
        fetcher: Fetcher,
        access: Callable[[], HubAccess],
        footprints: Footprints,
        now: Callable[[], datetime],
    ) -> None:
        self.running: dict[ArtifactRef, Progress] = {}
        self._inventory = inventory
        self._hub = hub
        self._fetcher = fetcher
        self._access = access
        self._footprints = footprints
        self._now = now
        self._starting = asyncio.Lock()

    async def run(self, action: Download, repo: CachedRepo) -> None:
        """Bring a commit here. Repeatable, resumes, cancellable at each chunk. Raises
        ActionError.
        """
        listing = await self._ask(action.artifact, repo)
        with disk_errors(str(action.artifact)):
            try:
                async with self._starting:  # one at a time: each sees what the others will take
                    record, fresh = await in_thread(self._begin, action, repo, listing)
                progress = self.running[action.artifact]
                await self._bring_all(repo, record, fresh, progress)
                await in_thread(self._finish, repo, record.commit, action.artifact.revision)
            finally:
                self.running.pop(action.artifact, None)

    async def _ask(self, artifact: ArtifactRef, repo: CachedRepo) -> Listing:
        if self._access().offline:
            raise ActionError(
                "Offline",
                f"{artifact} is not whole on this disk and HF_HUB_OFFLINE is set",
                hint="unset HF_HUB_OFFLINE, or copy the model into the cache",
            )
        revision = artifact.revision
        if revision is None or not is_commit(revision):
            revision = await self._hub.commit_of(repo.repo, revision)
        return choose(await self._hub.listing(repo.repo, revision))

    # --- before the first byte --------------------------------------------------------------

    def _begin(
        self, action: Download, repo: CachedRepo, listing: Listing
    ) -> tuple[Record, frozenset[str]]:
        """Check the room and write the record. Also says which blobs are not there and were not
        begun by another download of lmxd: one of them that is there later is somebody else's.
        """
        record = self._record(action.artifact, repo, listing)
        progress = Progress(listing.commit, record.total, here_bytes(repo, record))
        self._check_room(str(action.artifact), progress.missing, repo, action.limits)
        others = self._inventory.of_repo(repo.repo)
        begun = {file.digest for other in others for file in other.files if file.own_blob}
        self._inventory.put(record)
        self.running[action.artifact] = progress
        fresh = (f.digest.value for f in record.files if f.digest and f.digest not in begun)
        return record, frozenset(name for name in fresh if not repo.blob(name).exists())

    def _record(self, artifact: ArtifactRef, repo: CachedRepo, listing: Listing) -> Record:
        records = self._inventory.of_repo(repo.repo)
        prior = next((record for record in records if record.commit == listing.commit), None)
        before = {file.path: file for file in prior.files} if prior else {}
        owned = {file.digest for other in records for file in other.files if is_own(repo, file)}

        def entry(file: RemoteFile) -> FileRecord:
            known = before.get(file.path)
            there = repo.blob(file.digest.value).exists()
            linked = repo.link(listing.commit, file.path).is_symlink()
            return FileRecord(
                file.path,
                file.size,
                file.digest,
                own_blob=file.digest in owned or not there,
                own_link=known.own_link if known and linked else not linked,
                stamp=known.stamp if known else None,
            )

        revisions = prior.revisions if prior else frozenset()
        if artifact.revision is None or not is_commit(artifact.revision):
            revisions |= {artifact.revision or DEFAULT_REVISION}
        files = tuple(entry(file) for file in listing.files)
        at = self._now().isoformat()
        return Record(str(repo.cache), repo.repo, listing.commit, files, revisions, at)

    def _check_room(self, what: str, needed: int, repo: CachedRepo, limits: DiskLimits) -> None:
        promised = sum(progress.missing for progress in self.running.values())
        room = Room(free_bytes(repo.cache), total_own(self._inventory, repo.cache), promised)
        check_fits(what, needed, room, limits)

    # --- the bytes --------------------------------------------------------------------------

    async def _bring_all(
        self, repo: CachedRepo, record: Record, fresh: frozenset[str], progress: Progress
    ) -> None:
        """All blobs, small ones first: a wrong configuration shows before the weights come."""
        blobs = {file.digest.value: file for file in record.files if file.digest}
        queue = sorted(blobs.values(), key=lambda file: file.size, reverse=True)

        async def bring_next() -> None:
            while queue:
                file = queue.pop()
                await self._bring(repo, record.commit, file, fresh, progress)

        try:
            async with asyncio.TaskGroup() as group:
                for number in range(min(PARALLEL_FILES, len(queue))):
                    name = f"download {repo.repo} {number}"
                    group.create_task(bring_next(), name=name)
        except BaseExceptionGroup as failed:
            raise _first(failed) from failed

    async def _bring(
        self,
        repo: CachedRepo,
        commit: str,
        file: FileRecord,
        fresh: frozenset[str],
        progress: Progress,
    ) -> None:
        digest = file.digest
        if digest is None:
            return
        blob = repo.blob(digest.value)
        async with blob_lock(repo.lock(digest.value)):
            if await in_thread(blob.exists):
                if digest.value in fresh:  # somebody else fetched it since: it is theirs
                    file = replace(file, own_blob=False)
                    await in_thread(self._inventory.change, repo.repo, commit, _disown(digest))
                if await is_right(blob, file):
                    await accept(self._inventory, repo, commit, blob, file)
                    return
                await drop_wrong(repo, file, blob)
            wanted = Wanted(
                url=self._hub.file_url(repo.repo, commit, file.path),
                digest=digest,
                size=file.size,
                blob=blob,
                what=f"{file.path} of hf:{repo.repo}@{commit[:12]}",
                page=self._hub.page(repo.repo),
            )
            here = progress.here
            await self._fetcher.fetch(wanted, lambda count: here.update({digest.value: count}))
            await accept(self._inventory, repo, commit, blob, file)

    # --- after the last byte ----------------------------------------------------------------

    def _finish(self, repo: CachedRepo, commit: str, revision: str | None) -> None:
        """Make the snapshot. Raises the footprint's ActionError when it is no model after all."""
        record = self._inventory.get(repo.repo, commit)
        for file in record.files if record else ():
            if file.digest and not repo.link(commit, file.path).exists():
                repo.make_link(commit, file.path, file.digest.value)
        if revision is None or not is_commit(revision):
            repo.set_ref(revision or DEFAULT_REVISION, commit)
        self._footprints.of(repo.snapshot(commit))


def total_own(inventory: Inventory, cache: Path) -> int:
    """Bytes that lmxd's own files take in a cache folder. Blocks for a stat a file."""
    sizes: dict[Path, int] = {}
    for record in inventory.all():
        sizes |= own_bytes(CachedRepo(cache, record.repo), record.files)
    return sum(sizes.values())


def _disown(theirs: Digest) -> Callable[[FileRecord], FileRecord]:
    def edit(file: FileRecord) -> FileRecord:
        return replace(file, own_blob=False) if file.digest == theirs else file

    return edit


def _first(failed: BaseExceptionGroup[BaseException]) -> BaseException:
    """The failure that ended a group; the other tasks were only cancelled by it."""
    first = failed.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
