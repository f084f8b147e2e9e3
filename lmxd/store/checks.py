"""Checking cached files against what they should be, and what happens to those that are wrong.

Used by downloads (for blobs that are already there) and by `verify`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lmxd.store.blob_lock import blob_lock
from lmxd.store.cache import CachedRepo
from lmxd.store.digest import matches
from lmxd.store.inventory import FileRecord, Inventory, stamp_of
from lmxd.store.snapshot import is_checked, is_own
from lmxd.store.threads import in_thread
from schemas.errors import ActionError


async def is_right(path: Path, file: FileRecord) -> bool:
    """Whether a file is what its record says: by its stamp, else by size and digest.

    A file nobody stated a digest of is right when it is readable. Raises OSError.
    """
    now = await in_thread(stamp_of, path)
    if is_checked(file, now):
        return True
    if now is None or now.size != file.size:
        return False
    return file.digest is None or await matches(path, file.digest)


async def accept(
    inventory: Inventory, repo: CachedRepo, commit: str, path: Path, file: FileRecord
) -> None:
    """Remember that a file was found right, as it looks now."""
    stamp = await in_thread(stamp_of, path)

    def stamped(other: FileRecord) -> FileRecord:
        same = other.path == file.path or (file.digest and other.digest == file.digest)
        return replace(other, stamp=stamp) if same else other

    await in_thread(inventory.change, repo.repo, commit, stamped)


async def drop_wrong(repo: CachedRepo, file: FileRecord, path: Path) -> None:
    """Remove a wrong blob that is ours. The caller holds its lock.

    Raises ActionError when the file is somebody else's. Not a terminal one: nothing that lmxd
    watches changes when a person deletes the file, so trying again is what notices it.
    """
    if file.digest is None or not await in_thread(is_own, repo, file):
        raise ActionError(
            "ChecksumMismatch",
            f"{path} is not what the hub lists as {file.path} of hf:{repo.repo} "
            f"({file.digest or 'no digest'}, {file.size} bytes)",
            hint="lmxd did not put it there and leaves it alone: delete it, and it is downloaded",
        )
    await in_thread(repo.blob(file.digest.value).unlink, missing_ok=True)


async def remove_if_wrong(repo: CachedRepo, commit: str, file: FileRecord) -> ActionError | None:
    """Look at a snapshot's file again under its blob's lock and remove it if it is still wrong.

    The error to raise then; None when it is right by now. Raises as `drop_wrong`.
    """
    link = repo.link(commit, file.path)
    if file.digest is None:
        await drop_wrong(repo, file, link)
        return None
    async with blob_lock(repo.lock(file.digest.value)):
        if await in_thread(link.exists) and await is_right(link, file):
            return None
        await drop_wrong(repo, file, await in_thread(link.resolve))
        if file.own_link:
            await in_thread(repo.drop_link, commit, file.path)
    return ActionError(
        "ChecksumMismatch",
        f"{file.path} of hf:{repo.repo}@{commit[:12]} did not have its {file.digest.algorithm} "
        f"({file.size} bytes) and was removed",
        hint="it is downloaded anew",
    )
