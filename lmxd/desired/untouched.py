"""The last look at a text that was edited: does it say what was asked, and nothing else.

Called by `splice` with the text before and after. It shares no code with what made the edit, so
a mistake there becomes a refusal and never a wrong file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from lmxd.desired.layout import Layout
from lmxd.desired.nodes import MapNode, Node
from lmxd.desired.read import Parsed
from lmxd.desired.sheet import by_hand
from schemas.edit import Change
from schemas.parse import pointer
from schemas.patch import changes as changes_of

__all__ = ["require_untouched"]


def require_untouched(
    before: Parsed, after: Parsed, wanted: Mapping[str, object], changes: Sequence[Change]
) -> None:
    """Raises RequestError unless `after` means what is wanted, and holds every comment of
    `before` and, in their order, all lines of it that no change is about.
    """
    if not isinstance(after.data, dict):
        raise by_hand("the edited text would be no map")
    off = changes_of(wanted, after.data)
    if off:
        raise by_hand(f"{pointer(off[0].path)} would not become what was asked")
    old, new = Layout(before.text, before.root), Layout(after.text, after.root)
    if _comments(old) != _comments(new):
        raise by_hand("a comment would be lost")
    touched = {line for change in changes for line in _touched(old, before.root, change, wanted)}
    stay = [line for at, line in enumerate(old.lines(old.newline)) if at not in touched]
    there = iter(new.lines(old.newline))
    for line in stay:
        if line not in there:
            raise by_hand(f"a line that is not asked about would change: {line.strip()[:60]}")


def _comments(layout: Layout) -> Counter[str]:
    return Counter(layout.text[start:end].rstrip() for start, end in layout.comments)


def _touched(
    layout: Layout, root: Node, change: Change, wanted: Mapping[str, object]
) -> Iterator[int]:
    """The numbers of the lines that a change is about.

    Those of the value with its key; of the brackets around it, whose commas move; and of its map
    when nothing else is left in that. What is added to lines touches none.
    """
    node, start, here = root, root.span.start, wanted
    for key in change.path:
        if not isinstance(node, MapNode):
            break
        if node.flow or not any(each.text in here for each, _ in node.pairs):
            yield from _span(layout, start, node.span.end)
        found = next((pair for pair in node.pairs if pair[0].text == key), None)
        if found is None:
            return
        start, node = found[0].span.start, found[1]
        below = here.get(key)
        here = below if isinstance(below, Mapping) else {}
    yield from _span(layout, start, node.span.end)


def _span(layout: Layout, start: int, end: int) -> range:
    """With comments below that are indented further than the line it begins on."""
    behind = layout.extent_end(end, layout.margin(start))
    return range(layout.line_number(start), layout.line_number(max(end, behind - 1)) + 1)
