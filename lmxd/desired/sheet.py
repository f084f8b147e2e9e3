"""One text being edited: replacements collected in any order and carried out at once.

Used by `splice` and what lays values into text. Two replacements that overlap are a mistake of
whoever made them, and the text is then not edited at all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lmxd.desired.layout import Layout
from schemas.errors import Code, RequestError

__all__ = ["Cut", "Sheet", "by_hand"]


@dataclass(frozen=True, slots=True)
class Cut:
    """The characters from `start` to before `end` give way to `text`."""

    start: int
    end: int
    text: str


class Sheet:
    """A text, where things stand in it, and the replacements made so far.

    At one place, what was inserted first is first. `careful`: comments of lines that go move to
    the column of their entry, where no block scalar above can take them for its text; otherwise
    they stay exactly as they are.
    """

    def __init__(self, layout: Layout, *, careful: bool) -> None:
        self.layout = layout
        self.careful = careful
        self.text = layout.text
        self._cuts: list[Cut] = []

    def cut(self, start: int, end: int, text: str = "") -> None:
        """Replace what stands between two places; equal places insert."""
        if text or end > start:
            self._cuts.append(Cut(start, end, text))

    def insert(self, at: int, text: str) -> None:
        """Put text before the character at this place."""
        self.cut(at, at, text)

    def cut_lines(self, start: int, end: int, lines: Sequence[str], under: str = "") -> None:
        """Replace whole lines by others; `start` begins a line, or is the end of the text.

        A last line without a line break stays one without, but in a block scalar, also one whose
        header stands `under` which the lines come, where the line break is part of the value.
        """
        text = "".join(line + self.layout.newline for line in lines)
        if text and end == len(self.text) and not self.text.endswith(("\n", "\r")):
            if not any(line.endswith((" |", " >")) for line in (f" {under}", *lines)):
                text = text.removesuffix(self.layout.newline)
            if self.layout.line_start(start) != start:
                text = self.layout.newline + text
        self.cut(start, end, text)

    def keep(self, comments: Sequence[str], above: int) -> None:
        """Give comments that lose their place lines of their own above the line of a place."""
        margin = " " * self.layout.margin(above)
        start = self.layout.line_start(above)
        self.insert(start, "".join(margin + each + self.layout.newline for each in comments))

    def taken(self, start: int, end: int, work: Callable[[], None]) -> str:
        """This part of the text as `work` edits it; its edits of other places are kept."""
        outer, self._cuts = self._cuts, []
        work()
        inner, self._cuts = self._cuts, outer
        here = [cut for cut in inner if start <= cut.start and cut.end <= end]
        self._cuts += [cut for cut in inner if cut not in here]
        return self._edited(start, end, here)

    def result(self) -> str:
        """The whole text with everything carried out."""
        return self._edited(0, len(self.text), self._cuts)

    def _edited(self, start: int, end: int, cuts: list[Cut]) -> str:
        parts, at = [], start
        for cut in sorted(cuts, key=lambda each: (each.start, each.end > each.start)):
            if cut.start < at:
                raise by_hand("two changes meet in one place of the text")
            parts += [self.text[at : cut.start], cut.text]
            at = cut.end
        return "".join([*parts, self.text[at:end]])


def by_hand(message: str) -> RequestError:
    """The text cannot be edited without touching more than was asked."""
    hint = "edit the file by hand, or make the change a lease"
    return RequestError(Code.FILE_NOT_WRITABLE, message, hint=hint)
