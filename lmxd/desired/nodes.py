"""YAML 1.2 text -> a tree of nodes that know where they stand.

The only reader that touches ruamel, and only its event parser: composing the tree here
keeps its objects in, bounds the depth before recursion does, and leaves every scalar as it was
written, so that 1.10 and 2026-03-29 can be shown in a message. Called by `read`; `splice` edits
the text by the spans.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
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

__all__ = [
    "MAX_DEPTH",
    "AliasNode",
    "ListNode",
    "MapNode",
    "Mark",
    "Node",
    "ScalarNode",
    "Span",
    "compose",
]

MAX_DEPTH = 64
_STANDARD = "tag:yaml.org,2002:"
_COLON = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)*:")
_HALVES = re.compile(r"[\ud800-\udfff]")
# The header of a block scalar, behind its anchor and tag, that makes its last empty lines count.
_KEEPS = re.compile(r"\A(?:[&!]\S*\s+)*[|>][0-9]?\+")


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the text; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Span:
    """From where to where a node stands, in characters of the text.

    With its anchor and tag; without what follows it on its last line, and without the empty
    lines after a block scalar that are no part of its value.
    """

    start: int
    end: int


@dataclass(slots=True)
class ScalarNode:
    """`plain` scalars are neither quoted nor tagged, so their text decides their type.

    `style` is the character of the quotes or of the block, "" for none.
    """

    mark: Mark
    span: Span
    text: str
    plain: bool
    style: str = ""
    anchor: str | None = None


@dataclass(slots=True)
class ListNode:
    """A sequence; `closed` turns True at its end (an alias to an open node would be a cycle)."""

    mark: Mark
    span: Span
    flow: bool
    anchor: str | None = None
    items: list[Node] = field(default_factory=list)
    closed: bool = False


@dataclass(slots=True)
class MapNode:
    """A mapping, its pairs in the order of the file; keys are unique texts."""

    mark: Mark
    span: Span
    flow: bool
    anchor: str | None = None
    pairs: list[tuple[ScalarNode, Node]] = field(default_factory=list)
    closed: bool = False


@dataclass(slots=True)
class AliasNode:
    """A reference; what it stands for is the node that has the anchor."""

    mark: Mark
    span: Span
    name: str
    target: ScalarNode | ListNode | MapNode


Node = ScalarNode | ListNode | MapNode | AliasNode


def compose(text: str) -> Node | None:
    """The one document of this text, or None when it holds nothing; raises DocumentError."""
    try:
        return _Composer(text).run(YAML(typ="safe", pure=True).parse(text))
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

    def __init__(self, text: str) -> None:
        self._text = text
        self._root: Node | None = None
        self._open: list[ListNode | MapNode] = []
        self._keys: list[ScalarNode | None] = []  # for each open map: a key that has no value yet
        self._first: list[dict[str, Mark]] = []  # for each open node: where its keys first stood
        self._anchors: dict[str, ScalarNode | ListNode | MapNode] = {}
        self._documents = 0

    def run(self, events: Iterator[Any]) -> Node | None:
        for event in events:
            mark = Mark(event.start_mark.line + 1, event.start_mark.column + 1)
            match event:
                case DocumentStartEvent():
                    self._begin(event.version, mark)
                case ScalarEvent():
                    self._add(self._scalar(event, mark))
                case AliasEvent():
                    self._add(self._aliased(event.anchor, mark, _span(event)))
                case SequenceStartEvent():
                    _check_tag(event.tag, "seq", mark)
                    flow = bool(event.flow_style)
                    self._push(ListNode(mark, _span(event), flow, event.anchor))
                case MappingStartEvent():
                    _check_tag(event.tag, "map", mark)
                    flow = bool(event.flow_style)
                    self._push(MapNode(mark, _span(event), flow, event.anchor))
                case SequenceEndEvent() | MappingEndEvent():
                    self._pop(event.end_mark.index)
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

    def _push(self, node: ListNode | MapNode) -> None:
        if len(self._open) >= MAX_DEPTH:
            fail(node.mark, f"nested more than {MAX_DEPTH} levels deep")
        self._add(node)
        self._open.append(node)
        self._keys.append(None)
        self._first.append({})

    def _pop(self, end: int) -> None:
        node = self._open.pop()
        node.closed = True
        # The parser ends a block where the next thing begins, comments and empty lines later.
        if not node.flow:
            last = node.items[-1] if isinstance(node, ListNode) else node.pairs[-1][1]
            end = last.span.end
        node.span = Span(node.span.start, end)
        self._keys.pop()
        self._first.pop()

    def _add(self, node: Node) -> None:
        if not isinstance(node, AliasNode) and node.anchor is not None:
            self._anchors[node.anchor] = node
        if not self._open:
            self._root = node
            return
        parent = self._open[-1]
        if isinstance(parent, ListNode):
            parent.items.append(node)
        elif (key := self._keys[-1]) is None:
            self._keys[-1] = self._checked_key(node)
        else:
            if isinstance(node, ScalarNode) and node.span.start == node.span.end:
                # The parser puts an empty value where the next thing begins.
                colon = _COLON.match(self._text, key.span.end)
                at = colon.end() if colon else key.span.end
                node.span = Span(at, at)
            parent.pairs.append((key, node))
            self._keys[-1] = None

    def _checked_key(self, node: Node) -> ScalarNode:
        if isinstance(node, AliasNode) and isinstance(node.target, ScalarNode):
            node = replace(node.target, mark=node.mark, span=node.span, anchor=None)
        if not isinstance(node, ScalarNode):
            hint = "quote it" if isinstance(node, MapNode) else None
            fail(node.mark, "a key has to be text, not a map or a list", hint)
        first = self._first[-1].setdefault(node.text, node.mark)
        if first is not node.mark:
            message = f'key "{node.text[:60]}" appears twice, first in line {first.line}'
            fail(node.mark, message, "remove one of them")
        return node

    def _aliased(self, anchor: str, mark: Mark, span: Span) -> AliasNode:
        node = self._anchors.get(anchor)
        if node is None:
            fail(mark, f"alias *{anchor} has no anchor &{anchor} above it")
        if isinstance(node, ScalarNode) or node.closed:
            return AliasNode(mark, span, anchor, node)
        fail(mark, f"alias *{anchor} stands inside what it refers to")

    def _scalar(self, event: ScalarEvent, mark: Mark) -> ScalarNode:
        _check_tag(event.tag, "str", mark)
        plain = event.style is None and event.tag is None
        style = event.style or ""
        span = _span(event)
        if style in {"|", ">"}:
            written = self._text[span.start : span.end]
            keeps = _KEEPS.search(written) is not None
            kept = re.sub(r"(\r\n|\n|\r)\Z", "", written) if keeps else written.rstrip(" \t\r\n")
            span = Span(span.start, span.start + len(kept))
        return ScalarNode(mark, span, _whole(event.value, mark), plain, style, event.anchor)


def _whole(text: str, mark: Mark) -> str:
    """JSON escapes what lies beyond U+FFFF as two halves, which the parser leaves apart."""
    if not _HALVES.search(text):
        return text
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        fail(mark, "half of a surrogate pair is no character", "write the character itself")


def _span(event: Any) -> Span:
    return Span(event.start_mark.index, event.end_mark.index)


def _check_tag(tag: object, kind: str, mark: Mark) -> None:
    """Only the standard tag of its own kind; a list tagged as text would change its meaning."""
    if tag is not None and str(tag) not in {"!", _STANDARD + kind}:
        name = str(tag).replace(_STANDARD, "!!")
        fail(mark, f"tag {name[:60]} has no meaning here", "remove it")
