"""YAML 1.2 text -> a tree of nodes that know their line and column.

The only reader that touches ruamel, and only its event parser: composing the tree here
keeps its objects in, bounds the depth before recursion does, and leaves every scalar as it was
written, so that 1.10 and 2026-03-29 can be shown in a message. Called by `read`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from schemas.errors import DocumentError, Problem

__all__ = ["MAX_DEPTH", "ListNode", "MapNode", "Mark", "Node", "ScalarNode", "compose"]

MAX_DEPTH = 64
_STANDARD = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the text; both count from 1."""

    line: int
    column: int


@dataclass(slots=True)
class ScalarNode:
    """`plain` scalars are neither quoted nor tagged, so their text decides their type."""

    mark: Mark
    text: str
    plain: bool


@dataclass(slots=True)
class ListNode:
    """A sequence; `closed` turns True at its end (an alias to an open node would be a cycle)."""

    mark: Mark
    items: list[Node] = field(default_factory=list)
    closed: bool = False


@dataclass(slots=True)
class MapNode:
    """A mapping, its pairs in the order of the file; keys are unique texts."""

    mark: Mark
    pairs: list[tuple[ScalarNode, Node]] = field(default_factory=list)
    closed: bool = False


Node = ScalarNode | ListNode | MapNode


def compose(text: str) -> Node | None:
    """The one document of this text, or None when it holds nothing; raises DocumentError."""
    try:
        return _Composer().run(YAML(typ="safe", pure=True).parse(text))
    except ReaderError as error:
        before = text[: error.position]
        mark = Mark(before.count("\n") + 1, len(before) - before.rfind("\n"))
        fail(mark, f"character #x{ord(text[error.position]):04x} is not allowed in YAML")
    except MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        message = _message(error)
        fail(Mark(at.line + 1, at.column + 1) if at else Mark(1, 1), message, _hint(message))
    except (YAMLError, RecursionError, MemoryError, ValueError, IndexError) as error:
        # The last two are what ruamel lets slip on torn escapes and directives.
        fail(Mark(1, 1), f"cannot be read as YAML: {str(error) or type(error).__name__}"[:200])


def fail(mark: Mark, message: str, hint: str | None = None) -> NoReturn:
    """Refuse the text as YAML."""
    problem = Problem("", message, hint, mark.line, mark.column)
    raise DocumentError("InvalidYAML", (problem,)) from None


def _message(error: MarkedYAMLError) -> str:
    if "expected '<document start>'" in str(error.problem):
        return "the document has ended before this"
    return ", ".join(part for part in (error.context, error.problem) if part)


def _hint(message: str) -> str | None:
    if "'\\t'" in message:
        return "indent with spaces"
    if "mapping values are not allowed" in message:
        return "check the indentation, and quote values that hold a colon and a space"
    return None


class _Composer:
    """Builds the tree from events, without recursion."""

    def __init__(self) -> None:
        self._root: Node | None = None
        self._open: list[ListNode | MapNode] = []
        self._keys: list[ScalarNode | None] = []  # for each open map: a key that has no value yet
        self._first: list[dict[str, Mark]] = []  # for each open node: where its keys first stood
        self._anchors: dict[str, Node] = {}
        self._documents = 0

    def run(self, events: Iterator[Any]) -> Node | None:
        for event in events:
            mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
            match event:
                case DocumentStartEvent():
                    self._begin(event.version, mark)
                case ScalarEvent():
                    self._add(_scalar(event, mark), event.anchor)
                case AliasEvent():
                    self._add(self._aliased(event.anchor, mark), None)
                case SequenceStartEvent():
                    _check_tag(event.tag, "seq", mark)
                    self._push(ListNode(mark), event.anchor)
                case MappingStartEvent():
                    _check_tag(event.tag, "map", mark)
                    self._push(MapNode(mark), event.anchor)
                case SequenceEndEvent() | MappingEndEvent():
                    self._pop()
                case _:
                    pass
        return self._root

    def _begin(self, version: tuple[int, int] | None, mark: Mark) -> None:
        self._documents += 1
        if self._documents > 1:
            fail(mark, "a second document begins here", "one file holds one document")
        if version not in {None, (1, 2)}:
            number = ".".join(map(str, version or ()))
            fail(Mark(1, 1), f"YAML {number} is not read: only YAML 1.2", "remove the %YAML line")

    def _push(self, node: ListNode | MapNode, anchor: str | None) -> None:
        if len(self._open) >= MAX_DEPTH:
            fail(node.mark, f"nested more than {MAX_DEPTH} levels deep")
        self._add(node, anchor)
        self._open.append(node)
        self._keys.append(None)
        self._first.append({})

    def _pop(self) -> None:
        self._open.pop().closed = True
        self._keys.pop()
        self._first.pop()

    def _add(self, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if isinstance(parent, ListNode):
            parent.items.append(node)
        elif (key := self._keys[-1]) is None:
            self._keys[-1] = self._checked_key(node)
        else:
            parent.pairs.append((key, node))
            self._keys[-1] = None

    def _checked_key(self, node: Node) -> ScalarNode:
        if not isinstance(node, ScalarNode):
            hint = "quote it" if isinstance(node, MapNode) else None
            fail(node.mark, "a key has to be text, not a map or a list", hint)
        first = self._first[-1].setdefault(node.text, node.mark)
        if first is not node.mark:
            message = f'key "{node.text[:60]}" appears twice, first in line {first.line}'
            fail(node.mark, message, "remove one of them")
        return node

    def _aliased(self, anchor: str, mark: Mark) -> Node:
        node = self._anchors.get(anchor)
        if node is None:
            fail(mark, f"alias *{anchor} has no anchor &{anchor} above it")
        if isinstance(node, ScalarNode) or node.closed:
            return node
        fail(mark, f"alias *{anchor} stands inside what it refers to")


def _scalar(event: ScalarEvent, mark: Mark) -> ScalarNode:
    _check_tag(event.tag, "str", mark)
    return ScalarNode(mark, event.value, plain=event.style is None and event.tag is None)


def _check_tag(tag: object, kind: str, mark: Mark) -> None:
    """Only the standard tag of its own kind; a list tagged as text would change its meaning."""
    if tag is not None and str(tag) not in {"!", _STANDARD + kind}:
        name = str(tag).replace(_STANDARD, "!!")
        fail(mark, f"tag {name[:60]} has no meaning here", "remove it")
