"""Patches of a document's plain JSON values, and what a patch comes to leaf by leaf.

Pure. Called by whoever turns what was asked into a wish (`lmxd.desired`, `lmxd.http`). It knows
neither the document's model nor its text: whether the result is valid is asked elsewhere.

Two values are equal when JSON says so: `true` is not 1, and 1 is 1.0. The order of a map has no
meaning, but for `models`, where it breaks ties.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NoReturn

from schemas.edit import MISSING, Change
from schemas.errors import Code, PatchError, PatchTestFailed
from schemas.parse import pointer

__all__ = ["applied", "changes", "merged", "patched", "reordered", "same", "touched"]

Keys = tuple[str, ...]
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_BAD_ESCAPE = re.compile(r"~(?![01])")
_ORDERED: Keys = ("models",)
_DEEPEST = 64
_MOST = 2**20
"""Characters and values that are copied within a document: no document is as large."""
_NEEDS = {
    "add": "value",
    "replace": "value",
    "test": "value",
    "move": "from",
    "copy": "from",
    "remove": "path",
}


def merged(data: Mapping[str, object], patch: Mapping[str, object]) -> dict[str, object]:
    """A merge patch (RFC 7396) laid over a map.

    Keys that stay keep their place, new ones follow in the order of the patch. Neither argument
    is changed; the result shares what it did not have to touch.
    """
    result = dict(data)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            below = result.get(key)
            result[key] = merged(below if isinstance(below, Mapping) else {}, value)
        else:
            result[key] = value
    return result


def touched(patch: Mapping[str, object]) -> tuple[Keys, ...]:
    """The paths of all leaves that a merge patch sets or removes, in its order."""
    return tuple(_leaves((), patch))


def _leaves(path: Keys, patch: Mapping[str, object]) -> Iterator[Keys]:
    for key, value in patch.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves((*path, key), value)
        else:
            yield (*path, key)


def patched(data: Mapping[str, object], operations: Sequence[object]) -> dict[str, object]:
    """A JSON Patch (RFC 6902) applied to a copy of a map, all of it or nothing.

    Raises PatchError for an operation that is malformed, names what is not there or makes far
    more than a document can hold, and PatchTestFailed where a `test` finds another value.
    """
    holder: dict[str, object] = {"": copy.deepcopy(dict(data))}
    copied = 0
    for number, operation in enumerate(operations, start=1):
        copied += _Operation(number, operation).apply(holder, _MOST - copied)
    result = holder.get("")
    if not isinstance(result, dict):
        raise PatchError(Code.INVALID_REQUEST, "the patch leaves no map", pointer="")
    return result


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[Change, ...]:
    """What differs, leaf by leaf, in the order of `before`; new keys follow as in `after`.

    Another order of `models` is one change of the whole map.
    """
    return tuple(_changes((), before, after))


def _changes(
    path: Keys, before: Mapping[str, object], after: Mapping[str, object]
) -> Iterator[Change]:
    if path == _ORDERED and reordered(before, after):
        yield Change(path, before, after)
        return
    for key in dict.fromkeys([*before, *after]):
        old, new = before.get(key, MISSING), after.get(key, MISSING)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _changes((*path, key), old, new)
        elif not same(old, new):
            yield Change((*path, key), old, new)


def reordered(before: Mapping[str, object], after: Mapping[str, object]) -> bool:
    """Is `after` in another order than the keys that stay, followed by the new ones."""
    stay = [key for key in before if key in after]
    return [*stay, *(key for key in after if key not in before)] != list(after)


def applied(data: Mapping[str, object], changed: Sequence[Change]) -> dict[str, object]:
    """The changes made to a map: `applied(a, changes(a, b))` means what `b` means.

    Maps on the way that are missing come into being; `before` is not looked at.
    """
    result = dict(data)
    for change in changed:
        here, (*way, last) = result, change.path
        for key in way:
            below = here.get(key)
            here[key] = dict(below) if isinstance(below, Mapping) else {}
            here = here[key]  # type: ignore[assignment]
        if change.after is MISSING:
            here.pop(last, None)
        else:
            here[last] = change.after
    return result


def same(one: object, other: object) -> bool:
    """Are two JSON values equal; the order of maps is not looked at."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return one == other


class _Operation:
    """One operation of a JSON Patch; `number` counts from 1, for messages."""

    def __init__(self, number: int, operation: object) -> None:
        self._number = number
        self._path = ""
        if not isinstance(operation, Mapping):
            self._malformed("is not a map")
        self._fields: Mapping[str, object] = operation
        kind = operation.get("op")
        if not isinstance(kind, str) or kind not in _NEEDS:
            self._malformed(f"has no op that is one of {', '.join(_NEEDS)}")
        self._kind = kind
        self._keys = self._parsed("path")
        self._path = pointer(self._keys)
        if _NEEDS[kind] not in operation:
            self._malformed(f'has no "{_NEEDS[kind]}"')
        self._from = self._parsed("from") if _NEEDS[kind] == "from" else ()

    def apply(self, holder: dict[str, object], room: int) -> int:
        """Change the document, which stands in `holder` under the empty key. Returns how much
        was copied within it, at most `room`: a list that is copied into itself, again and again,
        would soon fill the memory.
        """
        match self._kind:
            case "add":
                self._add(holder, self._fitting(self._fields["value"]))
            case "remove":
                self._take(holder, self._keys)
            case "replace":
                parent, key = self._place(holder, self._keys)
                parent[key] = self._fitting(self._fields["value"])  # type: ignore[index]
            case "move":
                self._move(holder)
            case "copy":
                value = self._value(holder, self._from)
                self._add(holder, self._fitting(value, room))
                return _size(value, room)[0]
            case _:
                self._test(self._value(holder, self._keys))
        return 0

    def _move(self, holder: dict[str, object]) -> None:
        value = self._value(holder, self._from)
        if self._keys == self._from:
            return  # taken out and put back it would be the last of its map
        if self._keys[: len(self._from)] == self._from:
            self._malformed("moves a value into itself")
        self._check_depth(_size(value)[1])
        self._take(holder, self._from)
        self._add(holder, value)

    def _fitting(self, value: object, room: int | None = None) -> object:
        """A copy of a value that may stand at the path."""
        size, depth = _size(value, room)
        if room is not None and size > room:
            self._too_much("copies more than a document can hold")
        self._check_depth(depth)
        return copy.deepcopy(value)

    def _check_depth(self, depth: int) -> None:
        if len(self._keys) + depth > _DEEPEST:
            self._too_much(f"nests more than {_DEEPEST} levels deep")

    def _test(self, found: object) -> None:
        if not same(found, self._fields["value"]):
            message = f"operation {self._number}: {self._path} holds another value"
            raise PatchTestFailed(message, pointer=self._path)

    def _add(self, holder: dict[str, object], value: object) -> None:
        parent, key = self._parent(holder, self._keys)
        if isinstance(parent, dict):
            parent[key] = value
            return
        index = len(parent) if key == "-" else self._index(key)
        if index > len(parent):
            self._missing(self._keys)
        parent.insert(index, value)

    def _take(self, holder: dict[str, object], keys: Keys) -> object:
        parent, key = self._place(holder, keys)
        return parent.pop(key)  # type: ignore[arg-type]

    def _value(self, holder: dict[str, object], keys: Keys) -> object:
        parent, key = self._place(holder, keys)
        return parent[key]  # type: ignore[index]

    def _place(
        self, holder: dict[str, object], keys: Keys
    ) -> tuple[dict[str, object] | list[object], str | int]:
        """What holds an existing value, and under which key or index."""
        parent, key = self._parent(holder, keys)
        place = key if isinstance(parent, dict) else self._index(key)
        if place not in parent if isinstance(parent, dict) else int(place) >= len(parent):
            self._missing(keys)
        return parent, place

    def _parent(
        self, holder: dict[str, object], keys: Keys
    ) -> tuple[dict[str, object] | list[object], str]:
        here: object = holder
        *way, last = "", *keys
        for depth, key in enumerate(way):
            if isinstance(here, dict) and key in here:
                here = here[key]
            elif isinstance(here, list) and self._index(key) < len(here):
                here = here[int(key)]
            else:
                self._missing(keys[:depth])
        if not isinstance(here, dict | list):
            self._missing(keys)
        return here, last

    def _index(self, key: str) -> int:
        if not _INDEX.fullmatch(key):
            self._malformed(f'names "{key[:60]}" in a list, which has indexes')
        return int(key)

    def _parsed(self, field: str) -> Keys:
        text = self._fields.get(field)
        if not isinstance(text, str) or (text and text[0] != "/") or _BAD_ESCAPE.search(text):
            self._malformed(f'has no JSON pointer in "{field}"')
        return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])

    def _missing(self, keys: Keys) -> NoReturn:
        message = f"operation {self._number}: {pointer(keys) or 'the document'} does not exist"
        raise PatchError(Code.VALIDATION_FAILED, message, pointer=pointer(keys))

    def _too_much(self, words: str) -> NoReturn:
        message = f"operation {self._number} {words}"
        raise PatchError(Code.VALIDATION_FAILED, message, pointer=self._path)

    def _malformed(self, words: str) -> NoReturn:
        message = f"operation {self._number} {words}"
        raise PatchError(Code.INVALID_REQUEST, message, pointer=self._path)


def _size(value: object, most: int | None = None) -> tuple[int, int]:
    """How many values and characters these are, and how deep they nest; no further than just
    above `most`. Level by level, as this must not run out of stack itself.
    """
    size, depth, level = 0, -1, [value]
    while level and (most is None or size <= most):
        size += sum(1 + len(each) if isinstance(each, str) else 1 for each in level)
        depth += 1
        lists = [each for each in level if isinstance(each, list)]
        maps = [each for each in level if isinstance(each, dict)]
        size += sum(len(key) for each in maps for key in each)
        level = [inner for each in lists for inner in each]
        level += [inner for each in maps for inner in each.values()]
    return size, depth
