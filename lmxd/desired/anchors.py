"""Which parts of a text stand for more than one value, and may therefore not be edited.

Used by `splice`: writing into what an anchor names would change every place that uses it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NoReturn

from lmxd.desired.layout import nodes_of
from lmxd.desired.nodes import AliasNode, ListNode, MapNode, Node, ScalarNode
from schemas.errors import Code, RequestError
from schemas.parse import pointer
from schemas.patch import same

__all__ = ["Anchors"]

Keys = tuple[str, ...]


class Anchors:
    """The aliases of one text and what they stand for."""

    def __init__(self, root: Node) -> None:
        self._aliases = [node for node in nodes_of(root) if isinstance(node, AliasNode)]

    def is_merge(self, key: str, node: MapNode) -> bool:
        """Does this key of the map bring in other maps."""
        return key == "<<" and any(_is_merge(each) for each, _ in node.pairs)

    def require_alone(self, path: Keys, node: Node) -> None:
        """Refuse to edit an alias, or what one stands for; raises RequestError (ALIASED_NODE)."""
        if isinstance(node, AliasNode):
            self._refuse(path, node.name, node.target)
        if any(alias.target is node for alias in self._aliases):
            self._refuse(path, str(node.anchor), node)

    def require_unused(self, path: Keys, start: int, end: int) -> None:
        """Refuse to remove a part of the text that something outside of it refers to."""
        for alias in self._aliases:
            inside = start <= alias.target.span.start and alias.target.span.end <= end
            if inside and not start <= alias.span.start < end:
                self._refuse(path, alias.name, alias.target)

    def require_own(
        self, path: Keys, node: MapNode, old: Mapping[str, object], new: Mapping[str, object]
    ) -> None:
        """Refuse to change or uncover what `<<` brings into this map."""
        own = {key.text for key, _ in node.pairs if not _is_merge(key)}
        for key, base in _inherited(node):
            changed = key not in new or not same(old.get(key), new[key])
            if changed if key not in own else key not in new:
                self._refuse((*path, key), base.anchor or "<<", base)

    def _refuse(self, path: Keys, name: str, node: Node) -> NoReturn:
        uses = [each.mark.line for each in self._aliases if each.target is node]
        used = " and ".join(map(str, uses)) or "<<"
        where = f"&{name} in line {node.mark.line}, used in line {used}"
        lines = [*dict.fromkeys([node.mark.line, *uses])]
        raise RequestError(
            Code.ALIASED_NODE,
            f"{pointer(path)} is part of {where}: a change would reach further than asked",
            hint="edit the file by hand, or make the change a lease",
            param=pointer(path),
            details={"anchor": name, "lines": lines},
        )


def _inherited(node: MapNode) -> Iterator[tuple[str, MapNode]]:
    """What `<<` brings into a map: each key with the map it comes from."""
    for key, value in node.pairs:
        if not _is_merge(key):
            continue
        given = _resolved(value)
        for each in given.items if isinstance(given, ListNode) else [given]:
            base = _resolved(each)
            if isinstance(base, MapNode):
                yield from ((inner.text, base) for inner, _ in base.pairs if not _is_merge(inner))
                yield from _inherited(base)


def _resolved(node: Node) -> Node:
    return node.target if isinstance(node, AliasNode) else node


def _is_merge(key: ScalarNode) -> bool:
    return key.plain and key.text == "<<"
