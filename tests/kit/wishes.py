"""What people and bots may want of a document, for Hypothesis: small patches, and how they come.

Mostly valid, at times not; everything is about a few models, so that wishes meet.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from schemas.edit import Edit, EditBody, JsonPatch, MergePatch, WholeData, WholeText
from tests.kit.handwritten import Handwritten
from tests.kit.plain_values import Data, flat, merge

__all__ = ["FIRST", "MANAGERS", "SEEDS", "bodies", "body", "leases", "patches", "written"]

KEYS = "abcd"
TINY = "builtin:tiny-chat"
FIRST: dict[str, Any] = {
    "version": 1,
    "models": {
        "a": {"source": TINY, "state": "loaded"},
        "b": {"source": TINY, "priority": 50, "sampling": {"temperature": 0.5}},
        "c": {"source": "hf:org/c"},
    },
    "aliases": {"auto": ["a", "b"]},
    "limits": {"queue": 7},
}
MANAGERS = st.sampled_from(["night-bot", "night-bot", "day-bot", "anonymous"])
SEEDS = st.integers(0, 2**16)

FIELDS: dict[str, list[Any]] = {
    "state": ["loaded", "on-demand", "downloaded", "absent", None, "nope"],
    "priority": [1, 50, None],
    "context": ["4k", "8k", None],
    "sampling": [{"temperature": 0.5}, {"temperature": 1}, {"temperature": 1.0}, {"top_p": 0.9}],
    "system": ["be terse", "one\ntwo\n", None],
    "keep_alive": ["5m", None],
    "protect": [True, False, None],
}
OTHERS: list[dict[str, Any]] = [
    {"limits": {"queue": 8}},
    {"limits": {"queue": 9}},
    {"limits": {"queue": 0}},
    {"limits": None},
    {"suspend": True},
    {"suspend": None},
    {"defaults": {"keep_alive": "10m"}},
    {"defaults": {"state": "on-demand"}},
    {"defaults": None},
    {"policy": {"protect": ["/limits/queue", "/models/c"]}},
    {"policy": None},
    {"reconcile": {"guard": "off"}},
    {"reconcile": None},
    {"aliases": None},
    {"aliases": {"auto": None}},
    {"timezone": "UTC"},
]


@st.composite
def piece(draw: st.DrawFn) -> dict[str, Any]:
    """One small change as a merge patch."""
    key = draw(st.sampled_from(KEYS))
    match draw(st.sampled_from("fffffnnxao")):
        case "f":
            field = draw(st.sampled_from(sorted(FIELDS)))
            return {"models": {key: {field: draw(st.sampled_from(FIELDS[field]))}}}
        case "n":
            source = draw(st.sampled_from([TINY, "hf:org/new"]))
            return {"models": {key: {"source": source, "state": "on-demand"}}}
        case "x":
            return {"models": {key: None}}
        case "a":
            name = draw(st.sampled_from(["auto", "gpt"]))
            return {"aliases": {name: draw(st.sampled_from([key, [key], ["a", key]]))}}
        case _:
            return draw(st.sampled_from(OTHERS))


def _joined(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    return functools.reduce(_over, pieces, {})


def _over(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Two merge patches as one; what removes stays in it."""
    result = dict(one)
    for key, value in other.items():
        below = result.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        result[key] = _over(below, value) if both else value  # type: ignore[arg-type]
    return result


patches = st.lists(piece(), min_size=1, max_size=3).map(_joined)
leases = st.one_of(
    patches,
    st.sampled_from([{"models": {"a": {"state": "downloaded"}}}, {"suspend": True}, {}]),
    st.sampled_from(KEYS).map(lambda key: {"models": {key: {"state": "on-demand"}}}),
)
bodies = st.tuples(st.sampled_from("mmmjjwt"), patches, SEEDS)


def body(how: tuple[str, Data, int], data: Data) -> EditBody:
    """A wish as an edit of what holds."""
    kind, patch, seed = how
    match kind:
        case "m":
            return MergePatch(patch)
        case "j":
            return JsonPatch(_operations(patch, data, seed))
        case "w":
            return WholeData(_stirred(merge(data, patch), seed))
        case _:
            return WholeText(written(data, patch, seed))


def written(data: Data, patch: Data, seed: int) -> bytes:
    """What somebody writes who wants this of that document, with models in any order."""
    return Handwritten.saying(_stirred(merge(data, patch), seed), seed).raw


def _stirred(data: dict[str, Any], seed: int) -> dict[str, Any]:
    models = data.get("models")
    if seed % 4 or not isinstance(models, dict):
        return data
    return {**data, "models": dict(reversed(models.items()))}


def _operations(patch: Data, data: Data, seed: int) -> list[dict[str, Any]]:
    found = flat(data)
    operations: list[dict[str, Any]] = []
    for path, value in flat(patch).items():
        at = "/" + "/".join(path)
        if value is None:
            operations.append({"op": "remove", "path": at})
            continue
        if path in found and seed % 3 == 0:
            operations.append({"op": "test", "path": at, "value": found[path]})
        elif seed % 11 == 0:
            operations.append({"op": "test", "path": at, "value": value})
        kind = "replace" if path in found and seed % 2 else "add"
        operations.append({"op": kind, "path": at, "value": value})
    if seed % 7 == 0:
        operations.append({"op": "copy", "from": "/models/a", "path": "/models/d"})
    if seed % 7 == 1:
        operations.append({"op": "move", "from": "/aliases/auto", "path": "/aliases/other"})
    return operations


def edit(how: tuple[str, Data, int], data: Data, manager: str, **terms: Any) -> Edit:
    """The whole of what is asked."""
    return Edit(body(how, data), manager, **terms)
