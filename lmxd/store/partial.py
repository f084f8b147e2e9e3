"""A blob on its way to the disk: a file that grows, is hashed as it grows, and survives a crash.

`blobs/<name>.lmxd.incomplete` is ours by its name. It is opened under the blob's lock, resumed from
whatever is there, and becomes the blob only when size and digest are right. Methods block:
`fetcher` calls them in threads.
"""

from __future__ import annotations

import io
import os
from pathlib import Path

from lmxd.statefolder import sync_folder
from lmxd.store.digest import SLICE, Digest, Hasher

SUFFIX = ".lmxd.incomplete"


def partial_path(blob: Path) -> Path:
    """Where a blob lies until it is whole."""
    return blob.with_name(blob.name + SUFFIX)


class PartialFile:
    """One open partial file. `size` counts the bytes that are written and hashed."""

    def __init__(self, blob: Path, digest: Digest, total: int) -> None:
        self.path = partial_path(blob)
        self.size = 0
        self._blob = blob
        self._digest = digest
        self._total = total
        blob.parent.mkdir(parents=True, exist_ok=True)
        self._file = io.FileIO(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644), "r+b")
        self._hasher: Hasher = digest.hasher(total)
        if os.fstat(self._file.fileno()).st_size > total:
            self.restart()

    def hash_more(self) -> int:
        """Hash the next slice of what an earlier run left; 0 when all of it is hashed.

        The hash state of a run that ended is gone, so its bytes are read once more.
        """
        data = self._file.read(SLICE)
        self._hasher.update(data)
        self.size += len(data)
        return len(data)

    def append(self, data: bytes) -> None:
        """Write at the end. After an OSError the file is cut back to what was counted."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError:
            self._file.truncate(self.size)
            self._file.seek(self.size)
            raise
        self._hasher.update(data)
        self.size += len(data)

    def restart(self) -> None:
        """Forget everything that has arrived."""
        self._file.seek(0)
        self._file.truncate(0)
        self._hasher = self._digest.hasher(self._total)
        self.size = 0

    def finish(self) -> bool:
        """Make it the blob if size and digest are right; otherwise remove it and say False."""
        if self.size != self._total or self._hasher.hexdigest() != self._digest.value:
            self.path.unlink(missing_ok=True)
            return False
        os.fsync(self._file.fileno())
        self.path.replace(self._blob)
        sync_folder(self._blob.parent)
        return True

    def close(self) -> None:
        """Close the file; idempotent."""
        self._file.close()
