"""Changes of plain values -> the same changes in the text they came from.

A one-field change is a one-line diff: values are replaced where they stand, and every comment and
every other byte stays. Called by the commit of an edit, in a thread. It does not ask whether the
result is a valid document; it makes sure that it says what was asked and nothing else, and
refuses otherwise.

Comments are never removed, also not those of a value that goes: a person wrote them, and they can
be deleted by hand. They stay where it stood, on lines of their own.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from lmxd.desired.anchors import Anchors
from lmxd.desired.block_entries import BlockEntries
from lmxd.desired.flow_entries import FlowEntries
from lmxd.desired.layout import Entry, Layout, nodes_of
from lmxd.desired.nodes import AliasNode, ListNode, MapNode, Node
from lmxd.desired.read import Parsed, reparsed
from lmxd.desired.render import Style
from lmxd.desired.sheet import Sheet, by_hand
from lmxd.desired.slot import Slot, fill
from lmxd.desired.untouched import require_untouched
from schemas.edit import Change
from schemas.errors import Code, DocumentError, RequestError
from schemas.patch import applied, reordered, same

__all__ = ["spliced"]

_BOM = b"\xef\xbb\xbf"
_MODELS = ("models",)
Keys = tuple[str, ...]


def spliced(raw: bytes, changes: Sequence[Change]) -> bytes:
    """The text with these changes of its values made in it; `before` of a change is not looked at.

    Raises RequestError: aliased_node where an anchor or a `<<` would carry a change elsewhere,
    file_not_writable where the text cannot be edited without touching more than was asked.
    Raises DocumentError when the text is no YAML map, or would grow over the limit of a file.
    """
    before = reparsed(raw)
    if not isinstance(before.data, dict):
        raise by_hand("the document is not a map")
    wanted = applied(before.data, changes)
    layout = Layout(before.text, before.root)
    bom = _BOM if raw.startswith(_BOM) else b""
    try:
        return bom + _edited(before, wanted, changes, Sheet(layout, careful=False))
    except RequestError as error:
        if error.code is Code.ALIASED_NODE:
            raise
        return bom + _edited(before, wanted, changes, Sheet(layout, careful=True))


def _edited(
    before: Parsed, wanted: Mapping[str, object], changes: Sequence[Change], sheet: Sheet
) -> bytes:
    """One way to make the changes, and the proof that it made them."""
    _Splicer(sheet, before, wanted).run()
    try:
        text = sheet.result().encode()
        after = reparsed(text)
    except UnicodeEncodeError:
        raise by_hand("a text holds half of a surrogate pair, which no file can hold") from None
    except DocumentError as error:
        if error.reason == "FileTooLarge":
            raise
        raise by_hand(f"the text cannot take the change: {error.problems[0].message}") from error
    require_untouched(before, after, wanted, changes)
    return text


class _Splicer:
    """Walks nodes and wanted values side by side and cuts where they differ."""

    def __init__(self, sheet: Sheet, before: Parsed, wanted: Mapping[str, object]) -> None:
        self._sheet = sheet
        self._layout = sheet.layout
        self._root = before.root
        self._data = before.data
        self._wanted = wanted
        self._anchors = Anchors(before.root)
        self._style = _habits(sheet.layout, before.root)

    def run(self) -> None:
        node = self._root
        flow = isinstance(node, MapNode) and node.flow
        start = node.span.start
        slot = Slot(node, None, 0, start, flow, item=False, style=self._style)
        self._lay((), slot, self._data, self._wanted)

    def _lay(self, path: Keys, slot: Slot, old: object, new: object) -> None:
        """Make the value in this slot the new one."""
        moved = path == _MODELS and isinstance(old, dict) and isinstance(new, dict)
        if path and same(old, new) and not (moved and reordered(old, new)):  # type: ignore[arg-type]
            return
        node = slot.node
        self._anchors.require_alone(path, node)
        if isinstance(node, MapNode) and isinstance(old, dict) and isinstance(new, dict):
            self._lay_map(path, slot, node, old, new)
        elif isinstance(node, ListNode) and isinstance(old, list) and isinstance(new, list):
            self._lay_list(path, slot, node, old, new)
        else:
            self._fill(path, slot, new)

    def _fill(self, path: Keys, slot: Slot, value: object) -> None:
        if not path:
            raise by_hand("no key of the document would stay")
        self._anchors.require_unused(path, slot.node.span.start, slot.node.span.end)
        fill(self._sheet, slot, value)

    def _lay_map(
        self,
        path: Keys,
        slot: Slot,
        node: MapNode,
        old: Mapping[str, object],
        new: Mapping[str, object],
    ) -> None:
        entries = self._layout.entries(node)
        self._anchors.require_own(path, node, old, new)
        own = {entry.key.text: at for at, entry in enumerate(entries) if entry.key}
        stay = [at for key, at in own.items() if key in new or self._anchors.is_merge(key, node)]
        fresh = [key for key in new if key not in old]
        if not stay:
            self._fill(path, slot, new)
            return
        for at, entry in enumerate(entries):
            if at not in stay:
                key = entry.key.text if entry.key else ""
                self._anchors.require_unused((*path, key), entry.start, entry.end)
        plan: list[int | str] = [*stay, *fresh]
        if path == _MODELS and reordered(old, new):
            if len(stay) + len(fresh) != len(new):
                raise by_hand("models that come with << cannot be put in another order")
            plan = [own.get(key, key) for key in new]
        style = self._inner_style(slot, node)

        def lay(at: int) -> None:
            key = entries[at].key
            if key is not None and key.text in new:
                inner = self._inner_slot(slot, node, entries[at], style)
                self._lay((*path, key.text), inner, old[key.text], new[key.text])

        if node.flow:
            texts = [
                each if isinstance(each, int) else _flow_pair(style, each, new[each])
                for each in plan
            ]
            FlowEntries(self._sheet, node, slot.above).arrange(texts, lay)
        else:
            lines = [
                each if isinstance(each, int) else self._block_pair(node, style, each, new[each])
                for each in plan
            ]
            self._block(slot, node).arrange(lines, lay)

    def _lay_list(
        self, path: Keys, slot: Slot, node: ListNode, old: list[object], new: list[object]
    ) -> None:
        entries = self._layout.entries(node)
        plan, pairs = _matched(old, new)
        if not pairs:
            self._fill(path, slot, new)
            return
        for at, entry in enumerate(entries):
            if at not in pairs:
                self._anchors.require_unused((*path, str(at)), entry.start, entry.end)
        style = self._inner_style(slot, node)

        def lay(at: int) -> None:
            inner = self._inner_slot(slot, node, entries[at], style)
            self._lay((*path, str(at)), inner, old[at], new[pairs[at]])

        if node.flow:
            texts = [each if isinstance(each, int) else style.flow(each[0]) for each in plan]
            FlowEntries(self._sheet, node, slot.above).arrange(texts, lay)
        else:
            column = self._layout.column(entries[0].start)
            lines = [
                each if isinstance(each, int) else list(style.item(each[0], column))
                for each in plan
            ]
            self._block(slot, node).arrange(lines, lay)

    def _block(self, slot: Slot, node: MapNode | ListNode) -> BlockEntries:
        root = slot.lead is None
        floor = 0 if slot.lead is None else self._layout.line_end(slot.lead)
        end = self._layout.document_end(node) if root else None
        return BlockEntries(self._sheet, node, slot.above, floor, end)

    def _inner_style(self, slot: Slot, node: MapNode | ListNode) -> Style:
        if isinstance(node, ListNode) or not node.pairs:
            return slot.style
        as_json = node.flow and all(key.style == '"' for key, _ in node.pairs)
        return replace(slot.style, json=as_json)

    def _inner_slot(self, slot: Slot, node: MapNode | ListNode, entry: Entry, style: Style) -> Slot:
        item = isinstance(node, ListNode)
        if node.flow:
            return Slot(entry.value, entry.lead, slot.column, slot.above, True, item, style)
        column = self._layout.column(entry.start)
        return Slot(entry.value, entry.lead, column, entry.start, False, item, style)

    def _block_pair(self, node: MapNode, style: Style, key: str, value: object) -> list[str]:
        """The lines of a new pair, in the way of those beside it."""
        column = self._layout.column(self._layout.content(node))
        maps = [each for _, each in node.pairs if isinstance(each, MapNode)]
        if maps and all(each.flow for each in maps) and isinstance(value, Mapping):
            return [f"{' ' * column}{style.key(key, flow=False)}: {style.flow(value)}"]
        for each in maps:
            depth = self._layout.column(self._layout.content(each)) - column
            if not each.flow and depth > 0:
                return list(replace(style, step=depth).pair(key, value, column))
        return list(style.pair(key, value, column))


def _flow_pair(style: Style, key: str, value: object) -> str:
    return f"{style.key(key, flow=True)}: {style.flow(value)}"


def _matched(
    old: list[object], new: list[object]
) -> tuple[list[int | tuple[object]], dict[int, int]]:
    """How a list becomes another one: the plan, and for each old item that stays its new self."""
    plan: list[int | tuple[object]] = []
    pairs: dict[int, int] = {}
    matcher = difflib.SequenceMatcher(None, _spelled(old), _spelled(new), autojunk=False)
    for _, begin, end, first, last in matcher.get_opcodes():
        both = min(end - begin, last - first)
        pairs |= {begin + number: first + number for number in range(both)}
        plan += range(begin, begin + both)
        plan += [(item,) for item in new[first + both : last]]
    return plan, pairs


def _spelled(items: list[object]) -> list[str]:
    return [json.dumps(item, sort_keys=True) for item in items]


def _habits(layout: Layout, root: Node) -> Style:
    """How this text indents, by the first places that show it."""
    step: int | None = None
    dash: int | None = None
    for node in nodes_of(root):
        if not isinstance(node, MapNode) or node.flow:
            continue
        column = layout.column(layout.content(node))
        for _, value in node.pairs:
            if isinstance(value, AliasNode) or not isinstance(value, MapNode | ListNode):
                continue
            depth = layout.column(layout.content(value)) - column
            if value.flow:
                continue
            if isinstance(value, MapNode):
                step = depth if step is None else step
            else:
                dash = depth if dash is None else dash
    return Style(step or 2, 2 if dash is None else dash)
