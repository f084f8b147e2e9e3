"""What document, owners and leases must be, step by step: the rules once more, in plain values.

A `World` is never changed; every step gives another one. `answers_due` has the steps that are
asked for over HTTP. Where several things may have happened (a race, a crash), whoever uses this
follows all of them and drops those that what is on disk contradicts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from schemas.edit import FILE
from tests.kit.plain_values import (
    MISSING,
    Data,
    Path,
    alike,
    differ,
    means,
    merge,
    order,
    sets,
    touch,
    valid,
)

__all__ = ["Impossible", "Lent", "Owned", "World", "sha256_of"]

LEASABLE = {"suspend", "limits", "defaults", "models", "aliases"}
DEATHS = 3


class Impossible(AssertionError):
    """This is not what happened, or what happened is wrong."""


@dataclass(frozen=True)
class Lent:
    """A lease."""

    manager: str
    patch: Data
    ends: datetime


@dataclass(frozen=True)
class Owned:
    """Who set a leaf, in which generation, and what it had been since people last wrote it."""

    by: str
    generation: int
    before: tuple[object, ...]
    gone: bool


@dataclass(frozen=True)
class World:
    """`file` is None when there is none; `judged` what of it was looked at last."""

    now: datetime
    file: bytes | None = None
    judged: tuple[bytes | None] | None = None
    data: Data | None = None
    raw: bytes | None = None
    generation: int = 0
    status: str = "invalid"
    gone: frozenset[str] = frozenset()
    owners: Mapping[Path, Owned] = ()  # type: ignore[assignment]
    leases: tuple[Lent, ...] = ()
    texts: Mapping[int, bytes] = ()  # type: ignore[assignment]
    authors: tuple[str, ...] = ()
    confirmed: frozenset[int] = frozenset()
    deaths: tuple[int, int] = (0, 0)
    running: bool = False
    blamed: str = ""
    undone: frozenset[tuple[str, Path]] = frozenset()

    @property
    def tags(self) -> set[str]:
        """Digests of texts that name this document; the other tag is compared by its owner."""
        return {sha256_of(self.raw)} if self.raw is not None else set()

    # --- the file and the clock ---------------------------------------------------------------

    def saved(self, raw: bytes | None) -> World:
        """Somebody saves, or removes the file."""
        return replace(self, file=raw)

    def looked(self) -> World:
        """The daemon looks at the file."""
        if self.judged == (self.file,):
            return self
        world = replace(self, judged=(self.file,))
        data = means(self.file) if self.file is not None else None
        if self.file is None or data is None:
            return replace(world, status="invalid", gone=frozenset())
        if world.says(data):
            return world.respelled(self.file)
        if world.blamed == sha256_of(self.file):
            return replace(world, status="blamed", gone=frozenset())
        gone = world._vanished(data)
        if gone and gone != self.gone:
            return replace(world, status="held", gone=gone)
        return world.taken(data, self.file, FILE)

    def says(self, data: Data) -> bool:
        """Does this mean what is in effect."""
        return self.data is not None and alike(data, self.data) and order(data) == order(self.data)

    def respelled(self, raw: bytes) -> World:
        """The same meaning in other bytes."""
        return replace(
            self,
            file=raw,
            judged=(raw,),
            raw=raw,
            texts={**self.texts, self.generation: raw},
            status="current",
            gone=frozenset(),
            blamed="",
        )

    def taken(self, data: Data, raw: bytes, manager: str, author: str = "") -> World:
        """A new generation is in effect, and the file says so."""
        number = self.generation + 1
        changed = differ(self.data or {}, data)
        world = replace(
            self,
            file=raw,
            judged=(raw,),
            data=data,
            raw=raw,
            generation=number,
            texts={**dict(self.texts), number: raw},
            authors=(author or manager, *self.authors),
            status="current",
            gone=frozenset(),
            blamed="",
        )
        return world._told(changed, manager)

    def _told(self, changed: Mapping[Path, tuple[object, object]], manager: str) -> World:
        owners = dict(self.owners)
        undone = set(self.undone)
        if manager == FILE:
            for path, (_, after) in changed.items():
                mine = owners.get(path)
                if mine and any(alike(after, each) for each in mine.before):
                    undone.add((mine.by, path))
        earlier = {path: owners[path].before for path in changed if path in owners}
        for path in list(owners):
            if any(touch(path, each) for each in changed):
                del owners[path]
        if manager != FILE:
            for path, (before, after) in changed.items():
                known = (*earlier.get(path, ()), before)
                owners[path] = Owned(manager, self.generation, known, after == MISSING)
        leases = self.standing
        if manager == FILE:
            leases = tuple(each for each in leases if not _hit(each, changed))
        return replace(self, owners=owners, undone=frozenset(undone), leases=leases).fitting()

    def passed(self, seconds: float) -> World:
        """Time goes by."""
        world = replace(self, now=self.now + timedelta(seconds=seconds))
        return replace(world, leases=world.standing)

    def lived(self) -> World:
        """The daemon has lived long enough with what is in effect."""
        return replace(self, confirmed=self.confirmed | {self.generation})

    def started(self, *, clean: bool) -> World:
        """The daemon ends, in good order or not, and starts again."""
        world = self.begun(clean=clean)
        if world.deaths[1] >= DEATHS:
            world = world._brought_back()
        return world.looked()

    def begun(self, *, clean: bool) -> World:
        """The next daemon has counted how often they died."""
        died = self.running and not clean
        number, deaths = self.deaths
        count = 0
        if self.generation and self.generation not in self.confirmed:
            count = (deaths if number == self.generation else 0) + died
        return replace(
            self, judged=None, gone=frozenset(), running=True, deaths=(self.generation, count)
        )

    def _brought_back(self) -> World:
        earlier = [each for each in self.confirmed if each < self.generation]
        if not earlier:
            return self
        text = self.texts[max(earlier)]
        data = means(text)
        assert data is not None
        blamed = sha256_of(self.texts[self.generation])
        world = self.taken(data, text, "rollback")
        return replace(
            world,
            file=self.file,
            judged=None,
            blamed=blamed,
            confirmed=world.confirmed | {world.generation},
            deaths=(self.generation, 0),
        )

    def _vanished(self, data: Data) -> frozenset[str]:
        before = (self.data or {}).get("models", {})
        gone = frozenset(before) - frozenset(data.get("models", {}))
        guard = (self.data or {}).get("reconcile", {}).get("guard", "hold")
        held = guard == "hold" and len(gone) >= 2 and 2 * len(gone) >= len(before)
        return gone if held else frozenset()

    @property
    def standing(self) -> tuple[Lent, ...]:
        """Leases that have not run out."""
        return tuple(each for each in self.leases if each.ends > self.now)

    def fitting(self) -> World:
        """Without the leases that do not fit the document and those below them."""
        data, held = self.data or {}, []
        for lease in self.standing:
            laid = merge(data, lease.patch)
            if _leasable(lease.patch, data) and valid(laid):
                data = laid
                held.append(lease)
        return replace(self, leases=tuple(held))


def _hit(lease: Lent, changed: Mapping[Path, object]) -> bool:
    """Has something changed where this lease sets something."""
    return any(touch(path, each) for path in sets(lease.patch) for each in changed)


def _leasable(patch: Data, data: Data) -> bool:
    models = patch.get("models", {})
    gone = [key for key, each in (models or {}).items() if each is None]
    return (
        any(sets(patch))
        and patch.keys() <= LEASABLE
        and models is not None
        and not any(key in data.get("models", {}) for key in gone)
    )


def sha256_of(raw: bytes) -> str:
    """The digest of a text."""
    return hashlib.sha256(raw).hexdigest()
