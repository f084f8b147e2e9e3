"""Entries of a map or list in brackets: some go, others come.

Used by `splice`. Where only some go, or only some come, the rest of the text stays as it is;
otherwise the brackets are filled anew with the texts of the entries that stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from lmxd.desired.layout import Entry
from lmxd.desired.nodes import ListNode, MapNode
from lmxd.desired.sheet import Sheet, by_hand

__all__ = ["FlowEntries"]

Plan = Sequence[int | str]


class FlowEntries:
    """The entries of one flow collection; `above` is where comments go that lose their place."""

    def __init__(self, sheet: Sheet, node: MapNode | ListNode, above: int) -> None:
        self._sheet = sheet
        self._node = node
        self._above = above
        self._entries = sheet.layout.entries(node)
        self._begin = sheet.layout.content(node) + 1
        self._end = node.span.end - 1
        if sheet.text[self._begin - 1] not in "{[":
            raise by_hand(f"line {node.mark.line}: a pair without braces cannot be changed")

    def arrange(self, plan: Plan, lay: Callable[[int], None]) -> None:
        """Make the entries those of the plan: numbers are old ones that stay, texts are new.

        `lay` edits inside an entry that stays.
        """
        stay = [each for each in plan if isinstance(each, int)]
        moves = stay != sorted(stay)
        goes, comes = len(stay) < len(self._entries), len(stay) < len(plan)
        if moves or (goes and comes) or not stay:
            self._refill(plan, lay)
        else:
            for number in stay:
                lay(number)
            self._remove(stay)
            self._add(plan)

    def _refill(self, plan: Plan, lay: Callable[[int], None]) -> None:
        sheet, entries = self._sheet, self._entries
        texts = []
        for each in plan:
            if isinstance(each, str):
                texts.append(each)
            else:
                start, end = entries[each].start, entries[each].end
                texts.append(sheet.taken(start, end, partial(lay, each)))
        stay = [entries[each] for each in plan if isinstance(each, int)]
        kept = [c for each in stay for c in sheet.layout.comments_in(each.start, each.end)]
        comments = sheet.layout.comments_in(self._begin, self._end)
        for comment in kept:
            comments.remove(comment)
        sheet.keep(comments, self._above)
        head, between, tail = self._gaps()
        sheet.cut(self._begin, self._end, head + between.join(texts) + tail if texts else "")

    def _gaps(self) -> tuple[str, str, str]:
        """What stands before, between and behind the entries, without comments."""
        text, entries, layout = self._sheet.text, self._entries, self._sheet.layout
        if not entries:
            return "", ", ", ""
        first, last = entries[0], entries[-1]
        if not layout.starts_line(first.start):
            pad = " " if text[self._begin] == " " else ""
            return pad, ", ", pad
        margin = layout.newline + " " * layout.column(first.start)
        closing = layout.newline + " " * layout.column(self._end)
        own_line = layout.starts_line(self._end) and last.end < layout.line_start(self._end)
        return margin, "," + margin, closing if own_line else ""

    def _remove(self, stay: list[int]) -> None:
        """Each run of entries that go, with the comma behind it, or before it at the end."""
        run: list[int] = []
        for number in range(len(self._entries)):
            if number not in stay:
                run.append(number)
            elif run:
                self._remove_before(run[0], run[-1])
                run = []
        if run:
            self._remove_last(run[0], run[-1])

    def _remove_before(self, first: int, last: int) -> None:
        """A run that is followed by an entry which stays."""
        layout, entries = self._sheet.layout, self._entries
        start, end = entries[first].start, entries[last + 1].start
        behind = self._behind_comma(entries[last]) or entries[last].end
        if layout.starts_line(start) and layout.ends_line(behind):
            start, end = layout.line_start(start), layout.line_end(behind)
        self._go(start, end)

    def _remove_last(self, first: int, last: int) -> None:
        """A run up to the bracket. The comma before it goes unless there was one behind it."""
        layout, entries = self._sheet.layout, self._entries
        before, start = entries[first - 1], entries[first].start
        trailing = self._behind_comma(entries[last])
        comma = self._behind_comma(before) or before.end
        if not (layout.starts_line(start) and layout.ends_line(comma)):
            self._go(comma if trailing else before.end, trailing or entries[last].end)
            return
        if not trailing:
            self._sheet.cut(layout.skip(before.end), comma)
        above = layout.line_start(start)
        end = trailing or entries[last].end
        if layout.ends_line(end):
            # Its comment goes too, or would come to stand behind that of the line above.
            end = self._line_content_end(end)
        self._go(self._line_content_end(above - 1), end)

    def _go(self, start: int, end: int) -> None:
        self._sheet.keep(self._sheet.layout.comments_in(start, end), self._above)
        self._sheet.cut(start, end)

    def _add(self, plan: Plan) -> None:
        """Texts behind the entries that they follow in the plan."""
        after, new = -1, list[str]()
        for each in [*plan, len(self._entries)]:
            if isinstance(each, str):
                new.append(each)
                continue
            if new:
                self._add_behind(after, new)
            after, new = each, []

    def _add_behind(self, number: int, new: list[str]) -> None:
        layout, entries = self._sheet.layout, self._entries
        if number < 0:
            start = entries[0].start
            line = layout.starts_line(start)
            gap = layout.newline + " " * layout.column(start) if line else " "
            self._sheet.insert(start, "".join(f"{text},{gap}" for text in new))
            return
        entry = entries[number]
        if not layout.starts_line(entry.start):
            self._sheet.insert(entry.end, "".join(f", {text}" for text in new))
            return
        margin = layout.newline + " " * layout.column(entry.start)
        comma = self._behind_comma(entry)
        if comma is None and layout.ends_line(entry.end):
            self._sheet.insert(entry.end, ",")
            lines = ",".join(margin + text for text in new)
            self._sheet.insert(self._line_content_end(entry.end), lines)
        elif comma is not None and layout.ends_line(comma):
            lines = "".join(f"{margin}{text}," for text in new)
            self._sheet.insert(self._line_content_end(comma), lines)
        else:
            self._sheet.insert(entry.end, "".join(f",{margin}{text}" for text in new))

    def _behind_comma(self, entry: Entry) -> int | None:
        """Behind the comma that follows an entry."""
        at = self._sheet.layout.skip(entry.end)
        return at + 1 if self._sheet.text[at : at + 1] == "," else None

    def _line_content_end(self, at: int) -> int:
        """Before the line break of the line that holds this place."""
        layout = self._sheet.layout
        start, end = layout.line_start(at), layout.line_end(at)
        return start + len(self._sheet.text[start:end].rstrip("\r\n"))
