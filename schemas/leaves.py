"""Changes taken apart to single leaves, and paths that concern each other. Pure.

A `Change` may bring or take a whole map, or give a map another order. Whoever asks whom a value
belongs to, or what lies over it, asks leaf by leaf: owners of fields and of leases.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from schemas.edit import MISSING, Change
from schemas.patch import same

__all__ = ["Path", "Paths", "leaf_changes", "parts", "setting"]

Path = tuple[str, ...]


def leaf_changes(changes: Iterable[Change]) -> Iterator[Change]:
    """The same changes with no map among their values, but for empty ones.

    A map that only changes its order comes to nothing.
    """
    for change in changes:
        yield from _taken_apart(change.path, change.before, change.after)


def _taken_apart(path: Path, before: object, after: object) -> Iterator[Change]:
    below, above = _inside(before), _inside(after)
    if below is None and above is None:
        yield Change(path, before, after)
        return
    if below is None and before is not MISSING:
        yield Change(path, before, MISSING)
    for key in dict.fromkeys([*(below or ()), *(above or ())]):
        old = below.get(key, MISSING) if below is not None else MISSING
        new = above.get(key, MISSING) if above is not None else MISSING
        if not same(old, new):
            yield from _taken_apart((*path, key), old, new)
    if above is None and after is not MISSING:
        yield Change(path, MISSING, after)


def _inside(value: object) -> Mapping[str, object] | None:
    """A map that is no leaf."""
    return value if isinstance(value, Mapping) and value else None


class Paths:
    """Some paths, asked whether they concern another; as fast for many as for one."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._exact = frozenset(paths)
        self._above = {path[:end] for path in self._exact for end in range(len(path) + 1)}

    def touch(self, path: Path) -> bool:
        """Is one of them this path, above it or below it."""
        return path in self._above or any(path[:end] in self._exact for end in range(len(path)))


def parts(pointer: str) -> Path:
    """The keys of a valid JSON pointer; `schemas.parse.pointer` is the way back."""
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:])


def setting(patch: Mapping[str, object]) -> Iterator[Path]:
    """The paths at which a merge patch sets or removes something; maps alone set nothing."""
    for key, value in patch.items():
        if isinstance(value, Mapping):
            yield from ((key, *path) for path in setting(value))
        else:
            yield (key,)
