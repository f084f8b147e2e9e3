"""Entries of a map or list that has lines of its own: some go, others come, or change places.

Used by `splice`. An entry goes with its lines; its comments stay where it was, at its column.
New entries get lines behind the entry they follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from lmxd.desired.layout import Entry
from lmxd.desired.nodes import ListNode, MapNode
from lmxd.desired.sheet import Sheet

__all__ = ["BlockEntries"]

Plan = Sequence[int | list[str]]


class BlockEntries:
    """The entries of one block collection, of which at least one stays.

    `above` is where comments go that lose their place, `floor` the first place that is its own;
    `end` where lines are added behind the last entry, None for directly behind it.
    """

    def __init__(
        self, sheet: Sheet, node: MapNode | ListNode, above: int, floor: int, end: int | None
    ) -> None:
        self._sheet = sheet
        self._above = above
        self._floor = floor
        self._entries = sheet.layout.entries(node)
        self._column = sheet.layout.column(self._entries[0].start)
        self._document_end = end

    def arrange(self, plan: Plan, lay: Callable[[int], None]) -> None:
        """Make the entries those of the plan: numbers are old ones that stay, lists the lines of
        new ones. `lay` edits inside an entry that stays.
        """
        stay = [each for each in plan if isinstance(each, int)]
        if stay != sorted(stay):
            self._reorder(plan, lay)
            return
        for number in stay:
            lay(number)
        self._remove(stay)
        after, new = -1, list[str]()
        for each in [*plan, len(self._entries)]:
            if isinstance(each, list):
                new += each
                continue
            if new:
                self._add(after, new, last=stay[-1])
            after, new = each, []

    def _add(self, after: int, lines: list[str], *, last: int) -> None:
        """Lines behind an entry; at the end of the document behind everything."""
        layout = self._sheet.layout
        if after < 0:
            self._add_first(lines)
            return
        at = self._extent_end(self._entries[after])
        if self._document_end is not None and after == last:
            at = self._document_end
            above = self._sheet.text[layout.line_start(max(at - 1, 0)) : at]
            # A comment that stands there is not about the new lines.
            lines = ["", *lines] if above.lstrip().startswith("#") else lines
        self._sheet.cut_lines(at, at, lines)

    def _add_first(self, lines: list[str]) -> None:
        layout, start = self._sheet.layout, self._entries[0].start
        if layout.starts_line(start):
            at = layout.own_comments(start, self._floor)
            self._sheet.cut_lines(at, at, lines)
        else:
            newline = layout.newline
            text = newline.join([*lines, " " * self._column])
            self._sheet.insert(start, text[self._column :])

    def _remove(self, stay: list[int]) -> None:
        layout = self._sheet.layout
        first = self._entries[0]
        for number, entry in enumerate(self._entries):
            if number in stay or (number < stay[0] and not layout.starts_line(first.start)):
                continue
            self._go(entry)
        if stay[0] > 0 and not layout.starts_line(first.start):
            # The first one shares its line with a dash: what stays moves up to it.
            end = self._entries[stay[0]].start
            self._sheet.keep(layout.comments_in(first.start, end), self._above)
            self._sheet.cut(first.start, end)

    def _go(self, entry: Entry) -> None:
        layout = self._sheet.layout
        start, end = layout.line_start(entry.start), layout.line_end(entry.end)
        end = self._extent_end(entry) if self._sheet.careful else end
        lines = layout.kept_lines(start, end, self._column, exactly=not self._sheet.careful)
        self._sheet.cut_lines(start, end, lines)

    def _extent_end(self, entry: Entry) -> int:
        return self._sheet.layout.extent_end(entry.end, self._column)

    def _reorder(self, plan: Plan, lay: Callable[[int], None]) -> None:
        """Entries move with the comments above them; what stands between stays between."""
        sheet, entries = self._sheet, self._entries
        ends = [self._extent_end(each) for each in entries]
        floors = [self._floor, *ends]
        begins = [
            sheet.layout.own_comments(each.start, floor)
            for each, floor in zip(entries, floors, strict=False)
        ]
        newline = sheet.layout.newline
        texts = []
        for each in plan:
            if isinstance(each, int):
                text = sheet.taken(begins[each], ends[each], partial(lay, each))
                texts.append(text if text.endswith(("\n", "\r")) else text + newline)
            else:
                texts.append("".join(line + newline for line in each))
        gaps = [sheet.text[end:begin] for end, begin in zip(ends, begins[1:], strict=False)]
        # Gaps that are left over hold comments that must not go.
        rest = [gap for gap in gaps[max(len(texts) - 1, 0) :] if "#" in gap]
        gone = [number for number in range(len(entries)) if number not in plan]
        lines = [
            line
            for number in gone
            for line in sheet.layout.kept_lines(
                begins[number], ends[number], self._column, exactly=False
            )
        ]
        gaps = [*gaps[: len(texts) - 1], *[""] * len(texts)]
        body = "".join(text + gap for text, gap in zip(texts, gaps, strict=False))
        body += "".join(rest) + "".join(line + newline for line in lines)
        if not sheet.text[begins[0] : ends[-1]].endswith(("\n", "\r")):
            body = body.removesuffix(newline)
        sheet.cut(begins[0], ends[-1], body)
