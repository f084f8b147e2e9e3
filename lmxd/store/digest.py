"""The two digests the hub names files by: sha256 for LFS files, git's blob sha1 for small ones.

Blobs of a Hugging Face cache carry the digest as their name, so that a cache can be checked
without asking anybody.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from lmxd.store.threads import in_thread

SLICE = 8 * 1024 * 1024
"""Bytes hashed between two points where a cancellation is seen."""


class Algorithm(StrEnum):
    """How a digest is made."""

    SHA256 = "sha256"
    GIT_SHA1 = "git-sha1"


class Hasher(Protocol):
    """What hashlib returns."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""

    def hexdigest(self) -> str:
        """The digest of everything added, in hex."""


@dataclass(frozen=True, slots=True)
class Digest:
    """An expected digest, in lower-case hex."""

    algorithm: Algorithm
    value: str

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value}"

    def hasher(self, size: int) -> Hasher:
        """A fresh hasher for a file of `size` bytes; git's digest begins with the size."""
        if self.algorithm is Algorithm.SHA256:
            return hashlib.sha256()
        return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)


def digest_of_blob(name: str) -> Digest | None:
    """The digest that the name of a cached blob states; None for a name of another kind."""
    if re.fullmatch(r"[0-9a-f]{64}", name):
        return Digest(Algorithm.SHA256, name)
    return Digest(Algorithm.GIT_SHA1, name) if re.fullmatch(r"[0-9a-f]{40}", name) else None


async def matches(path: Path, digest: Digest) -> bool:
    """Whether the file has this digest. Reads all of it in a thread; cancellable at each slice.

    Raises OSError when the file cannot be read.
    """
    file = await in_thread(path.open, "rb")
    try:
        hasher = digest.hasher((await in_thread(path.stat)).st_size)
        while data := await in_thread(file.read, SLICE):
            await in_thread(hasher.update, data)
    finally:
        file.close()
    return hasher.hexdigest() == digest.value
