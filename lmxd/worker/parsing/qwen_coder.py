"""Qwen coder, and Seed after it: `<function=…>` with `<parameter=…>` inside, values on lines."""

from __future__ import annotations

from lmxd.worker.parsing.tagged import Tag, Tagged
from lmxd.worker.parsing.texts import Texts

__all__ = ["QWEN_CODER", "SEED"]


def _format(name: str, prefix: str) -> Tagged:
    section = (f"<{prefix}tool_call>", f"</{prefix}tool_call>")
    return Tagged(
        name,
        section=section,
        call=Tag("<function=", ">", "</function>", quote=""),
        argument=Tag("<parameter=", ">", "</parameter>", quote=""),
        texts=Texts("</parameter>", trim="line"),
        markers=section,
        bare=True,
    )


QWEN_CODER = _format("qwen3_coder", "")
SEED = _format("seed", "seed:")
