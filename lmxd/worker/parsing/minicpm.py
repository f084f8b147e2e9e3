"""MiniCPM 5: `<function name="…"><param name="…">`, with nothing around it, CDATA in values."""

from __future__ import annotations

from lmxd.worker.parsing.tagged import Tag, Tagged
from lmxd.worker.parsing.texts import Texts

__all__ = ["MINICPM"]

MINICPM = Tagged(
    "minicpm5",
    section=("", ""),
    call=Tag("<function name=", ">", "</function>"),
    argument=Tag("<param name=", ">", "</param>"),
    texts=Texts("</param>", cdata=True),
    markers=("<function", "</function>", "<param", "</param>"),
    bare=True,
    line="",
)
