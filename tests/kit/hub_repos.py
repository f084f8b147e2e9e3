"""Repositories of the stand-in hub: folders turned into commits with the hub's own digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

LFS_PATTERNS = ("*.safetensors", "*.bin", "*.gguf", "*.pt", "*.onnx", "*.model")
LFS_FROM_BYTES = 10 * 1024 * 1024


def git_blob_sha1(content: bytes) -> str:
    """The name git gives to a blob of these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a commit. `oid` is its git-sha1 (of the pointer file, when it is LFS)."""

    content: bytes
    oid: str
    sha256: str | None

    @property
    def etag(self) -> str:
        """What names the blob in a Hugging Face cache."""
        return self.sha256 or self.oid

    @classmethod
    def of(cls, path: str, content: bytes) -> HubFile:
        """A file as the hub would keep it: large kinds in LFS."""
        large = len(content) >= LFS_FROM_BYTES
        if not large and not any(fnmatchcase(path, pattern) for pattern in LFS_PATTERNS):
            return cls(content, git_blob_sha1(content), None)
        sha256 = hashlib.sha256(content).hexdigest()
        pointer = (
            f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\n"
            f"size {len(content)}\n"
        )
        return cls(content, git_blob_sha1(pointer.encode()), sha256)

    def entry(self, path: str) -> dict[str, object]:
        """This file in a tree listing."""
        entry: dict[str, object] = {
            "type": "file",
            "oid": self.oid,
            "size": len(self.content),
            "path": path,
        }
        if self.sha256:
            entry["lfs"] = {"oid": self.sha256, "size": len(self.content), "pointerSize": 134}
        return entry


@dataclass(slots=True)
class Repo:
    """Commits and branches of one repository, and who may read it.

    gated: files need a token of `tokens`, the listing does not. private: everything does.
    """

    repo_id: str
    gated: bool = False
    private: bool = False
    tokens: frozenset[str] = frozenset()
    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, HubFile]] = field(default_factory=dict)

    def commit(self, files: Mapping[str, bytes], branch: str) -> str:
        """Add a commit with exactly these files and move the branch to it."""
        made = {path: HubFile.of(path, content) for path, content in sorted(files.items())}
        parts = [self.repo_id, self.branches.get(branch, "")]
        parts += [f"{path}:{file.etag}" for path, file in made.items()]
        sha = hashlib.sha1("\n".join(parts).encode()).hexdigest()
        self.commits[sha] = made
        self.branches[branch] = sha
        return sha

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch or commit name means."""
        return revision if revision in self.commits else self.branches.get(revision)


def read_folder(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its path with forward slashes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
