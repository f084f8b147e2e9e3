"""MiniMax M2: `<invoke name="…">` with `<parameter name="…">` inside, in a section."""

from __future__ import annotations

from lmxd.worker.parsing.tagged import Tag, Tagged
from lmxd.worker.parsing.texts import Texts

__all__ = ["MINIMAX"]

MINIMAX = Tagged(
    "minimax_m2",
    section=("<minimax:tool_call>", "</minimax:tool_call>"),
    call=Tag("<invoke name=", ">", "</invoke>"),
    argument=Tag("<parameter name=", ">", "</parameter>"),
    texts=Texts("</parameter>"),
    markers=("<minimax:tool_call>", "</minimax:tool_call>"),
)
