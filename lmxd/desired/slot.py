"""The place of one value in the text, and another value in it.

Used by `splice` where nothing below the value stays as it was. Comments never go: those on a
line that stays keep their place, all others get lines of their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from lmxd.desired.nodes import AliasNode, ListNode, MapNode, Node, ScalarNode
from lmxd.desired.quoting import folded, literal
from lmxd.desired.render import Style
from lmxd.desired.sheet import Sheet, by_hand

__all__ = ["Slot", "fill"]

_WIDTH = 100
_BLOCK = frozenset({"|", ">"})
_HEADER = re.compile(r"[|>][-+0-9]*")


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a value stands.

    `lead` is behind the colon or dash before it (None: a key of a flow map without colon, or the
    whole document), `column` that of its block entry, `above` a place on the line of the nearest
    block entry around it. `flow`: inside brackets. `item`: of a list.
    """

    node: Node
    lead: int | None
    column: int
    above: int
    flow: bool
    item: bool
    style: Style


def fill(sheet: Sheet, slot: Slot, value: object) -> None:
    """Write a value into a slot; the caller has made sure that no alias needs what goes."""
    node = slot.node
    if slot.flow or (_holds_brackets(node) and isinstance(value, Mapping | list)):
        _instead_of_inline(sheet, slot, slot.style.flow(value, _like(node)), [])
        return
    first, rest = _written(sheet, slot, value)
    if isinstance(node, MapNode | ListNode) and not node.flow:
        _instead_of_block(sheet, slot, first, rest)
    elif isinstance(node, ScalarNode) and node.style in _BLOCK:
        _instead_of_block_scalar(sheet, slot, first, rest)
    else:
        _instead_of_inline(sheet, slot, first, rest)


def _written(sheet: Sheet, slot: Slot, value: object) -> tuple[str, list[str]]:
    """What goes behind the colon or dash, and the lines below it."""
    node, style = slot.node, slot.style
    if isinstance(node, ScalarNode) and node.style in _BLOCK and isinstance(value, str):
        block = (folded(value) if node.style == ">" else None) or literal(value)
        if block:
            margin = _margin(sheet, slot)
            return block[0], [margin + line if line else "" for line in block[1]]
    if isinstance(node, MapNode | ListNode) and not node.flow:
        depth = sheet.layout.column(sheet.layout.content(node)) - slot.column
        if isinstance(node, MapNode):
            style = replace(style, step=depth)
        elif not slot.item:
            style = replace(style, dash=depth)
    room = _WIDTH - sheet.layout.column(sheet.layout.content(node))
    short = style.inline(value, room, _like(node))
    if short is not None:
        return short, []
    if isinstance(value, str):
        header, lines = literal(value) or ("", [])
        margin = " " * (slot.column + style.step)
        return header, [margin + line if line else "" for line in lines]
    if slot.item and sheet.layout.behind_properties(node) == node.span.start:
        first, *rest = style.item(value, slot.column)
        return first[slot.column + 2 :], rest
    # Below a key a list may begin at its column, below a dash it would be more of the same list.
    style = replace(style, dash=style.dash or 2) if slot.item else style
    return "", list(style.below(value, slot.column))


def _instead_of_inline(sheet: Sheet, slot: Slot, first: str, rest: list[str]) -> None:
    """A scalar, an alias or brackets go."""
    node, layout = slot.node, sheet.layout
    start, end = layout.content(node), node.span.end
    prefix = ""
    if "!" in sheet.text[node.span.start : start]:
        # A tag says what the value was, and would now be wrong.
        anchor = None if isinstance(node, AliasNode) else node.anchor
        start, prefix = node.span.start, f"&{anchor} " if anchor else ""
    sheet.keep(layout.comments_in(start, end), slot.above)
    if slot.lead is None:
        if not slot.flow:
            raise by_hand(f"line {node.mark.line}: a key without a colon cannot get a value")
        prefix = ": "
    elif not first or (rest and slot.item):
        start, prefix = _behind(sheet, slot), " " if first else ""
    elif sheet.text[start - 1 : start] not in {" ", "\t", "\n", "\r"} and start == end:
        prefix = " " + prefix
    sheet.cut(start, end, prefix + first)
    if rest:
        _below(sheet, slot, first, rest)


def _below(sheet: Sheet, slot: Slot, first: str, rest: list[str]) -> None:
    """Lines under the line on which a value ended."""
    layout, end = sheet.layout, slot.node.span.end
    behind = layout.extent_end(end, slot.column)
    if not first:
        sheet.cut_lines(behind, behind, rest)
        return
    # Directly below its header, or a comment between would become text of the block.
    start = layout.line_end(end)
    comments = layout.kept_lines(start, behind, slot.column, exactly=False)
    sheet.cut_lines(start, behind, [*rest, *comments], first)


def _instead_of_block_scalar(sheet: Sheet, slot: Slot, first: str, rest: list[str]) -> None:
    """The header gives way, a comment behind it stays, and so does nothing of the lines."""
    layout = sheet.layout
    content = layout.content(slot.node)
    header = _HEADER.match(sheet.text, content)
    end = header.end() if header else content
    sheet.cut(_behind(sheet, slot), end, " " + first if first else "")
    body = layout.line_end(content)
    sheet.cut_lines(body, max(body, layout.line_end(slot.node.span.end)), rest, first)


def _instead_of_block(sheet: Sheet, slot: Slot, first: str, rest: list[str]) -> None:
    """Lines of a map or list go; their comments stay below the key, or move above an item."""
    node, layout = slot.node, sheet.layout
    if slot.lead is None:
        raise by_hand("the whole document cannot be replaced by an edit of its text")
    start = layout.content(node)
    if not layout.starts_line(start):
        sheet.keep(layout.comments_in(start, node.span.end), slot.above)
        begin = start if first and not rest else _behind(sheet, slot)
        sheet.cut(begin, node.span.end, first if begin == start or not first else " " + first)
        if rest:
            _below(sheet, slot, first, rest)
        return
    if first:
        sheet.insert(_behind(sheet, slot), " " + first)
    begin, end = layout.line_start(start), layout.line_end(node.span.end)
    if not rest and not sheet.careful:
        lines = layout.kept_lines(begin, end, layout.column(start), exactly=True)
        sheet.cut_lines(begin, end, lines)
        return
    # All that is below the key: what stays behind new lines could become text of a block.
    begin, end = layout.line_end(_behind(sheet, slot)), layout.extent_end(end - 1, slot.column)
    column = slot.column if first else len(rest[0]) - len(rest[0].lstrip(" "))
    comments = layout.kept_lines(begin, end, column, exactly=False)
    sheet.cut_lines(begin, end, [*rest, *comments] if first else [*comments, *rest], first)


def _behind(sheet: Sheet, slot: Slot) -> int:
    """Behind the colon or dash, and behind an anchor that stays."""
    behind = sheet.layout.behind_properties(slot.node)
    return behind if behind > slot.node.span.start or slot.lead is None else slot.lead


def _margin(sheet: Sheet, slot: Slot) -> str:
    """The indentation of the lines of a block scalar."""
    at = sheet.layout.line_end(sheet.layout.content(slot.node))
    for line in sheet.text[at : slot.node.span.end].splitlines():
        if line.strip():
            return " " * (len(line) - len(line.lstrip(" ")))
    return " " * (slot.column + slot.style.step)


def _like(node: Node) -> str | None:
    """How a scalar was written on its line; None where there was nothing to go by."""
    if not isinstance(node, ScalarNode) or node.style in _BLOCK:
        return None
    return None if node.span.start == node.span.end else node.style


def _holds_brackets(node: Node) -> bool:
    """Brackets with something inside; empty ones may as well become lines."""
    if isinstance(node, MapNode):
        return node.flow and bool(node.pairs)
    return isinstance(node, ListNode) and node.flow and bool(node.items)
