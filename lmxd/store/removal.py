"""Removing what lmxd put into a cache, and nothing else.

A blob goes only when a record calls it ours, no snapshot links to it any more, and no other record
of ours counts on it; always under the hub's own lock. Used for `state: absent`.
"""

from __future__ import annotations

from lmxd.store.blob_lock import blob_lock
from lmxd.store.cache import CachedRepo, remove_empty
from lmxd.store.inventory import FileRecord, Inventory, Record
from lmxd.store.snapshot import is_own
from lmxd.store.threads import in_thread


async def remove_own(inventory: Inventory, repo: CachedRepo, record: Record) -> None:
    """Remove a record's own files and then the record. Repeatable; raises OSError.

    The record goes last: what is left after a crash is removed by the next call.
    """
    await in_thread(_drop_links, repo, record)
    blobs = {file.digest.value: file for file in record.files if file.digest}
    for name, file in blobs.items():
        async with blob_lock(repo.lock(name)):
            await in_thread(_drop_blob, inventory, repo, record, file, name)
    await in_thread(_drop_rest, inventory, repo, record)


def _drop_links(repo: CachedRepo, record: Record) -> None:
    for file in record.files:
        if file.own_link:
            repo.drop_link(record.commit, file.path)


def _drop_blob(
    inventory: Inventory, repo: CachedRepo, record: Record, file: FileRecord, name: str
) -> None:
    others = [other for other in inventory.of_repo(repo.repo) if other.commit != record.commit]
    if any(file.digest == wanted.digest for other in others for wanted in other.files):
        return
    repo.partial(name).unlink(missing_ok=True)
    blob = repo.blob(name)
    if is_own(repo, file) and blob.resolve() not in repo.linked_blobs():
        blob.unlink(missing_ok=True)


def _drop_rest(inventory: Inventory, repo: CachedRepo, record: Record) -> None:
    repo.drop_dangling_refs(record.commit)
    remove_empty(repo.folder / "blobs", repo.folder)
    inventory.drop(record)
