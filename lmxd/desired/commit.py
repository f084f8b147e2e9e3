"""A checked text -> the file, and the generation that says so: safe against crashes and editors.

    1 take in what is on disk, 2 draft the edit on it            `document`, `drafts`
    3 keep the generation as intended
    4 read the file again: it is no longer the base -> 7
    5 exchange; what came out is not the base -> swap back -> 7  `exchange`
    6 mark the generation accepted
    7 forget the intended generation, answer None: the caller begins anew at 1

A crash before 5 leaves the old file and an intention that `recovery` discards, a crash after it
the new file and an intention that `recovery` accepts. Called by `document` in a thread, one call
at a time: the only writer of the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

from lmxd.desired.exchange import Displaced, create, swap
from lmxd.desired.generation import Generation
from lmxd.desired.generations import Generations
from lmxd.desired.read import read_raw
from schemas.errors import Code, DocumentError, RequestError

__all__ = ["Commit", "Written"]

log = logging.getLogger(__name__)

ABSENT = ""
"""The base of the first document: there is no file."""


@dataclass(frozen=True, slots=True)
class Written:
    """The file holds the text. `generation` is None where it means what the one before meant."""

    generation: Generation | None
    displaced: Displaced


class Commit:
    """Writes one document.

    Args:
        path: the document.
        generations: where they are kept.
    """

    def __init__(self, path: Path, generations: Generations) -> None:
        self._path = path
        self._generations = generations

    def write(self, base_sha256: str, raw: bytes, generation: Generation | None) -> Written | None:
        """Put `raw` in the place of the base (`ABSENT`: of nothing), as this generation or, for
        a text of the same meaning, as none. None: somebody saved in between, nothing was written.

        Raises RequestError (file_not_writable); then nothing was written either.
        """
        kept = self.intend(generation) if generation is not None else None
        try:
            displaced = self.exchange(base_sha256, raw) if self.unmoved(base_sha256) else None
        except BaseException:
            self._discard(kept)
            raise
        if displaced is None:
            self._discard(kept)
            return None
        return Written(self.accept(kept) if kept is not None else None, displaced)

    def intend(self, generation: Generation) -> Generation:
        """Step 3."""
        try:
            return self._generations.store(replace(generation, status="intended"))
        except OSError as error:
            message = f"the new generation cannot be kept: {error.strerror}"
            hint = "free some space in the state folder"
            raise RequestError(Code.FILE_NOT_WRITABLE, message, hint=hint) from error

    def unmoved(self, base_sha256: str) -> bool:
        """Step 4: a cheap look before the file is touched at all."""
        try:
            raw, _ = read_raw(self._path)
        except DocumentError:
            return base_sha256 == ABSENT and not os.path.lexists(os.path.realpath(self._path))
        return hashlib.sha256(raw).hexdigest() == base_sha256

    def exchange(self, base_sha256: str, raw: bytes) -> Displaced | None:
        """Step 5."""
        if base_sha256 != ABSENT:
            return swap(self._path, base_sha256, raw)
        return create(self._path, raw)

    def accept(self, kept: Generation) -> Generation:
        """Step 6. The file is what counts: an intention that cannot be marked is accepted at the
        next start, because it is what the file says.
        """
        accepted = replace(kept, status="accepted")
        try:
            return self._generations.mark(accepted)
        except OSError as error:
            log.warning(
                "generation not marked",
                extra={"generation": kept.number, "error": str(error)},
            )
            return accepted

    def _discard(self, kept: Generation | None) -> None:
        if kept is not None:
            with contextlib.suppress(OSError):  # `recovery` finds it
                self._generations.discard(kept.number)
