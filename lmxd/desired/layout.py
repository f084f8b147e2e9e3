"""Where things stand in the text of a document: lines, comments, entries and their extents.

Pure; built by `splice` for one text and its nodes. Positions are characters of the text. It
answers where an edit has to be made, and makes none.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from lmxd.desired.nodes import AliasNode, ListNode, MapNode, Node, ScalarNode

__all__ = ["Entry", "Layout", "nodes_of"]

_BREAK = re.compile(r"\r\n|\n|\r")
_BETWEEN = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)*")
_COMMENT = re.compile(r"#[^\r\n]*")
_PROPERTY = re.compile(r"!<[^>]*>|[&!][^\s,\[\]{}]*")
_BLOCK = frozenset({"|", ">"})


@dataclass(frozen=True, slots=True)
class Entry:
    """One pair of a map or item of a list.

    `start` is its first character (a `?`, a dash, or what stands before its key), `lead` the
    place behind its colon or dash, None for a key of a flow map that has no colon.
    """

    start: int
    lead: int | None
    key: ScalarNode | None
    value: Node

    @property
    def end(self) -> int:
        """Behind its value."""
        return self.value.span.end


class Layout:
    """One text and what is where in it."""

    def __init__(self, text: str, root: Node) -> None:
        self.text = text
        self.newline = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
        self._lines = [0, *(found.end() for found in _BREAK.finditer(text))]
        self.comments = list(self._find_comments(root))
        self._comment_starts = [start for start, _ in self.comments]

    def line_start(self, at: int) -> int:
        """The first character of the line that holds this place."""
        return self._lines[bisect_right(self._lines, at) - 1]

    def line_end(self, at: int) -> int:
        """The first character of the next line, or the end of the text."""
        after = bisect_right(self._lines, at)
        return self._lines[after] if after < len(self._lines) else len(self.text)

    def line_number(self, at: int) -> int:
        """Of the line that holds this place, from 0."""
        return bisect_right(self._lines, at) - 1

    def lines(self, newline: str) -> list[str]:
        """All lines with their line breaks; a last one without gets this one."""
        ends = [*self._lines[1:], len(self.text)]
        lines = [self.text[begin:end] for begin, end in zip(self._lines, ends, strict=True)]
        last = lines.pop()
        return [*lines, last + newline] if last else lines

    def column(self, at: int) -> int:
        """Characters before this place on its line."""
        return at - self.line_start(at)

    def margin(self, at: int) -> int:
        """How far the line of this place is indented."""
        start = self.line_start(at)
        line = self.text[start : self.line_end(at)]
        return len(line) - len(line.lstrip(" "))

    def starts_line(self, at: int) -> bool:
        """Is there nothing but spaces before this place on its line."""
        return not self.text[self.line_start(at) : at].strip(" ")

    def ends_line(self, at: int) -> bool:
        """Is there nothing but a comment from this place to the end of its line."""
        rest = self.text[at : self.line_end(at)].strip()
        return not rest or rest[0] == "#"

    def skip(self, at: int) -> int:
        """The next place that holds neither space, line break nor comment."""
        found = _BETWEEN.match(self.text, at)
        return found.end() if found else at

    def comments_in(self, start: int, end: int) -> list[str]:
        """The comments that begin in this range, in order, without spaces behind them."""
        first = bisect_left(self._comment_starts, start)
        last = bisect_left(self._comment_starts, end)
        return [self.text[begin:stop].rstrip() for begin, stop in self.comments[first:last]]

    def kept_lines(self, start: int, end: int, column: int, *, exactly: bool) -> list[str]:
        """The comments of whole lines that go, as lines: those that had their own as they are,
        or all of them at a column where `exactly` is False.
        """
        first = bisect_left(self._comment_starts, start)
        last = bisect_left(self._comment_starts, end)
        lines = []
        for begin, stop in self.comments[first:last]:
            own = exactly and self.starts_line(begin)
            head = self.text[self.line_start(begin) : begin] if own else " " * column
            lines.append(head + self.text[begin:stop])
        return lines

    def content(self, node: Node) -> int:
        """Where a node begins behind its anchor and tag."""
        at = self.behind_properties(node)
        return at if at == node.span.start else min(self.skip(at), node.span.end)

    def behind_properties(self, node: Node) -> int:
        """The end of a node's anchor and tag; its start when it has neither."""
        at = behind = node.span.start
        while not isinstance(node, AliasNode) and at < node.span.end:
            found = _PROPERTY.match(self.text, at)
            if found is None:
                break
            behind = found.end()
            at = self.skip(behind)
        return behind

    def entries(self, node: MapNode | ListNode) -> list[Entry]:
        """The entries of a map or list in the order of the text."""
        at = self.content(node)
        if node.flow and self.text[at : at + 1] in {"{", "["}:
            at += 1
        pairs: list[tuple[ScalarNode | None, Node]] = (
            [*node.pairs] if isinstance(node, MapNode) else [(None, item) for item in node.items]
        )
        entries = []
        for key, value in pairs:
            start = self.skip(at)
            if node.flow and self.text[start : start + 1] == ",":
                start = self.skip(start + 1)
            lead: int | None = self.skip(key.span.end) if key else start
            if lead is not None and (key or not node.flow):
                lead = lead + 1 if self.text[lead : lead + 1] == (":" if key else "-") else None
            entries.append(Entry(start, lead, key, value))
            at = value.span.end
        return entries

    def extent_end(self, at: int, column: int) -> int:
        """Where the lines of a block entry end: behind comments that are indented deeper."""
        end = here = self.line_end(at)
        while here < len(self.text):
            after = self.line_end(here)
            line = self.text[here:after]
            bare = line.strip()
            here = after
            if not bare:
                continue
            if bare[0] != "#" or len(line) - len(line.lstrip(" ")) <= column:
                break
            end = after
        return end

    def own_comments(self, at: int, floor: int) -> int:
        """Where the comment lines begin that stand directly above the line of this place."""
        start = self.line_start(at)
        while start > floor:
            above = self.line_start(start - 1)
            if above < floor or not self.text[above:start].lstrip().startswith("#"):
                break
            start = above
        return start

    def document_end(self, root: Node) -> int:
        """Where a line is added below everything: before `...` and empty lines at the end."""
        after = self.skip(root.span.end)
        limit = self.line_start(after) if self.text[after : after + 3] == "..." else len(self.text)
        last = len(self.text[:limit].rstrip(" \t\r\n"))
        return max(self.line_end(max(last - 1, 0)), self.line_end(root.span.end))

    def _find_comments(self, root: Node) -> Iterator[tuple[int, int]]:
        """Between scalars every # begins a comment: there is nothing else that could hold one."""
        at = 0
        for node in nodes_of(root):
            if not isinstance(node, ScalarNode | AliasNode):
                continue
            start, end = node.span.start, node.span.end
            if isinstance(node, ScalarNode) and node.style in _BLOCK:
                start = min(end, self.line_end(self.content(node)))
            for found in _COMMENT.finditer(self.text, at, start):
                yield found.span()
            at = max(at, end)
        for found in _COMMENT.finditer(self.text, at):
            yield found.span()


def nodes_of(node: Node) -> Iterator[Node]:
    """A node and all below it, keys too, in the order of the text; not what aliases stand for."""
    yield node
    if isinstance(node, MapNode):
        for key, value in node.pairs:
            yield from nodes_of(key)
            yield from nodes_of(value)
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from nodes_of(item)
