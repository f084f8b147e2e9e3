"""Every accepted generation of the document, kept in the state folder.

`generations/000018/{desired.yaml, meta.json}`: written whole under another name and then renamed,
so a number that exists is complete. `spelling-0001.yaml` and so on beside them are later texts
that mean the same (comments, layout); `aside/` holds texts that somebody saved and that never
came into effect. Numbers only grow. Called by the owners of the document in a thread: all of
this blocks.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from lmxd.desired.generation import (
    FORMAT,
    VERSION,
    DocumentPath,
    Generation,
    from_meta,
    to_meta,
)
from lmxd.statefolder import sync_folder, write_durably
from schemas.errors import StartupError

__all__ = ["KEEP", "Generations"]

KEEP = 50
"""Generations that are kept, and as many spellings of each, and texts that were set aside."""


class Generations:
    """The folder of generations. Blocks; one caller at a time.

    Args:
        folder: `generations/` in the state folder; created with the first generation.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self) -> int:
        """The highest number there is, readable or not; 0 for none."""
        return max(self._numbers(), default=0)

    def following(self, number: int) -> int:
        """The number of a generation made from that one, also when somebody has removed the
        folder that it was kept in: numbers never go back.
        """
        return max(self.newest(), number) + 1

    def last_good(self, document: DocumentPath) -> Generation | None:
        """The newest complete generation of this document; raises StartupError on one that a
        newer lmxd wrote.
        """
        return next(self.of(document), None)

    def of(self, document: DocumentPath) -> Iterator[Generation]:
        """The accepted generations of this document that can be read, newest first."""
        for number in sorted(self._numbers(), reverse=True):
            generation = self.load(number)
            if generation is not None and generation.document.is_same(document):
                yield generation

    def load(self, number: int) -> Generation | None:
        """One accepted generation; None when there is none, or a hand has damaged it."""
        generation = self._load(number)
        return generation if generation is not None and generation.status == "accepted" else None

    def store(self, generation: Generation) -> Generation:
        """Keep it under the next number, whatever number it has; raises OSError, then nothing
        was kept.
        """
        numbered = replace(generation, number=self.following(generation.base))
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".{numbered.number:06}.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        try:
            write_durably(draft / "desired.yaml", numbered.raw)
            _write_meta(draft, numbered)
            draft.rename(self._place(numbered.number))
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        sync_folder(self._folder)
        self._forget_old()
        return numbered

    def mark(self, generation: Generation) -> Generation:
        """Keep what is now known about it (status, confirmed, ...); raises OSError."""
        folder = self._place(generation.number)
        first = replace(generation, raw=(folder / "desired.yaml").read_bytes())
        _write_meta(folder, first)
        return generation

    def discard(self, number: int) -> None:
        """Forget a generation that did not come to be; its number is free again."""
        place = self._place(number)
        gone = self._folder / f".{number:06}.gone"
        shutil.rmtree(gone, ignore_errors=True)
        place.rename(gone)  # at once: half a folder would be a number that was used
        shutil.rmtree(gone, ignore_errors=True)

    def respell(self, number: int, raw: bytes) -> None:
        """Keep another text of the same meaning; it is the one shown from now on.

        Raises OSError, FileNotFoundError when that generation is gone.
        """
        folder = self._place(number)
        known = sorted(folder.glob("spelling-*.yaml"))
        after = int(known[-1].stem.rpartition("-")[2]) + 1 if known else 1
        write_durably(folder / f"spelling-{after:04}.yaml", raw)
        for old in known[: max(0, len(known) + 1 - KEEP)]:
            old.unlink(missing_ok=True)

    def spelled(self, number: int, sha256: str) -> bool:
        """Is this the digest of a text, an earlier one too, of that generation."""
        return any(_digest(each) == sha256 for each in self._place(number).glob("*.yaml"))

    def set_aside(self, raw: bytes, at: datetime) -> Path:
        """Keep a text that somebody saved and that has no place in the history."""
        folder = self._folder / "aside"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        digest = hashlib.sha256(raw).hexdigest()
        path = folder / f"{at:%Y%m%dT%H%M%S}-{digest[:16]}.yaml"
        write_durably(path, raw)
        for old in sorted(folder.glob("*.yaml"))[:-KEEP]:
            old.unlink(missing_ok=True)
        return path

    def knows(self, raw: bytes) -> bool:
        """Is this text kept already, as a generation, a spelling of one, or set aside."""
        texts = [*self._folder.glob("[0-9]*/*.yaml"), *self._folder.glob("aside/*.yaml")]
        return any(_holds(path, raw) for path in texts)

    def intended(self) -> list[Generation]:
        """What a crash left between keeping and accepting."""
        found = (self._load(number) for number in sorted(self._numbers()))
        return [each for each in found if each is not None and each.status == "intended"]

    def _forget_old(self) -> None:
        """All but the newest, and the confirmed one that probation would go back to."""
        old = sorted(self._numbers())[:-KEEP]
        if not old:
            return
        loaded = (self.load(number) for number in sorted(self._numbers(), reverse=True))
        spared = next((each.number for each in loaded if each and each.confirmed), 0)
        for number in old:
            if number != spared:
                shutil.rmtree(self._place(number), ignore_errors=True)

    def _numbers(self) -> list[int]:
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        return [int(name) for name in names if name.isdecimal()]

    def _place(self, number: int) -> Path:
        return self._folder / f"{number:06}"

    def _load(self, number: int) -> Generation | None:
        """One generation, or None when a crash or a hand has left it incomplete."""
        folder = self._place(number)
        try:
            meta: dict[str, Any] = json.loads((folder / "meta.json").read_bytes())
            raw = (folder / "desired.yaml").read_bytes()
            if meta["format"] == FORMAT and meta["version"] > VERSION:
                raise StartupError(
                    f"{folder} has version {meta['version']}, this lmxd knows {VERSION}",
                    hint="start the newer lmxd that wrote it, or choose another --state-dir",
                )
            generation = from_meta(meta, number, raw)
            spellings = sorted(folder.glob("spelling-*.yaml"))
            return replace(generation, raw=spellings[-1].read_bytes()) if spellings else generation
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _write_meta(folder: Path, generation: Generation) -> None:
    write_durably(folder / "meta.json", json.dumps(to_meta(generation), indent=1).encode())


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _holds(path: Path, raw: bytes) -> bool:
    try:
        return path.stat().st_size == len(raw) and path.read_bytes() == raw
    except OSError:
        return False
