"""JSON values by the book: what a YAML text says, both kinds of patches, leaves, and sameness.

Written from the RFCs and the contract, sharing no code with what it is held against, for the
models of state machines. Slow and plain.
"""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from schemas.desired import DesiredState
from schemas.errors import DocumentError
from schemas.parse import parse

__all__ = [
    "MISSING",
    "YAML12",
    "Data",
    "Path",
    "alike",
    "canon",
    "differ",
    "flat",
    "means",
    "merge",
    "operate",
    "order",
    "sets",
    "touch",
    "valid",
]

Data = Mapping[str, Any]
MISSING = "\0 there is none"
Path = tuple[str, ...]


class YAML12(yaml.CSafeLoader):
    """Of YAML 1.2: `off` is a word, and so is a date."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [each for each in pairs if each[0].rpartition(":")[2] in {"int", "float", "null"}]
        for first, pairs in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


YAML12.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("true|false|True|False"), "tfTF")


@functools.cache
def means(raw: bytes) -> Data | None:
    """What a text says; None when it is no valid document. Not for changing."""
    try:
        data = yaml.load(raw.decode("utf-8-sig"), Loader=YAML12)
        return data if valid(data) else None
    except (yaml.YAMLError, UnicodeDecodeError, TypeError):
        return None


def valid(data: object) -> bool:
    """Is this a document, by the schema."""
    return _valid(json.dumps(data))


@functools.cache
def _valid(text: str) -> bool:
    try:
        parse(DesiredState, json.loads(text))
    except DocumentError:
        return False
    return True


def canon(data: Data) -> tuple[object, ...]:
    """Equal for documents that mean the same."""
    return _plain(data), order(data)


def alike(one: object, other: object) -> bool:
    """The same JSON values: `true` is not 1, 1 is 1.0, and maps have no order."""
    return _plain(one) == _plain(other)


def _plain(value: object) -> str:
    return json.dumps(_numbers(value), sort_keys=True)


def _numbers(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _numbers(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_numbers(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def order(data: Data) -> tuple[str, ...]:
    """The order of models, which has a meaning."""
    return tuple(data.get("models", {}))


def flat(value: object, path: Path = ()) -> dict[Path, object]:
    """Every leaf with its path; lists and empty maps are leaves."""
    if not isinstance(value, Mapping) or (path and not value):
        return {path: value}
    return {
        at: leaf for key, each in value.items() for at, leaf in flat(each, (*path, key)).items()
    }


def differ(old: object, new: object, path: Path = ()) -> dict[Path, tuple[object, object]]:
    """Every leaf that differs, before and after; `MISSING` where there is none."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = [*old, *(key for key in new if key not in old)]
        parts = (differ(old.get(key, MISSING), new.get(key, MISSING), (*path, key)) for key in keys)
        return {at: both for part in parts for at, both in part.items()}
    if alike(old, new):
        return {}
    before, after = flat(old, path), flat(new, path)
    found = {at: (before.get(at, MISSING), after.get(at, MISSING)) for at in {**before, **after}}
    return {at: both for at, both in found.items() if both[0] != both[1]}


def merge(target: object, patch: object) -> Any:
    """RFC 7396, section 2."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


def operate(data: Data, operations: Sequence[Mapping[str, Any]]) -> Any:
    """RFC 6902 on maps of maps; raises LookupError where there is nothing, ValueError for a
    test that fails.
    """
    root: dict[str, Any] = {"": copy.deepcopy(dict(data))}
    for each in operations:
        match each["op"]:
            case "add":
                _add(root, each["path"], copy.deepcopy(each["value"]))
            case "remove":
                _take(root, each["path"])
            case "replace":
                _take(root, each["path"], keep=True)
                _add(root, each["path"], copy.deepcopy(each["value"]))
            case "move":
                _add(root, each["path"], _take(root, each["from"]))
            case "copy":
                _add(root, each["path"], copy.deepcopy(_take(root, each["from"], keep=True)))
            case "test":
                if not alike(_take(root, each["path"], keep=True), each["value"]):
                    raise ValueError(each["path"])
    return root[""]


def _holder(root: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    *way, last = path.split("/")
    here: Any = root
    for key in way:
        here = here[key]
        if not isinstance(here, dict):
            raise KeyError(path)
    return here, last


def _add(root: dict[str, Any], path: str, value: object) -> None:
    holder, key = _holder(root, path)
    holder[key] = value


def _take(root: dict[str, Any], path: str, *, keep: bool = False) -> Any:
    holder, key = _holder(root, path)
    return holder[key] if keep else holder.pop(key)


def touch(one: Path, other: Path) -> bool:
    """Does one path lead to, or through, the other."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def sets(patch: Data, path: Path = ()) -> Iterator[Path]:
    """Where a merge patch sets or removes something."""
    for key, value in patch.items():
        if isinstance(value, Mapping):
            yield from sets(value, (*path, key))
        else:
            yield (*path, key)
